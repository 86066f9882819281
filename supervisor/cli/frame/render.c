/*
 * Written by hand rather than by cJSON_Print, so that all three forms write the same number in the same way.
 */
#include "supervisor/cli/frame/render.h"

#include "core/json.h"
#include "supervisor/config/yaml_text.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#define EXACT_MAX 9007199254740992.0 /* whole numbers up to here are exact in a double */

static void append_number(struct buffer *out, double value)
{
    if (value == trunc(value) && fabs(value) <= EXACT_MAX)
        buffer_printf(out, "%.0f", value);
    else
        buffer_printf(out, "%.15g", value);
}

static void append_string(struct buffer *out, const char *text)
{
    struct json_writer w = json_writer_to(out);
    json_string(&w, text);
}

static bool is_empty(const cJSON *item)
{
    return (cJSON_IsArray(item) || cJSON_IsObject(item)) && !item->child;
}

static void append_scalar(struct buffer *out, const cJSON *item, bool yaml)
{
    if (cJSON_IsString(item) && yaml)
        yaml_write_text(out, item->valuestring);
    else if (cJSON_IsString(item))
        append_string(out, item->valuestring);
    else if (cJSON_IsNumber(item))
        append_number(out, item->valuedouble);
    else if (cJSON_IsBool(item))
        buffer_append_text(out, cJSON_IsTrue(item) ? "true" : "false");
    else if (cJSON_IsArray(item))
        buffer_append_text(out, "[]");
    else
        buffer_append_text(out, cJSON_IsObject(item) ? "{}" : "null");
}

/* --- JSON --- */

static void new_line(struct buffer *out, int level)
{
    if (level >= 0)
        buffer_printf(out, "\n%*s", level * 2, "");
}

/* `level` negative: on one line. */
static void append_json(struct buffer *out, const cJSON *item, int level)
{
    if (!item->child) {
        append_scalar(out, item, false);
        return;
    }
    int deeper = level < 0 ? level : level + 1;
    bool object = cJSON_IsObject(item);
    buffer_append_char(out, object ? '{' : '[');
    for (const cJSON *child = item->child; child; child = child->next) {
        new_line(out, deeper);
        if (object) {
            append_string(out, child->string);
            buffer_append_text(out, level < 0 ? ":" : ": ");
        }
        append_json(out, child, deeper);
        if (child->next)
            buffer_append_char(out, ',');
    }
    new_line(out, level);
    buffer_append_char(out, object ? '}' : ']');
}

void render_json(struct buffer *out, const cJSON *item)
{
    append_json(out, item, 0);
    buffer_append_char(out, '\n');
}

void render_json_line(struct buffer *out, const cJSON *item)
{
    append_json(out, item, -1);
}

/* --- YAML --- */

static bool is_scalar(const cJSON *item)
{
    return (!cJSON_IsArray(item) && !cJSON_IsObject(item)) || is_empty(item);
}

/* `first`: the first line goes on behind what is there already ("- "). */
static void append_yaml(struct buffer *out, const cJSON *item, int level, bool first)
{
    if (is_scalar(item)) {
        append_scalar(out, item, true);
        buffer_append_char(out, '\n');
        return;
    }
    for (const cJSON *child = item->child; child; child = child->next) {
        if (!first)
            buffer_printf(out, "%*s", level * 2, "");
        first = false;
        if (cJSON_IsArray(item)) {
            buffer_append_text(out, "- ");
            append_yaml(out, child, level + 1, true);
            continue;
        }
        yaml_write_text(out, child->string);
        buffer_append_char(out, ':');
        buffer_append_char(out, is_scalar(child) ? ' ' : '\n');
        append_yaml(out, child, level + 1, false);
    }
}

void render_yaml(struct buffer *out, const cJSON *item)
{
    append_yaml(out, item, 0, false);
}
