/*
 * One setting's value: from a text into its member, with the sentence that says why a text is refused; and the copying
 * and freeing of a whole group by its rows of the table.
 */
#include "supervisor/config/settings_table.h"

#include "core/memory.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *setting_field(const struct setting *setting, void *base)
{
    return (char *)base + setting->offset;
}

const void *setting_field_const(const struct setting *setting, const void *base)
{
    return (const char *)base + setting->offset;
}

/* A refused text as a message may show it: short, and nothing that would act on a terminal. */
#define SHOWN_MAX 60
static void show(char out[SHOWN_MAX + 4], const char *text)
{
    size_t n = 0;
    for (; n < SHOWN_MAX && text[n]; n++)
        out[n] = iscntrl((unsigned char)text[n]) ? '?' : text[n];
    /* Not in the middle of a character of several bytes. */
    while (text[n] && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    snprintf(out + n, 4, "%s", text[n] ? "..." : "");
}

static int refuse(const struct setting *setting, const struct setting_type *type, int code, const char *text,
                  const char *origin, struct error *err)
{
    char shown[SHOWN_MAX + 4];
    show(shown, text);
    const char *quote = type->secret ? "" : "\"";
    const char *subject = type->secret ? "the value" : shown;
    if (code == -ERANGE)
        return error_set(err, ERANGE, "%s: %s%s%s is out of range; %s", origin, quote, subject, quote,
                         setting->allowed);
    return error_set(err, EINVAL, "%s: %s%s%s is not %s; %s", origin, quote, subject, quote, type->noun,
                     type->hint ? type->hint : setting->allowed);
}

int setting_parse_list(const struct setting *setting, char *const *items, size_t count, void *base, const char *origin,
                       struct error *err)
{
    if (count == 0 && setting->min > 0)
        return error_set(err, EINVAL, "%s: is empty; %s", origin, setting->type->hint);
    if ((double)count > setting->max)
        return error_set(err, ERANGE, "%s: has %zu entries; %s", origin, count, setting->allowed);
    char **list = NULL;
    for (size_t i = 0; i < count; i++) {
        int r = setting->type->parse(setting, items[i], &list);
        if (r < 0) {
            setting->type->release(setting, &list);
            return refuse(setting, setting->type, r, items[i], origin, err);
        }
    }
    setting->type->release(setting, setting_field(setting, base));
    *(char ***)setting_field(setting, base) = list;
    return 0;
}

static int parse_words(const struct setting *setting, const char *text, void *base, const char *origin,
                       struct error *err)
{
    cleanup_free char *copy = xstrdup(text);
    char **words = NULL;
    size_t count = 0;
    char *rest = copy;
    for (char *word; (word = strsep(&rest, ","));) {
        word += strspn(word, " ");
        for (size_t n = strlen(word); n > 0 && word[n - 1] == ' '; n--)
            word[n - 1] = '\0';
        words = xrealloc(words, (count + 1) * sizeof(*words));
        words[count++] = word;
    }
    int r = setting_parse_list(setting, words, count, base, origin, err);
    free(words);
    return r;
}

int setting_parse(const struct setting *setting, const struct setting_type *type, const char *text, void *base,
                  const char *origin, struct error *err)
{
    if (type->shape == SHAPE_LIST)
        return parse_words(setting, text, base, origin, err);
    int r = type->parse(setting, text, setting_field(setting, base));
    return r < 0 ? refuse(setting, type, r, text, origin, err) : 0;
}

int setting_put(const struct setting *setting, const char *key, const char *value, void *base, const char *origin,
                struct error *err)
{
    int r = setting->type->parse(setting, key, setting_field(setting, base));
    if (r < 0)
        return refuse(setting, setting->type, r, key, origin, err);
    size_t length = setting->type->put(setting_field(setting, base), key, value);
    if ((double)length > setting->max)
        return error_set(err, ERANGE, "%s: has too many entries; %s", origin, setting->allowed);
    return 0;
}

/* The rows that are members of struct group_settings. */
static bool is_of_group(const struct setting *setting)
{
    return setting->scope == SCOPE_GROUP || setting->scope == SCOPE_NAME;
}

void settings_group_copy(struct group_settings *to, const struct group_settings *from)
{
    *to = (struct group_settings){0};
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (is_of_group(row))
            row->type->copy(row, setting_field(row, to), setting_field_const(row, from));
    }
}

static void release_rows(void *base, bool of_group)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        if (is_of_group(row) == of_group && row->type->release)
            row->type->release(row, setting_field(row, base));
    }
}

void settings_group_release(struct group_settings *group)
{
    release_rows(group, true);
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->group_count; i++)
        settings_group_release(&settings->groups[i]);
    free(settings->groups);
    release_rows(settings, false);
    free(settings);
}

bool setting_is_unset(const struct setting *row, const void *field)
{
    if (row->type->shape == SHAPE_MAP)
        return *(struct key_value *const *)field == NULL;
    return row->type->release && *(void *const *)field == NULL;
}

/* ---- comparing -------------------------------------------------------------------------------------------------- */

unsigned settings_total_servers(const struct settings *settings)
{
    unsigned total = 0;
    for (size_t i = 0; i < settings->group_count; i++)
        total += settings->groups[i].count;
    return total;
}

bool limits_equal(const struct limits *a, const struct limits *b)
{
    return a->cpu == b->cpu && a->memory == b->memory && a->cpu_reservation == b->cpu_reservation &&
           a->memory_reservation == b->memory_reservation && a->pids == b->pids;
}

/* What a process is started with. `count` is not among them, though a process is told it: scaling touches no other
 * server. */
static const enum setting_id process_ids[] = {SETTING_BASE_PORT,  SETTING_COMMAND,     SETTING_USER,
                                              SETTING_ACCESS_LOG, SETTING_ENVIRONMENT, SETTING_IMAGE};

bool group_settings_same_process(const struct group_settings *a, const struct group_settings *b)
{
    for (size_t i = 0; i < ARRAY_SIZE(process_ids); i++) {
        const struct setting *row = &settings_table[process_ids[i]];
        if (!row->type->equal(row, setting_field_const(row, a), setting_field_const(row, b)))
            return false;
    }
    return true;
}

uint64_t group_settings_fingerprint(const struct group_settings *group)
{
    struct buffer text = BUFFER_EMPTY;
    for (size_t i = 0; i < ARRAY_SIZE(process_ids); i++) {
        const struct setting *row = &settings_table[process_ids[i]];
        const void *field = setting_field_const(row, group);
        bool unset = setting_is_unset(row, field);
        if (unset && process_ids[i] == SETTING_IMAGE)
            continue; /* what is written down of servers is older than this setting */
        if (!unset)
            row->type->print(row, field, &text);
        buffer_append_char(&text, '\n');
    }
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    buffer_done(&text);
    return hash;
}
