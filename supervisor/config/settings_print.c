/*
 * The effective settings as a farm.yaml: every setting, whoever set it, in the order of the table. Reading the page back
 * gives the same farm, except for the token, which is not shown.
 */
#include "supervisor/config/settings_table.h"

#include "supervisor/config/yaml_text.h"

#include <string.h>

/* Opens the mappings that `path` is in and `before` was not; returns where in `path` its last key begins. */
static const char *open_mappings(struct buffer *out, const char *path, const char *before, const char *indent,
                                 unsigned *depth)
{
    const char *key = path;
    bool same = true;
    *depth = 0;
    for (const char *dot; (dot = strchr(key, '.')); key = dot + 1) {
        size_t length = (size_t)(dot + 1 - path);
        same = same && strncmp(before, path, length) == 0;
        if (!same)
            buffer_printf(out, "%s%*s%.*s:\n", indent, (int)(2 * *depth), "", (int)(dot - key), key);
        ++*depth;
    }
    return key;
}

static void print_rows(struct buffer *out, const void *base, enum setting_scope scope, const char *indent)
{
    const char *before = "";
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (row->scope != scope || setting_is_unset(row, setting_field_const(row, base)))
            continue;
        unsigned depth;
        const char *key = open_mappings(out, row->path, before, indent, &depth);
        before = row->path;
        buffer_printf(out, "%s%*s", indent, (int)(2 * depth), "");
        if (row->type->secret) {
            buffer_printf(out, "# %s: (set)\n", key);
            continue;
        }
        buffer_printf(out, "%s: ", key);
        row->type->print(row, setting_field_const(row, base), out);
        buffer_append_char(out, '\n');
    }
}

void settings_print(const struct settings *settings, struct buffer *out)
{
    if (settings->group_count == 1 && strcmp(settings->groups[0].name, "default") == 0) {
        buffer_append_text(out, "servers:\n");
        print_rows(out, &settings->groups[0], SCOPE_GROUP, "  ");
    } else {
        buffer_append_text(out, "groups:\n");
        for (size_t i = 0; i < settings->group_count; i++) {
            buffer_append_text(out, "  - name: ");
            yaml_write_text(out, settings->groups[i].name);
            buffer_append_char(out, '\n');
            print_rows(out, &settings->groups[i], SCOPE_GROUP, "    ");
        }
    }
    print_rows(out, settings, SCOPE_FARM, "");
}

/* --- as a .env file --- */

static void print_variable(struct buffer *out, const struct setting *row, const void *field)
{
    buffer_printf(out, "%s=", row->variable);
    if (row->variable_type == &setting_milliseconds) {
        buffer_printf(out, "%lld", (long long)*(const int64_t *)field);
    } else if (row->type->shape == SHAPE_LIST) {
        char *const *items = *(char *const *const *)field;
        for (size_t i = 0; items && items[i]; i++)
            buffer_printf(out, "%s%s", i ? "," : "", items[i]);
    } else {
        row->type->print(row, field, out);
    }
    buffer_append_char(out, '\n');
}

static void print_variables(struct buffer *out, const void *base, enum setting_scope scope)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (row->scope != scope || !row->variable || setting_is_unset(row, setting_field_const(row, base)))
            continue;
        if (row->type->secret)
            buffer_printf(out, "# %s is set, but not shown\n", row->variable);
        else
            print_variable(out, row, setting_field_const(row, base));
    }
}

void settings_print_environment(const struct settings *settings, struct buffer *out)
{
    if (settings->group_count > 1)
        buffer_printf(out, "# of the first of %zu groups; the others need farm.yaml\n", settings->group_count);
    print_variables(out, &settings->groups[0], SCOPE_GROUP);
    print_variables(out, settings, SCOPE_FARM);
}
