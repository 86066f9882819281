/*
 * farm.yaml: read through libcyaml with a schema made from the table of settings. Gives each setting's text as it
 * stands in the file; what the text means is the table's business.
 */
#ifndef SUPERVISOR_CONFIG_YAML_H
#define SUPERVISOR_CONFIG_YAML_H

#include "core/error.h"
#include "supervisor/config/settings_table.h"

#include <stddef.h>

#define FARM_FILE_SERVERS (-1)       /* as a group's index: the defaults under `servers` */
#define FARM_FILE_MAX_SIZE (1 << 20) /* bytes */

struct farm_file;

/* Reads and checks a file's shape: syntax, known keys, kinds of values. -ENOENT when there is none. */
int farm_file_load(const char *path, struct farm_file **file, struct error *err);
void farm_file_free(struct farm_file *file); /* NULL is fine */

size_t farm_file_group_count(const struct farm_file *file);

/* Whether the file sets it, at the farm's level or for a group (ignored for a setting of the farm). An empty value
 * counts as not set. */
bool farm_file_has(const struct farm_file *file, int group, const struct setting *setting);

/* Reads what the file sets into the member of `base`. */
int farm_file_apply(const struct farm_file *file, int group, const struct setting *setting, void *base,
                    struct error *err);

/* "farm.yaml:14: servers.memory", cut to the room there is. */
void farm_file_origin(const struct farm_file *file, int group, const struct setting *setting, char *out, size_t size);

#endif
