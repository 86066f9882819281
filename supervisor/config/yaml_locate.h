/*
 * A YAML document with its line numbers: finds where a key path such as groups[1].probes.liveness.interval stands, and
 * holds a document to a libcyaml schema with messages that name line, path and the fix. libcyaml itself reports lines
 * only as a log of several lines, and knows neither free keys nor duplicates.
 */
#ifndef SUPERVISOR_CONFIG_YAML_LOCATE_H
#define SUPERVISOR_CONFIG_YAML_LOCATE_H

#include "core/error.h"

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stddef.h>

#define YAML_PATH_MAX 160

struct yaml_tree;

/* Parses one document. `name` is what messages call the file. -EINVAL for a syntax error, with its line. */
int yaml_tree_new(const char *name, const char *text, size_t length, struct yaml_tree **tree, struct error *err);
void yaml_tree_free(struct yaml_tree *tree); /* NULL is fine */

bool yaml_tree_is_empty(const struct yaml_tree *tree); /* nothing but comments */

/* The line of a path's key (of an item of a list: of the item), 0 when the document has no such path. */
unsigned yaml_tree_line(const struct yaml_tree *tree, const char *path);

/* Whether the document lacks the path or has an empty value there. */
bool yaml_tree_is_null(const struct yaml_tree *tree, const char *path);

/* Refuses unknown and repeated keys and values of the wrong kind. A value that the schema ignores (CYAML_IGNORE) must be
 * a mapping of texts. An empty value is the same as none. */
int yaml_tree_check(const struct yaml_tree *tree, const cyaml_schema_value_t *schema, struct error *err);

/* Calls `each` for the pairs of the mapping of texts at `path`, in order, until it returns non-zero; returns that. */
int yaml_tree_each_pair(const struct yaml_tree *tree, const char *path,
                        int (*each)(const char *key, const char *value, void *data), void *data);

#endif
