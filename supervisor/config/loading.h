/*
 * Settings on their way: the values beside where each of them came from, so that a value which fits badly with another
 * is reported where a person wrote it.
 */
#ifndef SUPERVISOR_CONFIG_LOADING_H
#define SUPERVISOR_CONFIG_LOADING_H

#include "core/error.h"
#include "supervisor/config/dotenv.h"
#include "supervisor/config/settings_table.h"
#include "supervisor/config/yaml.h"

/* From the lowest to the highest. */
enum layer { LAYER_PRESET, LAYER_FILE, LAYER_DOTENV, LAYER_ENVIRONMENT, LAYER_FLAG };

struct origin {
    enum layer layer;
    int group;     /* LAYER_FILE: the group that says so, or FARM_FILE_SERVERS */
    unsigned line; /* LAYER_DOTENV */
};

struct loading {
    struct settings *settings;
    struct group_settings base; /* `servers`, from which every group starts */
    struct farm_file *file;     /* NULL: none */
    struct dotenv *dotenv;
    const char *flags[SETTING_IDS];
    struct origin origins[SETTING_IDS];          /* of the farm's values and of the base's */
    struct origin (*group_origins)[SETTING_IDS]; /* of each group's */
};

#define ORIGIN_MAX 320

/* Where a group's value (or the farm's: any group) comes from: "farm.yaml:14: servers.memory", "SERVER_COUNT",
 * ".env:3: SERVER_COUNT", "--servers". */
void loading_origin(const struct loading *loading, int group, enum setting_id id, char out[ORIGIN_MAX]);

/* Whether the values go together. One sentence about the first that don't. */
int loading_check(const struct loading *loading, struct error *err);

#endif
