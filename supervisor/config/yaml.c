/*
 * The schema of farm.yaml for libcyaml, made from the table of settings, and the loading by it.
 *
 * Every mapping of the file becomes an array of slots, one per key of its schema, every text stays a text: libcyaml
 * decides what the document is made of, the table decides what a value means, and both kinds of mistake are told in
 * the same words.
 */
#include "supervisor/config/yaml.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/config/yaml_locate.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

union slot {
    char *text;
    union slot *map;
    struct {
        void *items; /* char ** of texts, union slot * of mappings, one after the other */
        unsigned count;
    } list;
};

#define MAX_FIELDS 160     /* of all mappings together, ends included; checked while building */
#define MAX_FIELDS_HERE 40 /* of one mapping */
#define MAX_KEY 32

struct schema {
    cyaml_schema_field_t fields[MAX_FIELDS];
    char keys[MAX_FIELDS][MAX_KEY];
    size_t used;
    cyaml_schema_value_t argument; /* an item of a list of texts */
    cyaml_schema_value_t group;    /* an item of `groups` */
    cyaml_schema_value_t root;
};

struct farm_file {
    char *name;
    struct schema schema;
    struct yaml_tree *tree;
    union slot *root; /* NULL for an empty file */
};

static const cyaml_schema_value_t text_value = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER_NULL_STR,
    .data_size = sizeof(char),
    .string = {.min = 0, .max = CYAML_UNLIMITED},
};

/* ---- the schema ------------------------------------------------------------------------------------------------ */

static unsigned bit(enum setting_scope scope)
{
    return 1U << scope;
}

static size_t count_fields(const cyaml_schema_field_t *fields)
{
    size_t n = 0;
    while (fields[n].key)
        n++;
    return n;
}

static cyaml_schema_value_t mapping_value(const cyaml_schema_field_t *fields, enum cyaml_flag flags)
{
    return (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = flags,
        .data_size = (uint32_t)(count_fields(fields) * sizeof(union slot)),
        .mapping = {.fields = fields},
    };
}

static cyaml_schema_value_t sequence_value(const cyaml_schema_value_t *entry, unsigned max)
{
    return (cyaml_schema_value_t){
        .type = CYAML_SEQUENCE,
        .flags = CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL,
        .data_size = entry->type == CYAML_MAPPING ? entry->data_size : (uint32_t)sizeof(char *),
        .sequence = {.entry = entry, .min = 0, .max = max},
    };
}

static cyaml_schema_value_t leaf_value(struct schema *schema, const struct setting *setting)
{
    cyaml_schema_value_t value = text_value;
    if (setting->type->shape == SHAPE_LIST)
        value = sequence_value(&schema->argument, (unsigned)setting->max);
    else if (setting->type->shape == SHAPE_MAP)
        value = (cyaml_schema_value_t){.type = CYAML_IGNORE};
    value.flags |= CYAML_FLAG_OPTIONAL;
    return value;
}

/* Moves a finished mapping's fields into the schema; every field gets the slot of its place. */
static const cyaml_schema_field_t *keep_fields(struct schema *schema, const cyaml_schema_field_t *fields, size_t count)
{
    if (schema->used + count + 1 > MAX_FIELDS)
        abort(); /* the table outgrew the schema's room: any test shows it */
    cyaml_schema_field_t *kept = schema->fields + schema->used;
    for (size_t i = 0; i < count; i++) {
        char *key = schema->keys[schema->used + i];
        kept[i] = fields[i];
        kept[i].key = strncpy(key, fields[i].key, MAX_KEY - 1);
        key[strcspn(key, ".")] = '\0';
        kept[i].data_offset = (uint32_t)(i * sizeof(union slot) + offsetof(union slot, list.items));
        kept[i].count_offset = (uint32_t)(i * sizeof(union slot) + offsetof(union slot, list.count));
        kept[i].count_size = sizeof(unsigned);
    }
    schema->used += count + 1; /* the zeroed one behind them ends the list */
    return kept;
}

static bool same_key(const char *a, const char *b)
{
    size_t length = strcspn(a, ".");
    return strcspn(b, ".") == length && strncmp(a, b, length) == 0;
}

/* Collects the keys that the rows of the `scopes` have right below `prefix`, which ends with a dot or is empty. Keys
 * still point into the rows' paths here, whatever follows the next dot included. */
static size_t collect_fields(struct schema *schema, unsigned scopes, const char *prefix, size_t prefix_length,
                             cyaml_schema_field_t fields[MAX_FIELDS_HERE])
{
    size_t count = 0;
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (!(scopes & bit(row->scope)) || strncmp(row->path, prefix, prefix_length) != 0)
            continue;
        const char *key = row->path + prefix_length;
        if (count > 0 && same_key(fields[count - 1].key, key))
            continue; /* rows of one mapping stand together in the table */
        fields[count] = (cyaml_schema_field_t){.key = key};
        const char *dot = strchr(key, '.');
        if (dot) {
            cyaml_schema_field_t inner[MAX_FIELDS_HERE];
            size_t inner_count = collect_fields(schema, scopes, row->path, (size_t)(dot + 1 - row->path), inner);
            fields[count].value = mapping_value(keep_fields(schema, inner, inner_count),
                                                CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL);
        } else {
            fields[count].value = leaf_value(schema, row);
        }
        count++;
    }
    return count;
}

static const cyaml_schema_field_t *build_group(struct schema *schema, unsigned scopes)
{
    cyaml_schema_field_t fields[MAX_FIELDS_HERE];
    size_t count = collect_fields(schema, scopes, "", 0, fields);
    return keep_fields(schema, fields, count);
}

static void build_schema(struct schema *schema)
{
    schema->argument = text_value;
    schema->argument.flags = CYAML_FLAG_POINTER; /* in a list, "null" is a word like any other */
    schema->group = mapping_value(build_group(schema, bit(SCOPE_NAME) | bit(SCOPE_GROUP)), CYAML_FLAG_DEFAULT);

    cyaml_schema_field_t fields[MAX_FIELDS_HERE];
    size_t count = collect_fields(schema, bit(SCOPE_FARM), "", 0, fields);
    fields[count] = (cyaml_schema_field_t){.key = "servers"};
    fields[count++].value =
        mapping_value(build_group(schema, bit(SCOPE_GROUP)), CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL);
    fields[count] = (cyaml_schema_field_t){.key = "groups"};
    fields[count++].value = sequence_value(&schema->group, SETTINGS_MAX_GROUPS);
    schema->root = mapping_value(keep_fields(schema, fields, count), CYAML_FLAG_POINTER);
}

/* ---- loading --------------------------------------------------------------------------------------------------- */

static int read_text(const char *path, struct buffer *text, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "%s: cannot open the settings", path);
    for (;;) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, errno, "%s: cannot read the settings", path);
        if (n == 0)
            return 0;
        buffer_append(text, chunk, (size_t)n);
        if (text->length > FARM_FILE_MAX_SIZE)
            return error_set(err, EFBIG, "%s: is over 1 MB, which no settings are; give --config another file", path);
    }
}

/* Keeps the first thing that libcyaml complains about; the rest is a backtrace. */
static void __attribute__((format(printf, 3, 0)))
keep_complaint(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    char *first = ctx;
    if (level >= CYAML_LOG_ERROR && first[0] == '\0')
        vsnprintf(first, ERROR_MESSAGE_MAX / 2, fmt, args);
    first[strcspn(first, "\n")] = '\0';
}

static int load_slots(struct farm_file *file, const struct buffer *text, struct error *err)
{
    char complaint[ERROR_MESSAGE_MAX / 2] = "";
    cyaml_config_t config = {
        .log_fn = keep_complaint,
        .log_ctx = complaint,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_DEFAULT,
    };
    cyaml_data_t *data = NULL;
    cyaml_err_t code =
        cyaml_load_data((const uint8_t *)text->data, text->length, &config, &file->schema.root, &data, NULL);
    if (code != CYAML_OK)
        return error_set(err, EINVAL, "%s: %s", file->name, complaint[0] ? complaint : cyaml_strerror(code));
    file->root = data;
    return 0;
}

int farm_file_load(const char *path, struct farm_file **file, struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    struct farm_file *made = xcalloc(1, sizeof(*made));
    made->name = xstrdup(path);
    build_schema(&made->schema);

    int r = read_text(path, &text, err);
    if (r == 0)
        r = yaml_tree_new(path, text.data ? text.data : "", text.length, &made->tree, err);
    if (r == 0)
        r = yaml_tree_check(made->tree, &made->schema.root, err);
    if (r == 0 && !yaml_tree_is_empty(made->tree))
        r = load_slots(made, &text, err);
    buffer_done(&text);
    if (r < 0) {
        farm_file_free(made);
        return r;
    }
    *file = made;
    return 0;
}

void farm_file_free(struct farm_file *file)
{
    if (!file)
        return;
    if (file->root) {
        cyaml_config_t config = {.mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};
        cyaml_free(&config, &file->schema.root, file->root, 0);
    }
    yaml_tree_free(file->tree);
    free(file->name);
    free(file);
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

/* The slot of a path in an array of slots, NULL when a mapping on the way isn't there. */
static const union slot *find_slot(const cyaml_schema_field_t *fields, const union slot *slots, const char *path)
{
    while (slots) {
        size_t i = 0;
        while (fields[i].key && !same_key(fields[i].key, path))
            i++;
        if (!fields[i].key)
            return NULL;
        const char *dot = strchr(path, '.');
        if (!dot)
            return &slots[i];
        path = dot + 1;
        fields = fields[i].value.mapping.fields;
        slots = slots[i].map;
    }
    return NULL;
}

static const union slot *root_slot(const struct farm_file *file, const char *key)
{
    return find_slot(file->schema.root.mapping.fields, file->root, key);
}

size_t farm_file_group_count(const struct farm_file *file)
{
    const union slot *groups = root_slot(file, "groups");
    return groups ? groups->list.count : 0;
}

static const union slot *setting_slot(const struct farm_file *file, int group, const struct setting *setting)
{
    if (setting->scope == SCOPE_FARM)
        return root_slot(file, setting->path);
    if (group == FARM_FILE_SERVERS && setting->scope == SCOPE_GROUP) {
        char path[YAML_PATH_MAX];
        snprintf(path, sizeof(path), "servers.%s", setting->path);
        return root_slot(file, path);
    }
    if (group < 0 || (size_t)group >= farm_file_group_count(file))
        return NULL;
    const union slot *groups = root_slot(file, "groups")->list.items;
    const cyaml_schema_value_t *schema = &file->schema.group;
    return find_slot(schema->mapping.fields, groups + (size_t)group * schema->data_size / sizeof(union slot),
                     setting->path);
}

/* The whole path of a setting in the file. */
static void full_path(int group, const struct setting *setting, char path[YAML_PATH_MAX])
{
    if (setting->scope == SCOPE_FARM)
        snprintf(path, YAML_PATH_MAX, "%s", setting->path);
    else if (group == FARM_FILE_SERVERS)
        snprintf(path, YAML_PATH_MAX, "servers.%s", setting->path);
    else
        snprintf(path, YAML_PATH_MAX, "groups[%d].%s", group, setting->path);
}

bool farm_file_has(const struct farm_file *file, int group, const struct setting *setting)
{
    char path[YAML_PATH_MAX];
    const union slot *slot = setting_slot(file, group, setting);
    if (!slot)
        return false;
    if (setting->type->shape == SHAPE_SCALAR)
        return slot->text != NULL;
    /* An empty list is something else than none, and maps are not in the slots. */
    full_path(group, setting, path);
    return !yaml_tree_is_null(file->tree, path);
}

void farm_file_origin(const struct farm_file *file, int group, const struct setting *setting, char *out, size_t size)
{
    char path[YAML_PATH_MAX];
    full_path(group, setting, path);
    unsigned line = yaml_tree_line(file->tree, path);
    if (line == 0 && group >= 0) { /* said of something that the group lacks: the group's own line */
        char entry[YAML_PATH_MAX];
        snprintf(entry, sizeof(entry), "groups[%d]", group);
        line = yaml_tree_line(file->tree, entry);
    }
    snprintf(out, size, "%.200s:%u: %s", file->name, line, path);
}

struct pair_target {
    const struct setting *setting;
    void *base;
    const char *origin;
    struct error *err;
};

static int put_pair(const char *key, const char *value, void *data)
{
    const struct pair_target *target = data;
    return setting_put(target->setting, key, value, target->base, target->origin, target->err);
}

int farm_file_apply(const struct farm_file *file, int group, const struct setting *setting, void *base,
                    struct error *err)
{
    char origin[ERROR_MESSAGE_MAX];
    char path[YAML_PATH_MAX];
    farm_file_origin(file, group, setting, origin, sizeof(origin));
    full_path(group, setting, path);
    const union slot *slot = setting_slot(file, group, setting);
    if (setting->type->shape == SHAPE_LIST)
        return setting_parse_list(setting, slot->list.items, slot->list.count, base, origin, err);
    if (setting->type->shape == SHAPE_MAP) {
        struct pair_target target = {.setting = setting, .base = base, .origin = origin, .err = err};
        return yaml_tree_each_pair(file->tree, path, put_pair, &target);
    }
    return setting_parse(setting, setting->type, slot->text, base, origin, err);
}
