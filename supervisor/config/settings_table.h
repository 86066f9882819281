/*
 * What the one table of settings looks like, for the files of config/ that walk it: loading, checking, printing and the
 * schema of farm.yaml all come from these rows, and nothing knows a setting by name besides.
 */
#ifndef SUPERVISOR_CONFIG_SETTINGS_TABLE_H
#define SUPERVISOR_CONFIG_SETTINGS_TABLE_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/config/settings.h"

#include <stdbool.h>
#include <stddef.h>

enum setting_scope {
    SCOPE_PROGRAM, /* not in farm.yaml at all: where farm.yaml is */
    SCOPE_FARM,    /* once, a member of struct settings */
    SCOPE_GROUP,   /* below `servers` and, of its own, in each entry of `groups`: a member of struct group_settings */
    SCOPE_NAME,    /* in an entry of `groups` only */
};

#define PROBE_SETTING_IDS(KIND)                                                                                        \
    SETTING_##KIND##_ENABLED, SETTING_##KIND##_PATH, SETTING_##KIND##_INTERVAL, SETTING_##KIND##_TIMEOUT,              \
        SETTING_##KIND##_START_PERIOD, SETTING_##KIND##_RETRIES

/* In the order in which they are printed. */
enum setting_id {
    SETTING_CONFIG,
    SETTING_NAME,
    SETTING_COUNT,
    SETTING_BASE_PORT,
    SETTING_CPU,
    SETTING_MEMORY,
    SETTING_CPU_RESERVATION,
    SETTING_MEMORY_RESERVATION,
    SETTING_PIDS,
    SETTING_RESTART,
    SETTING_RESTART_PROFILE,
    SETTING_START_TIMEOUT,
    SETTING_STOP_GRACE,
    SETTING_COMMAND,
    SETTING_IMAGE,
    SETTING_USER,
    SETTING_ACCESS_LOG,
    SETTING_ENVIRONMENT,
    SETTING_LABELS,
    PROBE_SETTING_IDS(STARTUP),
    PROBE_SETTING_IDS(LIVENESS),
    PROBE_SETTING_IDS(READINESS),
    SETTING_API_HOST,
    SETTING_API_PORT,
    SETTING_TOKEN,
    SETTING_ALLOW_UNAUTHENTICATED,
    SETTING_ALLOWED_HOSTS,
    SETTING_ALLOWED_ORIGINS,
    SETTING_DASHBOARD_HOST,
    SETTING_DASHBOARD_PORT,
    SETTING_REFRESH_INTERVAL,
    SETTING_WEB_DIR,
    SETTING_RUNTIME,
    SETTING_DOCKER_IMAGE,
    SETTING_DOCKER_IN_NETWORK,
    SETTING_ENFORCE,
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
    SETTING_LOAD_REQUESTS,
    SETTING_LOAD_CONCURRENCY,
    SETTING_STATE_DIR,
    SETTING_RUNTIME_DIR,
    SETTING_IDS
};

enum setting_shape { SHAPE_SCALAR, SHAPE_LIST, SHAPE_MAP };

struct setting;

/* How values of one type are read, written, copied and freed; `field` is the member of the settings' struct. */
struct setting_type {
    enum setting_shape shape;
    const char *noun;         /* what a refused text is not: "a size" */
    const char *hint;         /* how to write one; NULL: the row's `allowed` says it */
    bool secret;              /* a refused text isn't repeated in the message */
    const char *const *names; /* of an enumeration */

    /* Scalars, each item of a list (which it appends), each key of a map. 0, -EINVAL (not one) or -ERANGE (outside the row's bounds). */
    int (*parse)(const struct setting *setting, const char *text, void *field);
    size_t (*put)(void *field, const char *key, const char *value); /* maps: sets a pair; returns how many there are */
    void (*print)(const struct setting *setting, const void *field, struct buffer *out);
    bool (*equal)(const struct setting *setting, const void *a, const void *b);
    void (*copy)(const struct setting *setting, void *to, const void *from); /* `to` holds nothing yet */
    void (*release)(const struct setting *setting, void *field);             /* NULL: owns no memory */
};

struct setting {
    enum setting_scope scope;
    const char *path;     /* in farm.yaml: "api.port"; of a group's setting, below `servers`: "probes.startup.path" */
    const char *variable; /* of the environment, or NULL */
    const char *flag;     /* or NULL */
    const char *argument; /* what the flag is followed by, NULL for a switch */
    const struct setting_type *type;
    const struct setting_type *variable_type; /* NULL: as `type` */
    size_t offset;                            /* in struct settings or struct group_settings */
    bool bound;                               /* farmd keeps to it while it runs: a reload does not change it */
    double min, max;                          /* of numbers, sizes (bytes) and durations (ms) */
    const char *preset;                       /* the default, written as in farm.yaml; NULL: none, or settled later */
    const char *allowed;                      /* "allowed 1 to 10000" */
    const char *help;
};

extern const struct setting settings_table[SETTING_IDS];

/* The member that a row describes. `base` is a struct settings or a struct group_settings, as the row's scope says. */
void *setting_field(const struct setting *setting, void *base);
const void *setting_field_const(const struct setting *setting, const void *base);

/* Whether a member that owns memory (a text, a list, a map) has none. */
bool setting_is_unset(const struct setting *setting, const void *field);

/* Reads a text into the member (a list's from words between commas). On a refused text: negative and `err` holds
 * "<origin>: "<text>" is not …; allowed …". */
int setting_parse(const struct setting *setting, const struct setting_type *type, const char *text, void *base,
                  const char *origin, struct error *err);

/* Sets a list from its items, likewise. */
int setting_parse_list(const struct setting *setting, char *const *items, size_t count, void *base, const char *origin,
                       struct error *err);

/* Adds a pair to a map, replacing the value of a key that is there. */
int setting_put(const struct setting *setting, const char *key, const char *value, void *base, const char *origin,
                struct error *err);

void settings_group_copy(struct group_settings *to, const struct group_settings *from);
void settings_group_release(struct group_settings *group);

/* The types, in settings_types.c. */
extern const struct setting_type setting_count, setting_port, setting_cores, setting_size, setting_duration,
    setting_milliseconds, setting_boolean, setting_restart_policy, setting_restart_profile, setting_enforce_mode,
    setting_runtime_kind, setting_log_level, setting_log_format, setting_text, setting_url_path, setting_host,
    setting_token, setting_name, setting_user, setting_image, setting_file_path, setting_command, setting_host_list,
    setting_origin_list, setting_environment, setting_labels;

#endif
