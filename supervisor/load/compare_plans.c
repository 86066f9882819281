/*
 * See compare_plans.h. Thresholds judge a run and don't change it; they are not compared.
 */
#include "supervisor/load/compare_plans.h"

#include "core/buffer.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <string.h>

#define VALUE_MAX 160u /* bytes of a value that are shown */

static const struct {
    const char *field;
    bool matters;
} FIELDS[] = {
    {"model", true},           {"targets", true},
    {"connections", true},     {"stages", true},
    {"method", true},          {"path", true},
    {"keep_alive", true},      {"timeout_seconds", true},
    {"requests", false},       {"duration_seconds", false},
    {"warmup_seconds", false},
};

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* "10: server-1, server-2, …" */
static void append_targets(const cJSON *targets, struct buffer *out)
{
    const cJSON *target;

    buffer_printf(out, "%d: ", cJSON_GetArraySize(targets));
    cJSON_ArrayForEach(target, targets)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(target, "name"));
        buffer_printf(out, "%s%s", target == targets->child ? "" : ", ", name ? name : "?");
    }
}

/* "1000/s for 10 s, 5000/s for 30 s" */
static void append_stages(const cJSON *stages, struct buffer *out)
{
    const cJSON *stage;

    cJSON_ArrayForEach(stage, stages)
    {
        buffer_printf(out, "%s%.15g/s", stage == stages->child ? "" : ", ", number(stage, "rate"));
        if (number(stage, "duration_seconds") > 0)
            buffer_printf(out, " for %.15g s", number(stage, "duration_seconds"));
    }
}

static void append_value(const char *field, const cJSON *value, struct buffer *out)
{
    buffer_append_text(out, ""); /* a text, even when it is empty */
    if (!value || cJSON_IsNull(value) || (cJSON_IsArray(value) && !value->child))
        buffer_append_text(out, "none");
    else if (strcmp(field, "targets") == 0)
        append_targets(value, out);
    else if (strcmp(field, "stages") == 0)
        append_stages(value, out);
    else if (cJSON_IsString(value))
        buffer_append_text(out, value->valuestring);
    else if (cJSON_IsNumber(value))
        buffer_printf(out, "%.15g", value->valuedouble);
    else
        buffer_append_text(out, cJSON_IsTrue(value) ? "true" : "false");
}

/* Cut between characters. */
static void write_value(struct json_writer *w, const char *key, struct buffer *text)
{
    size_t length = text->length;

    if (length > VALUE_MAX) {
        for (length = VALUE_MAX; length > 0 && ((unsigned char)text->data[length] & 0xc0) == 0x80;)
            length--;
        text->length = length;
        buffer_append_text(text, "…");
    }
    json_key(w, key);
    json_string_n(w, text->data, text->length);
}

void compare_plans(const cJSON *before, const cJSON *after, struct json_writer *w)
{
    json_key(w, "plan_differences");
    json_begin_array(w);
    for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++) {
        struct buffer first = BUFFER_EMPTY, second = BUFFER_EMPTY;
        append_value(FIELDS[i].field, cJSON_GetObjectItemCaseSensitive(before, FIELDS[i].field), &first);
        append_value(FIELDS[i].field, cJSON_GetObjectItemCaseSensitive(after, FIELDS[i].field), &second);
        if (first.length != second.length || memcmp(first.data, second.data, first.length) != 0) {
            json_begin_object(w);
            json_member_string(w, "field", FIELDS[i].field);
            write_value(w, "before", &first);
            write_value(w, "after", &second);
            json_member_bool(w, "matters", FIELDS[i].matters);
            json_end_object(w);
        }
        buffer_done(&first);
        buffer_done(&second);
    }
    json_end_array(w);
}
