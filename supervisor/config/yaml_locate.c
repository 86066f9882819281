/*
 * Lines, unknown keys and wrong kinds in a YAML document, on libyaml's tree. The walk follows the schema, so it goes no
 * deeper than the schema does, whatever aliases the document has.
 */
#include "supervisor/config/yaml_locate.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/config/names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_DEPTH 32 /* the schema has no use for more than 5 levels */

struct yaml_tree {
    char *name;
    yaml_document_t document;
};

/* ---- parsing --------------------------------------------------------------------------------------------------- */

/* A reader's error (bytes that are no text) comes with an offset, not with a line. */
static size_t line_of_offset(const char *text, size_t length, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && i < length; i++)
        line += text[i] == '\n';
    return line;
}

static int syntax_error(const char *name, const yaml_parser_t *parser, const char *text, size_t length,
                        struct error *err)
{
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_MEMORY_ERROR)
        return error_set(err, ENOMEM, "%s: out of memory while reading it", name);
    if (parser->error == YAML_READER_ERROR)
        return error_set(err, EINVAL, "%s:%zu: not valid YAML: %s; write UTF-8 text", name,
                         line_of_offset(text, length, parser->problem_offset), problem);
    if (strcmp(problem, "found character that cannot start any token") == 0) /* almost always a tab */
        return error_set(err, EINVAL,
                         "%s:%zu: not valid YAML: nothing can begin with this character; indent with spaces instead of "
                         "tabs, and quote text such as \"@home\"",
                         name, parser->problem_mark.line + 1);
    if (parser->context && parser->context_mark.line != parser->problem_mark.line)
        return error_set(err, EINVAL, "%s:%zu: not valid YAML: %s %s that begins in line %zu", name,
                         parser->problem_mark.line + 1, problem, parser->context, parser->context_mark.line + 1);
    return error_set(err, EINVAL, "%s:%zu: not valid YAML: %s%s%s", name, parser->problem_mark.line + 1, problem,
                     parser->context ? " " : "", parser->context ? parser->context : "");
}

/* A second document would silently be left out. */
static int refuse_second_document(yaml_parser_t *parser, const char *name, const char *text, size_t length,
                                  struct error *err)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next))
        return syntax_error(name, parser, text, length, err);
    const yaml_node_t *root = yaml_document_get_root_node(&next);
    int r = root ? error_set(err, EINVAL, "%s:%zu: a second document begins here; settings are one document", name,
                             root->start_mark.line + 1)
                 : 0;
    yaml_document_delete(&next);
    return r;
}

/* libyaml's time and stack grow faster than the nesting does, so that is looked at first, event by event. What is not
 * YAML at all is for the second reading to tell. */
static int refuse_deep_nesting(const char *name, const char *text, size_t length, struct error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_set(err, ENOMEM, "%s: out of memory while reading it", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);

    int r = 0;
    bool more = true;
    yaml_event_t event;
    for (int depth = 0; more && r == 0 && yaml_parser_parse(&parser, &event); yaml_event_delete(&event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT)
            depth++;
        else if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
            depth--;
        if (depth > MAX_DEPTH)
            r = error_set(err, EINVAL, "%s:%zu: nested over %d levels deep; settings are at most 5", name,
                          event.start_mark.line + 1, MAX_DEPTH);
    }
    yaml_parser_delete(&parser);
    return r;
}

int yaml_tree_new(const char *name, const char *text, size_t length, struct yaml_tree **tree, struct error *err)
{
    int r = refuse_deep_nesting(name, text, length, err);
    if (r < 0)
        return r;

    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_set(err, ENOMEM, "%s: out of memory while reading it", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);

    yaml_document_t document;
    if (!yaml_parser_load(&parser, &document)) {
        r = syntax_error(name, &parser, text, length, err);
        yaml_parser_delete(&parser);
        return r;
    }
    r = yaml_document_get_root_node(&document) ? refuse_second_document(&parser, name, text, length, err) : 0;
    yaml_parser_delete(&parser);
    if (r < 0) {
        yaml_document_delete(&document);
        return r;
    }
    struct yaml_tree *made = xcalloc(1, sizeof(*made));
    made->name = xstrdup(name);
    made->document = document;
    *tree = made;
    return 0;
}

void yaml_tree_free(struct yaml_tree *tree)
{
    if (!tree)
        return;
    yaml_document_delete(&tree->document);
    free(tree->name);
    free(tree);
}

/* ---- walking --------------------------------------------------------------------------------------------------- */

/* libyaml's accessors take a document that they don't change without const. */
static yaml_node_t *node_at(const struct yaml_tree *tree, int index)
{
    return yaml_document_get_node((yaml_document_t *)&tree->document, index);
}

static yaml_node_t *root_of(const struct yaml_tree *tree)
{
    return yaml_document_get_root_node((yaml_document_t *)&tree->document);
}

static const char *text_of(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static bool is_null(const yaml_node_t *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(text_of(node), words[i]) == 0)
            return true;
    }
    return false;
}

bool yaml_tree_is_empty(const struct yaml_tree *tree)
{
    const yaml_node_t *root = root_of(tree);
    return !root || is_null(root);
}

/* The pair of a mapping whose key is the first `length` letters of `key`. */
static const yaml_node_pair_t *find_pair(const struct yaml_tree *tree, const yaml_node_t *mapping, const char *key,
                                         size_t length)
{
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *node = node_at(tree, pair->key);
        if (node->type == YAML_SCALAR_NODE && strlen(text_of(node)) == length &&
            strncmp(text_of(node), key, length) == 0)
            return pair;
    }
    return NULL;
}

/* Follows a path; `key` gets the node whose line a reader should look at. */
static yaml_node_t *follow(const struct yaml_tree *tree, const char *path, const yaml_node_t **key)
{
    yaml_node_t *node = root_of(tree);
    *key = node;
    while (node && *path) {
        if (*path == '[' && node->type == YAML_SEQUENCE_NODE) {
            char *end;
            unsigned long index = strtoul(path + 1, &end, 10);
            const yaml_node_item_t *items = node->data.sequence.items.start;
            if (index >= (unsigned long)(node->data.sequence.items.top - items))
                return NULL;
            *key = node = node_at(tree, items[index]);
            path = *end == ']' ? end + 1 : end;
        } else if (node->type == YAML_MAPPING_NODE) {
            size_t length = strcspn(path, ".[");
            const yaml_node_pair_t *pair = find_pair(tree, node, path, length);
            if (!pair)
                return NULL;
            *key = node_at(tree, pair->key);
            node = node_at(tree, pair->value);
            path += length;
        } else {
            return NULL;
        }
        path += *path == '.';
    }
    return node;
}

unsigned yaml_tree_line(const struct yaml_tree *tree, const char *path)
{
    const yaml_node_t *key;
    const yaml_node_t *node = follow(tree, path, &key);
    return node ? (unsigned)key->start_mark.line + 1 : 0;
}

bool yaml_tree_is_null(const struct yaml_tree *tree, const char *path)
{
    const yaml_node_t *key;
    const yaml_node_t *node = follow(tree, path, &key);
    return !node || is_null(node);
}

int yaml_tree_each_pair(const struct yaml_tree *tree, const char *path,
                        int (*each)(const char *key, const char *value, void *data), void *data)
{
    const yaml_node_t *key;
    const yaml_node_t *mapping = follow(tree, path, &key);
    if (!mapping || mapping->type != YAML_MAPPING_NODE)
        return 0;
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *value = node_at(tree, pair->value);
        int r = each(text_of(node_at(tree, pair->key)), is_null(value) ? "" : text_of(value), data);
        if (r != 0)
            return r;
    }
    return 0;
}

/* ---- holding a document to a schema ---------------------------------------------------------------------------- */

struct place {
    const struct yaml_tree *tree;
    const yaml_node_t *key; /* whose line is told */
    char path[YAML_PATH_MAX];
};

static int refuse(const struct place *place, struct error *err, const char *text)
{
    return error_set(err, EINVAL, "%s:%zu: %s%s%s", place->tree->name, place->key->start_mark.line + 1, place->path,
                     place->path[0] ? ": " : "", text);
}

/* The place of a key or an item below another. Paths are cut, never overrun; a strange key can be of any length. */
static struct place below(const struct place *place, const yaml_node_t *key, const char *name, long index)
{
    struct place inner = {.tree = place->tree, .key = key};
    if (name) {
        snprintf(inner.path, sizeof(inner.path), "%.100s%s%.40s", place->path, place->path[0] ? "." : "", name);
        for (char *c = inner.path; *c; c++)
            *c = iscntrl((unsigned char)*c) ? '?' : *c;
    } else {
        snprintf(inner.path, sizeof(inner.path), "%.100s[%ld]", place->path, index);
    }
    return inner;
}

static int unknown_key(const struct place *place, const cyaml_schema_field_t *fields, const char *key,
                       struct error *err)
{
    struct names_nearest nearest = NAMES_NEAREST_INIT(key);
    struct buffer text = BUFFER_EMPTY;
    for (const cyaml_schema_field_t *field = fields; field->key; field++)
        names_nearest_offer(&nearest, field->key);
    if (nearest.best) {
        buffer_printf(&text, "unknown key; did you mean %s?", nearest.best);
    } else {
        buffer_append_text(&text, "unknown key; allowed here: ");
        for (const cyaml_schema_field_t *field = fields; field->key; field++)
            buffer_printf(&text, "%s%s", field == fields ? "" : ", ", field->key);
    }
    int r = refuse(place, err, text.data);
    buffer_done(&text);
    return r;
}

static int check_text(const struct place *place, const yaml_node_t *node, struct error *err)
{
    if (node->type != YAML_SCALAR_NODE)
        return refuse(place, err,
                      node->type == YAML_SEQUENCE_NODE ? "must be a single value, not a list"
                                                       : "must be a single value, not keys and values");
    if (strlen(text_of(node)) != node->data.scalar.length)
        return refuse(place, err, "has a NUL byte in it");
    return 0;
}

/* What every mapping must be: keys that are texts, each once. */
static int check_key(const struct place *inner, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
                     struct error *err)
{
    const yaml_node_t *key = node_at(inner->tree, pair->key);
    int r = check_text(inner, key, err);
    if (r < 0)
        return r;
    const yaml_node_pair_t *first = find_pair(inner->tree, mapping, text_of(key), key->data.scalar.length);
    if (first == pair)
        return 0;
    char text[80];
    snprintf(text, sizeof(text), "is set twice, first in line %zu",
             node_at(inner->tree, first->key)->start_mark.line + 1);
    return refuse(inner, err, text);
}

static int check_value(const struct place *place, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                       struct error *err);

/* `fields` NULL: any keys, whose values are texts. */
static int check_mapping(const struct place *place, const yaml_node_t *node, const cyaml_schema_field_t *fields,
                         struct error *err)
{
    if (node->type != YAML_MAPPING_NODE)
        return refuse(place, err, "must be keys and values, such as `key: value`");
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = node_at(place->tree, pair->key);
        const yaml_node_t *value = node_at(place->tree, pair->value);
        struct place inner = below(place, key, key->type == YAML_SCALAR_NODE ? text_of(key) : "?", 0);
        int r = check_key(&inner, node, pair, err);
        if (r < 0)
            return r;
        const cyaml_schema_field_t *field = fields;
        while (field && field->key && strcmp(field->key, text_of(key)) != 0)
            field++;
        if (!field)
            r = check_text(&inner, value, err);
        else if (!field->key)
            r = unknown_key(&inner, fields, text_of(key), err);
        else if (!is_null(value))
            r = check_value(&inner, value, &field->value, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_sequence(const struct place *place, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                          struct error *err)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return refuse(place, err,
                      schema->sequence.entry->type == CYAML_MAPPING ? "must be a list, each entry begun with `- `"
                                                                    : "must be a list, such as [one, two]");
    long count = node->data.sequence.items.top - node->data.sequence.items.start;
    if (count > (long)schema->sequence.max) {
        char text[80];
        snprintf(text, sizeof(text), "has %ld entries; allowed up to %u", count, schema->sequence.max);
        return refuse(place, err, text);
    }
    for (long i = 0; i < count; i++) {
        const yaml_node_t *item = node_at(place->tree, node->data.sequence.items.start[i]);
        struct place inner = below(place, item, NULL, i);
        int r = check_value(&inner, item, schema->sequence.entry, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_value(const struct place *place, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                       struct error *err)
{
    if (schema->type == CYAML_MAPPING)
        return check_mapping(place, node, schema->mapping.fields, err);
    if (schema->type == CYAML_IGNORE)
        return check_mapping(place, node, NULL, err);
    if (schema->type == CYAML_SEQUENCE)
        return check_sequence(place, node, schema, err);
    return check_text(place, node, err);
}

int yaml_tree_check(const struct yaml_tree *tree, const cyaml_schema_value_t *schema, struct error *err)
{
    const yaml_node_t *root = root_of(tree);
    struct place place = {.tree = tree, .key = root, .path = ""};
    return yaml_tree_is_empty(tree) ? 0 : check_value(&place, root, schema, err);
}
