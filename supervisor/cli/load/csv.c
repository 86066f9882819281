/*
 * See csv.h.
 */
#include "supervisor/cli/load/csv.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/cli/frame/view.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>

static const char *const COUNTS[] = {"requests", "answered", "failed", "unfinished", "dropped", "achieved_rate"};
static const char *const ERRORS[] = {"refused", "reset", "timeout", "short_body", "bad_http", "local"};
static const char *const CLASSES[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const TIMES[] = {"mean_us", "p50_us",   "p75_us",    "p90_us", "p95_us",
                                    "p99_us",  "p99_9_us", "p99_99_us", "max_us"};

/* A group of columns: members of the row's object, or of an object in it. */
static const struct {
    const char *object, *prefix;
    const char *const *keys;
    size_t count;
} GROUPS[] = {
    {NULL, "", COUNTS, ARRAY_SIZE(COUNTS)},
    {"errors", "errors_", ERRORS, ARRAY_SIZE(ERRORS)},
    {"status_classes", "status_", CLASSES, ARRAY_SIZE(CLASSES)},
    {"latency", "latency_", TIMES, ARRAY_SIZE(TIMES)},
    {"service_time", "service_", TIMES, ARRAY_SIZE(TIMES)},
};

static void append_quoted(struct buffer *out, const char *text)
{
    buffer_append_char(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            buffer_append_char(out, '"');
        buffer_append_char(out, *text);
    }
    buffer_append_char(out, '"');
}

static void append_number(struct buffer *out, double value)
{
    buffer_append_char(out, ',');
    if (!isnan(value))
        buffer_printf(out, value == floor(value) ? "%.0f" : "%.2f", value);
}

static void append_row(const cJSON *row, const char *name, struct buffer *out)
{
    append_quoted(out, name);
    for (size_t i = 0; i < ARRAY_SIZE(GROUPS); i++) {
        const cJSON *object = GROUPS[i].object ? cJSON_GetObjectItemCaseSensitive(row, GROUPS[i].object) : row;
        for (size_t k = 0; k < GROUPS[i].count; k++)
            append_number(out, view_number(object, GROUPS[i].keys[k], NAN));
    }
    buffer_append_text(out, "\r\n");
}

void load_csv_report(const cJSON *run, struct buffer *out)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(run, "result"), *target;

    buffer_append_text(out, "target");
    for (size_t i = 0; i < ARRAY_SIZE(GROUPS); i++) {
        for (size_t k = 0; k < GROUPS[i].count; k++)
            buffer_printf(out, ",%s%s", GROUPS[i].prefix, GROUPS[i].keys[k]);
    }
    buffer_append_text(out, "\r\n");
    cJSON_ArrayForEach(target, cJSON_GetObjectItemCaseSensitive(result, "targets"))
        append_row(target, view_text(target, "name"), out);
    append_row(result, "all", out);
}
