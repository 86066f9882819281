/*
 * See view.h. The keys are those of the schema Server in docs/openapi.json.
 */
#include "supervisor/cli/frame/view.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/text.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BUSY_PERCENT 80 /* from here on a figure is worth a look, as a degraded server is */

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

double view_number(const cJSON *object, const char *key, double fallback)
{
    const cJSON *item = get(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

const char *view_text(const cJSON *object, const char *key)
{
    const cJSON *item = get(object, key);
    return cJSON_IsString(item) && item->valuestring[0] != '\0' ? item->valuestring : "-";
}

int64_t view_time(const cJSON *object, const char *key)
{
    const cJSON *item = get(object, key);
    return cJSON_IsString(item) ? text_parse_time(item->valuestring) : 0;
}

/* --- units --- */

static const char *unknown(char text[VIEW_TEXT])
{
    snprintf(text, VIEW_TEXT, "-");
    return text;
}

const char *view_percent(const cJSON *object, const char *key, char text[VIEW_TEXT])
{
    double value = view_number(object, key, NAN);
    if (isnan(value))
        return unknown(text);
    snprintf(text, VIEW_TEXT, "%.0f%%", value);
    return text;
}

const char *view_format_rate(double value, char text[VIEW_TEXT])
{
    if (isnan(value))
        return unknown(text);
    if (value >= 99950)
        snprintf(text, VIEW_TEXT, "%.0fk", value / 1000);
    else if (value >= 9995)
        snprintf(text, VIEW_TEXT, "%.1fk", value / 1000);
    else
        snprintf(text, VIEW_TEXT, value > 0 && value < 10 ? "%.1f" : "%.0f", value);
    return text;
}

const char *view_rate(const cJSON *object, const char *key, char text[VIEW_TEXT])
{
    return view_format_rate(view_number(object, key, NAN), text);
}

const char *view_count(const cJSON *object, const char *key, char text[VIEW_TEXT])
{
    double value = view_number(object, key, NAN);
    if (isnan(value))
        return unknown(text);
    snprintf(text, VIEW_TEXT, "%.0f", value);
    return text;
}

const char *view_ms(const cJSON *object, const char *key, char text[VIEW_TEXT])
{
    double value = view_number(object, key, NAN);
    if (isnan(value))
        return unknown(text);
    snprintf(text, VIEW_TEXT,
             value < 10     ? "%.2f ms"
             : value < 1000 ? "%.0f ms"
                            : "%.1f s",
             value < 1000 ? value : value / 1000);
    return text;
}

/* "1.3" of megabytes, without a unit. */
static void format_mb(char out[32], double mb)
{
    snprintf(out, 32, mb < 10 ? "%.1f" : "%.0f", mb);
}

/* --- a server --- */

static bool is_status(const cJSON *server, const char *status)
{
    return strcmp(view_text(server, "status"), status) == 0;
}

const char *view_health(const cJSON *server)
{
    return is_status(server, "running") ? view_text(server, "health") : "-";
}

const char *view_memory(const cJSON *server, char text[VIEW_TEXT])
{
    double used = view_number(server, "memory_mb", NAN), limit = view_number(get(server, "limits"), "memory_mb", NAN);
    char part[32], whole[32];
    if (isnan(used))
        return unknown(text);
    format_mb(part, used);
    if (isnan(limit)) {
        snprintf(text, VIEW_TEXT, "%s MB", part);
        return text;
    }
    format_mb(whole, limit);
    snprintf(text, VIEW_TEXT, "%s of %s MB", part, whole);
    return text;
}

const char *view_latency(const cJSON *server, const char *key, char text[VIEW_TEXT])
{
    return view_ms(get(server, "latency"), key, text);
}

const char *view_labels(const cJSON *server, char text[VIEW_TEXT])
{
    const cJSON *label;
    size_t length = 0;
    cJSON_ArrayForEach(label, get(server, "labels"))
    {
        int n = snprintf(text + length, VIEW_TEXT - length, "%s%s=%s", length ? "," : "", label->string,
                         cJSON_IsString(label) ? label->valuestring : "");
        length += n > 0 && (size_t)n < VIEW_TEXT - length ? (size_t)n : 0;
    }
    text[length] = '\0';
    return length > 0 ? text : unknown(text);
}

static void format_gap(char out[24], int64_t from_us, int64_t to_us)
{
    int64_t ms = (to_us - from_us) / (US_PER_SECOND / MS_PER_SECOND);
    units_format_duration(out, ms > 0 ? ms : 0);
}

/* "stopped on request" beside the state "stopped" is "on request". */
static const char *without_state(const cJSON *server, const char *why)
{
    const char *status = view_text(server, "status");
    size_t length = strlen(status);
    return strncmp(why, status, length) == 0 && why[length] == ' ' ? why + length + 1 : why;
}

const char *view_since(const cJSON *server, int64_t now_us, char text[VIEW_TEXT])
{
    char gap[24];
    int64_t next_us = view_time(server, "next_restart_at"), ended_us = view_time(get(server, "last_exit"), "at");
    if (is_status(server, "running")) {
        units_format_duration(text, (int64_t)(view_number(server, "uptime_seconds", 0) * MS_PER_SECOND));
        return text;
    }
    const char *why = without_state(server, view_text(server, "error"));
    if (next_us > 0) {
        format_gap(gap, now_us, next_us);
        snprintf(text, VIEW_TEXT, "%s, next try in %s", why, gap);
    } else if (ended_us > 0 && (is_status(server, "stopped") || is_status(server, "failed"))) {
        format_gap(gap, ended_us, now_us);
        snprintf(text, VIEW_TEXT, "%s, %s ago", why, gap);
    } else {
        snprintf(text, VIEW_TEXT, "%s", why);
    }
    return text;
}

/* --- colours --- */

enum paint view_state_paint(const cJSON *server)
{
    static const struct {
        const char *status;
        enum paint paint;
    } paints[] = {
        {"running", PAINT_GOOD}, {"starting", PAINT_WARN}, {"stopping", PAINT_WARN}, {"backoff", PAINT_BAD},
        {"failed", PAINT_BAD},   {"paused", PAINT_WARN},   {"stopped", PAINT_FAINT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(paints); i++) {
        if (is_status(server, paints[i].status))
            return paints[i].paint;
    }
    return PAINT_PLAIN;
}

enum paint view_health_paint(const cJSON *server)
{
    const char *health = view_health(server);
    if (strcmp(health, "healthy") == 0)
        return PAINT_GOOD;
    if (strcmp(health, "degraded") == 0)
        return PAINT_WARN;
    return strcmp(health, "unhealthy") == 0 ? PAINT_BAD : PAINT_PLAIN;
}

enum paint view_load_paint(const cJSON *server, const char *key)
{
    return view_number(server, key, 0) > BUSY_PERCENT ? PAINT_WARN : PAINT_PLAIN;
}

/* --- the farm --- */

void view_counts(const cJSON *totals, void (*each)(const struct view_count *count, void *data), void *data)
{
    static const struct {
        const char *key, *words;
        enum paint paint;
    } counts[] = {
        {"healthy", "healthy", PAINT_PLAIN},   {"degraded", "degraded", PAINT_WARN},
        {"unhealthy", "unhealthy", PAINT_BAD}, {"starting", "starting", PAINT_WARN},
        {"backoff", "in backoff", PAINT_BAD},  {"failed", "failed", PAINT_BAD},
        {"stopping", "stopping", PAINT_WARN},  {"paused", "paused", PAINT_WARN},
        {"stopped", "stopped", PAINT_PLAIN},
    };
    double unprobed = view_number(totals, "running", 0);
    _Static_assert(ARRAY_SIZE(counts) + 1 == VIEW_COUNTS, "and those not probed");
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        double count = view_number(totals, counts[i].key, 0);
        unprobed -= i < 3 ? count : 0; /* the first three are of the running ones */
        if (count > 0)
            each(&(struct view_count){count, counts[i].words, counts[i].paint}, data);
    }
    if (unprobed > 0)
        each(&(struct view_count){unprobed, "not probed", PAINT_PLAIN}, data);
}

struct summary {
    const struct output *output;
    struct buffer *out;
    const char *separator;
};

static void append_count(const struct view_count *count, void *data)
{
    struct summary *summary = data;
    buffer_printf(summary->out, "%s%s%.0f %s%s", summary->separator, output_paint(summary->output, count->paint),
                  count->count, count->words, output_unpaint(summary->output, count->paint));
    summary->separator = ", ";
}

const char *view_cpu_use(double cores, double limit, char text[VIEW_TEXT])
{
    if (isnan(limit))
        snprintf(text, VIEW_TEXT, "%.1f", cores);
    else
        snprintf(text, VIEW_TEXT, "%.1f of %.4g", cores, limit);
    return text;
}

const char *view_memory_use(double mb, double limit_mb, char text[VIEW_TEXT])
{
    bool gb = (isnan(limit_mb) ? mb : limit_mb) >= 1024;
    double unit = gb ? 1024 : 1;
    if (isnan(limit_mb))
        snprintf(text, VIEW_TEXT, "%.1f %s", mb / unit, gb ? "GB" : "MB");
    else
        snprintf(text, VIEW_TEXT, "%.1f of %.4g %s", mb / unit, limit_mb / unit, gb ? "GB" : "MB");
    return text;
}

static void append_use(const cJSON *totals, struct buffer *out)
{
    double cpu_limit = view_number(totals, "cpu_limit", NAN),
           memory_limit = view_number(totals, "memory_limit_mb", NAN);
    char text[VIEW_TEXT];
    buffer_printf(out, " · CPU %s", view_cpu_use(view_number(totals, "cpu_cores", 0), cpu_limit, text));
    buffer_printf(out, " · memory %s", view_memory_use(view_number(totals, "memory_mb", 0), memory_limit, text));
}

void view_summary(const struct output *output, const cJSON *answer, size_t shown, struct buffer *out)
{
    const cJSON *totals = get(answer, "totals");
    double total = view_number(answer, "total_servers", 0);
    if ((double)shown < total)
        buffer_printf(out, "%zu shown of %.0f: ", shown, total);
    else
        buffer_printf(out, "%.0f server%s: ", total, total == 1 ? "" : "s");
    struct summary summary = {.output = output, .out = out, .separator = ""};
    view_counts(totals, append_count, &summary);
    append_use(totals, out);
    if (strcmp(view_text(answer, "enforcement"), "none") == 0)
        buffer_printf(out, " · %slimits not in force%s", output_paint(output, PAINT_WARN),
                      output_unpaint(output, PAINT_WARN));
    buffer_append_char(out, '\n');
}
