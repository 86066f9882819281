/*
 * The types of settings that hold several texts: lists, and maps from names to texts.
 */
#include "supervisor/config/settings_table.h"

#include "core/memory.h"
#include "supervisor/config/yaml_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool consists_of(const char *text, const char *others)
{
    for (; *text; text++) {
        if (!isalnum((unsigned char)*text) && !strchr(others, *text))
            return false;
    }
    return true;
}

/* ---- lists: NULL-terminated arrays of texts -------------------------------------------------------------------- */

static size_t list_length(char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static int keep_item(const char *text, void *field)
{
    char ***list = field;
    size_t n = list_length(*list);
    *list = xrealloc(*list, (n + 2) * sizeof(**list));
    (*list)[n] = xstrdup(text);
    (*list)[n + 1] = NULL;
    return 0;
}

static int parse_argument(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    char *const *list = *(char ***)field;
    if (text[0] == '\0' && list_length(list) == 0)
        return -EINVAL; /* the program's own name; later arguments may well be empty */
    return keep_item(text, field);
}

static int parse_host_item(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    return text[0] == '\0' || !consists_of(text, ".-_:[]") ? -EINVAL : keep_item(text, field);
}

static int parse_origin_item(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    const char *host = strncasecmp(text, "http://", 7) == 0    ? text + 7
                       : strncasecmp(text, "https://", 8) == 0 ? text + 8
                                                               : "";
    return host[0] == '\0' || !consists_of(host, ".-_:[]") ? -EINVAL : keep_item(text, field);
}

static void print_list(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    char *const *list = *(char **const *)field;
    buffer_append_char(out, '[');
    for (size_t i = 0; list && list[i]; i++) {
        buffer_append_text(out, i ? ", " : "");
        yaml_write_text(out, list[i]);
    }
    buffer_append_char(out, ']');
}

static bool equal_list(const struct setting *setting, const void *a, const void *b)
{
    (void)setting;
    char *const *x = *(char **const *)a, *const *y = *(char **const *)b;
    size_t n = list_length(x);
    if (list_length(y) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(x[i], y[i]) != 0)
            return false;
    }
    return true;
}

static void release_list(const struct setting *setting, void *field)
{
    (void)setting;
    char ***list = field;
    for (size_t i = 0; *list && (*list)[i]; i++)
        free((*list)[i]);
    free(*list);
    *list = NULL;
}

static void copy_list(const struct setting *setting, void *to, const void *from)
{
    (void)setting;
    char *const *list = *(char **const *)from;
    *(char ***)to = NULL;
    for (size_t i = 0; list && list[i]; i++)
        keep_item(list[i], to);
}

/* ---- maps: an array of pairs, and its length in the member behind it ------------------------------------------- */

_Static_assert(offsetof(struct group_settings, environment_count) ==
                   offsetof(struct group_settings, environment) + sizeof(struct key_value *),
               "the length of a map lies behind it");
_Static_assert(offsetof(struct group_settings, label_count) ==
                   offsetof(struct group_settings, labels) + sizeof(struct key_value *),
               "the length of a map lies behind it");

static size_t *map_count(void *field)
{
    return (size_t *)((char *)field + sizeof(struct key_value *));
}

static size_t map_length(const void *field)
{
    return *(const size_t *)((const char *)field + sizeof(struct key_value *));
}

static bool is_variable_name(const char *key)
{
    return key[0] != '\0' && !isdigit((unsigned char)key[0]) && consists_of(key, "_");
}

static bool is_label_name(const char *key)
{
    return key[0] != '\0' && strlen(key) <= 63 && consists_of(key, "._/-");
}

/* A map's `parse` looks at a key only; `put` stores the pair. */
static int parse_variable_name(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    (void)field;
    return is_variable_name(text) ? 0 : -EINVAL;
}

static int parse_label_name(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    (void)field;
    return is_label_name(text) ? 0 : -EINVAL;
}

static void print_map(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    const struct key_value *pairs = *(struct key_value *const *)field;
    size_t count = map_length(field);
    buffer_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i ? ", " : "");
        yaml_write_text(out, pairs[i].key);
        buffer_append_text(out, ": ");
        yaml_write_text(out, pairs[i].value);
    }
    buffer_append_char(out, '}');
}

static bool equal_map(const struct setting *setting, const void *a, const void *b)
{
    (void)setting;
    const struct key_value *x = *(struct key_value *const *)a, *y = *(struct key_value *const *)b;
    size_t count = map_length(a);
    if (map_length(b) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(x[i].key, y[i].key) != 0 || strcmp(x[i].value, y[i].value) != 0)
            return false;
    }
    return true;
}

static void release_map(const struct setting *setting, void *field)
{
    (void)setting;
    struct key_value **pairs = field;
    for (size_t i = 0; i < *map_count(field); i++) {
        free((*pairs)[i].key);
        free((*pairs)[i].value);
    }
    free(*pairs);
    *pairs = NULL;
    *map_count(field) = 0;
}

static size_t map_put(void *field, const char *key, const char *value)
{
    struct key_value **pairs = field;
    size_t *count = map_count(field);
    for (size_t i = 0; i < *count; i++) {
        if (strcmp((*pairs)[i].key, key) == 0) {
            free((*pairs)[i].value);
            (*pairs)[i].value = xstrdup(value);
            return *count;
        }
    }
    *pairs = xrealloc(*pairs, (*count + 1) * sizeof(**pairs));
    (*pairs)[*count] = (struct key_value){.key = xstrdup(key), .value = xstrdup(value)};
    return ++*count;
}

static void copy_map(const struct setting *setting, void *to, const void *from)
{
    (void)setting;
    const struct key_value *pairs = *(struct key_value *const *)from;
    *(struct key_value **)to = NULL;
    *map_count(to) = 0;
    for (size_t i = 0; i < map_length(from); i++)
        map_put(to, pairs[i].key, pairs[i].value);
}

/* ---- the types ------------------------------------------------------------------------------------------------- */

#define LIST .shape = SHAPE_LIST, .print = print_list, .equal = equal_list, .copy = copy_list, .release = release_list
#define MAP                                                                                                            \
    .shape = SHAPE_MAP, .put = map_put, .print = print_map, .equal = equal_map, .copy = copy_map, .release = release_map

const struct setting_type setting_command = {.noun = "a program",
                                             .hint = "write the program and its arguments, such as [python3, app.py]",
                                             .parse = parse_argument,
                                             LIST};
const struct setting_type setting_host_list = {.noun = "a host name",
                                               .hint = "write names such as farm.example.org, without http://",
                                               .parse = parse_host_item,
                                               LIST};
const struct setting_type setting_origin_list = {.noun = "an origin",
                                                 .hint = "write it such as https://farm.example.org, without a path",
                                                 .parse = parse_origin_item,
                                                 LIST};
const struct setting_type setting_environment = {.noun = "a variable's name",
                                                 .hint = "write letters, digits and _, a letter or _ first",
                                                 .parse = parse_variable_name,
                                                 MAP};
const struct setting_type setting_labels = {
    .noun = "a label's name", .hint = "write at most 63 letters, digits and ._/-", .parse = parse_label_name, MAP};
