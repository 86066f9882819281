/*
 * See compare_plans.h. Whatever the plans say differently, whichever members they have: what is new in them is compared too.
 */
#include "supervisor/load/compare_plans.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <string.h>

static const char *const HARMLESS[] = {"thresholds", "requests", "duration_seconds", "warmup_seconds"};

static void write_value(struct json_writer *w, const char *key, const cJSON *value)
{
    char *text = value != NULL ? cJSON_PrintUnformatted(value) : NULL;

    json_key(w, key);
    if (text != NULL)
        json_raw(w, text, strlen(text));
    else
        json_null(w);
    cJSON_free(text);
}

static void compare_field(struct json_writer *w, const char *field, const cJSON *a, const cJSON *b,
                          struct buffer *matters)
{
    bool harmless = false;

    if (a != NULL && b != NULL && cJSON_Compare(a, b, true))
        return;
    json_begin_object(w);
    json_member_string(w, "field", field);
    write_value(w, "a", a);
    write_value(w, "b", b);
    json_end_object(w);
    for (size_t i = 0; i < ARRAY_SIZE(HARMLESS); i++)
        harmless = harmless || strcmp(field, HARMLESS[i]) == 0;
    if (!harmless)
        buffer_printf(matters, "%s%.40s", matters->length > 0 ? ", " : "", field);
}

void compare_plans(const cJSON *a, const cJSON *b, struct json_writer *w, struct buffer *matters)
{
    const cJSON *item;

    json_key(w, "plan_changes");
    json_begin_array(w);
    cJSON_ArrayForEach(item, a)
        compare_field(w, item->string, item, cJSON_GetObjectItemCaseSensitive(b, item->string), matters);
    cJSON_ArrayForEach(item, b)
    {
        if (!cJSON_GetObjectItemCaseSensitive(a, item->string))
            compare_field(w, item->string, NULL, item, matters);
    }
    json_end_array(w);
}
