/*
 * See wish.h.
 */
#include "supervisor/cli/top/wish.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum kind { KIND_NUMBER, KIND_TIME /* to seconds */, KIND_TEXT };

struct field {
    const char *name;
    enum kind kind;
};

static const struct field limits[] = {
    {"cpu", KIND_NUMBER},  {"memory", KIND_TEXT}, {"cpu_reservation", KIND_NUMBER}, {"memory_reservation", KIND_TEXT},
    {"pids", KIND_NUMBER}, {NULL, KIND_TEXT}};

static const struct field load[] = {{"rate", KIND_NUMBER},     {"duration", KIND_TIME}, {"connections", KIND_NUMBER},
                                    {"requests", KIND_NUMBER}, {"warmup", KIND_TIME},   {"path", KIND_TEXT},
                                    {"method", KIND_TEXT},     {NULL, KIND_TEXT}};

static void write_number(struct json_writer *w, double number)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%.10g", number);
    json_raw(w, text, (size_t)length);
}

static int write_value(const struct field *field, const char *value, struct json_writer *w, struct error *err)
{
    double number = 0;
    int64_t ms = 0;
    switch (field->kind) {
    case KIND_NUMBER:
        if (units_parse_double(value, 0, 1e15, &number) < 0)
            return error_set(err, EINVAL, "%s=%.40s: write a number", field->name, value);
        break;
    case KIND_TIME:
        if (units_parse_duration(value, &ms) < 0)
            return error_set(err, EINVAL, "%s=%.40s: write a time, as 10s or 5m", field->name, value);
        number = (double)ms / (double)MS_PER_SECOND;
        break;
    case KIND_TEXT:
        break;
    }
    json_key(w, field->name);
    if (field->kind == KIND_TEXT)
        json_string(w, value);
    else
        write_number(w, number);
    return 0;
}

/* "cpu=, memory= or pids=" */
static int unknown(const struct field *fields, const char *word, struct error *err)
{
    char names[160] = "";
    for (const struct field *field = fields; field->name; field++) {
        size_t used = strlen(names);
        const char *separator = field == fields ? "" : field[1].name ? ", " : " or ";
        snprintf(names + used, sizeof(names) - used, "%s%s=", separator, field->name);
    }
    return error_set(err, EINVAL, "%.40s: write %s", word, names);
}

/* How many words there were, or a negative code. */
static int read_words(const char *text, const struct field *fields, struct json_writer *w, struct error *err)
{
    cleanup_free char *copy = xstrdup(text);
    char *rest = NULL;
    int count = 0;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest), count++) {
        size_t length = strcspn(word, "=");
        const struct field *field = fields;
        while (field->name && (strlen(field->name) != length || strncmp(field->name, word, length) != 0))
            field++;
        if (!field->name || word[length] != '=' || word[length + 1] == '\0')
            return unknown(fields, word, err);
        if (write_value(field, word + length + 1, w, err) < 0)
            return -EINVAL;
    }
    return count;
}

int wish_limits(const char *text, struct json_writer *w, struct error *err)
{
    int count = read_words(text, limits, w, err);
    return count == 0 ? error_set(err, EINVAL, "say what to set, as in " WISH_LIMITS_EXAMPLE) : count < 0 ? count : 0;
}

int wish_load(const char *text, struct json_writer *w, struct error *err)
{
    int count = read_words(text, load, w, err);
    return count < 0 ? count : 0;
}
