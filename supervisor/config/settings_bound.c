/*
 * The settings that a running farmd keeps to, whatever the file says by now.
 */
#include "supervisor/config/settings_table.h"

#include "core/memory.h"

#include <errno.h>
#include <string.h>

void settings_keep_bound(struct settings *settings, const struct settings *in_force, struct buffer *names)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (!row->bound)
            continue;
        void *field = setting_field(row, settings);
        const void *kept = setting_field_const(row, in_force);
        if (row->type->equal(row, field, kept))
            continue;
        buffer_printf(names, "%s%s", names->length > 0 ? ", " : "", row->path);
        if (row->type->release)
            row->type->release(row, field);
        if (!setting_is_unset(row, kept))
            row->type->copy(row, field, kept);
    }
}

void settings_print_bound(const struct settings *settings, struct buffer *out)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (!row->bound)
            continue;
        buffer_printf(out, "%s: ", row->path);
        if (!setting_is_unset(row, setting_field_const(row, settings)))
            row->type->print(row, setting_field_const(row, settings), out);
        buffer_append_char(out, '\n');
    }
}

/* The line of `text` that begins as `line` does, up to its value; NULL: none. Neither ends with its newline. */
static char *same_setting(const char *line, const char *text)
{
    size_t key = strcspn(line, ":") + 1;
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
        if (strncmp(at, line, key) == 0)
            return xstrndup(at, strcspn(at, "\n"));
    }
    return NULL;
}

int settings_check_bound(const struct settings *settings, const char *printed, struct error *err)
{
    struct buffer own = BUFFER_EMPTY;
    settings_print_bound(settings, &own);
    int code = 0;
    for (const char *at = printed; *at && code == 0; at += strcspn(at, "\n"), at += *at == '\n') {
        cleanup_free char *line = xstrndup(at, strcspn(at, "\n"));
        cleanup_free char *now = same_setting(line, own.data);
        if (now && strcmp(now, line) != 0)
            code = error_set(err, EINVAL,
                             "the settings say %s, the farm runs with %s\n  fix: put it back, or stop the "
                             "farm and start it anew",
                             now, line);
    }
    buffer_done(&own);
    return code;
}
