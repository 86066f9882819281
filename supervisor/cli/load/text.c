/*
 * See text.h. The keys are those of the schemas LoadPlan and LoadResult in docs/openapi.json.
 */
#include "supervisor/cli/load/text.h"

#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/view.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    return view_number(object, key, 0);
}

const char *load_text_count(double value, char text[LOAD_TEXT])
{
    char digits[LOAD_TEXT];
    int length = snprintf(digits, sizeof(digits), "%.0f", value);
    char *at = text;

    for (int i = 0; i < length && at < text + LOAD_TEXT - 2; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

const char *load_text_ms(double us, char text[LOAD_TEXT])
{
    double ms = us / 1000;

    snprintf(text, LOAD_TEXT, ms < 0.9995 ? "%.3f" : ms < 9.995 ? "%.2f" : ms < 99.95 ? "%.1f" : "%.0f", ms);
    return text;
}

/* --- what was asked --- */

static void append_seconds(struct buffer *out, double seconds)
{
    char text[24];

    units_format_duration(text, llround(seconds * 1000));
    buffer_append_text(out, text);
}

static void append_model(const cJSON *plan, struct buffer *out)
{
    const cJSON *stages = get(plan, "stages"), *stage;
    const char *model = view_text(plan, "model");
    char text[LOAD_TEXT];

    if (strcmp(model, "closed") == 0) {
        double connections = number(plan, "connections");
        buffer_printf(out, "closed, %s connection%s each", load_text_count(connections, text),
                      connections == 1 ? "" : "s");
        return;
    }
    buffer_append_text(out, "open, ");
    cJSON_ArrayForEach(stage, stages) buffer_printf(out, "%s%s", stage == stages->child ? "" : ", then ",
                                                    load_text_count(number(stage, "rate"), text));
    buffer_printf(out, "/s %s", model);
}

void load_text_headline(const cJSON *plan, struct buffer *out)
{
    const cJSON *targets = get(plan, "targets");
    int count = cJSON_GetArraySize(targets);
    char text[LOAD_TEXT];

    if (count == 1)
        buffer_append_text(out, view_text(cJSON_GetArrayItem(targets, 0), "name"));
    else
        buffer_printf(out, "%s servers", load_text_count(count, text));
    buffer_append_text(out, " · ");
    append_model(plan, out);
    if (cJSON_IsNumber(get(plan, "requests")))
        buffer_printf(out, " · %s requests each", load_text_count(number(plan, "requests"), text));
    if (cJSON_IsNumber(get(plan, "duration_seconds"))) {
        buffer_append_text(out, " · ");
        append_seconds(out, number(plan, "duration_seconds"));
    }
    if (number(plan, "warmup_seconds") > 0) {
        buffer_append_text(out, " after ");
        append_seconds(out, number(plan, "warmup_seconds"));
        buffer_append_text(out, " of warm-up");
    }
    buffer_append_char(out, '\n');
}

/* --- times --- */

static const struct {
    const char *key, *title;
} TIMES[] = {{"mean_us", "mean"}, {"p50_us", "p50"},     {"p75_us", "p75"},       {"p90_us", "p90"}, {"p95_us", "p95"},
             {"p99_us", "p99"},   {"p99_9_us", "p99.9"}, {"p99_99_us", "p99.99"}, {"max_us", "max"}};

static void append_times(const cJSON *result, const char *key, const char *title, struct buffer *out)
{
    const cJSON *times = get(result, key);
    char text[LOAD_TEXT];

    if (!cJSON_IsObject(times))
        return;
    buffer_printf(out, "%-11s", title);
    for (size_t i = 0; i < ARRAY_SIZE(TIMES); i++)
        buffer_printf(out, "%7s", load_text_ms(number(times, TIMES[i].key), text));
    buffer_append_char(out, '\n');
}

static void append_all_times(const struct output *output, bool open, const cJSON *result, struct buffer *out)
{
    if (!cJSON_IsObject(get(result, "latency")))
        return;
    buffer_printf(out, "%s%-11s", output_paint(output, PAINT_FAINT), "ms");
    for (size_t i = 0; i < ARRAY_SIZE(TIMES); i++)
        buffer_printf(out, "%7s", TIMES[i].title);
    buffer_printf(out, "%s\n", output_unpaint(output, PAINT_FAINT));
    append_times(result, "latency", "latency", out);
    if (!open)
        return;
    append_times(result, "service_time", "service", out);
    append_times(result, "send_delay", "send delay", out);
    buffer_printf(out, "%slatency counts from the scheduled instant, service from the actual send%s\n",
                  output_paint(output, PAINT_FAINT), output_unpaint(output, PAINT_FAINT));
}

/* --- counts --- */

static void append_counts(bool open, const cJSON *result, struct buffer *out)
{
    double asked = view_number(result, "asked", NAN);
    char text[LOAD_TEXT];

    if (!isnan(asked))
        buffer_printf(out, "%s asked, ", load_text_count(asked, text));
    buffer_printf(out, "%s answered, ", load_text_count(number(result, "answered"), text));
    if (open)
        buffer_printf(out, "%s dropped, ", load_text_count(number(result, "dropped"), text));
    if (number(result, "unfinished") > 0)
        buffer_printf(out, "%s cut at the end, ", load_text_count(number(result, "unfinished"), text));
    buffer_printf(out, "%s failed · ", load_text_count(number(result, "failed"), text));
    append_seconds(out, number(result, "seconds"));
    buffer_printf(out, " · %s/s", load_text_count(number(result, "achieved_rate"), text));
    if (open)
        buffer_printf(out, " of %s/s", load_text_count(number(result, "asked_rate"), text));
    buffer_append_char(out, '\n');
}

/* "errors      120 refused, 3 timeout"; nothing where all are 0. */
static void append_parts(const struct output *output, const cJSON *parts, const char *title, enum paint paint,
                         struct buffer *out)
{
    const cJSON *part;
    bool first = true;
    char text[LOAD_TEXT], name[LOAD_TEXT];

    cJSON_ArrayForEach(part, parts)
    {
        if (part->valuedouble <= 0)
            continue;
        snprintf(name, sizeof(name), "%s", part->string);
        for (char *c = strchr(name, '_'); c; c = strchr(c, '_'))
            *c = ' ';
        buffer_printf(out, "%s%s%s%s × %s", first ? title : ", ", output_paint(output, paint),
                      load_text_count(part->valuedouble, text), output_unpaint(output, paint), name);
        first = false;
    }
    if (!first)
        buffer_append_char(out, '\n');
}

static bool only_200(const cJSON *codes)
{
    return codes && codes->child && !codes->child->next && strcmp(codes->child->string, "200") == 0;
}

static void append_failures(const struct output *output, const cJSON *result, struct buffer *out)
{
    const cJSON *codes = get(result, "status_codes");

    if (!only_200(codes))
        append_parts(output, codes, "answers     ", PAINT_PLAIN, out);
    append_parts(output, get(result, "errors"), "errors      ", PAINT_BAD, out);
}

/* --- what to think of it --- */

static void append_engine(const struct output *output, const cJSON *result, struct buffer *out)
{
    const cJSON *engine = get(result, "engine");
    const char *ended = view_text(result, "ended_by");

    buffer_printf(out, "engine      used %.0f%% of a core, %.1f MB\n", number(engine, "cpu_cores") * 100,
                  number(engine, "memory_bytes") / (double)MIB);
    if (cJSON_IsTrue(get(engine, "saturated")))
        buffer_printf(out, "%snote%s        %s\n", output_paint(output, PAINT_WARN), output_unpaint(output, PAINT_WARN),
                      view_text(engine, "saturated_why"));
    if (strcmp(ended, "stopped") == 0)
        buffer_printf(out, "note        stopped early: this is what was done until then\n");
    if (strcmp(ended, "gave_up") == 0)
        buffer_printf(out, "note        ended early: nothing answered for so long that it was given up\n");
}

void load_text_circumstances(const cJSON *target, struct buffer *out)
{
    double throttled = number(target, "throttled_percent"), restarts = number(target, "restarts");

    if (throttled >= 1)
        buffer_printf(out, ": throttled %.0f%% of the time", throttled);
    if (restarts > 0)
        buffer_printf(out, "%s restarted %.0f time%s", throttled >= 1 ? "," : ":", restarts, restarts > 1 ? "s" : "");
}

static void append_outliers(const struct output *output, const cJSON *result, struct buffer *out)
{
    const cJSON *target;

    cJSON_ArrayForEach(target, get(result, "targets"))
    {
        if (!cJSON_IsString(get(target, "stands_out")))
            continue;
        buffer_printf(out, "%sstands out%s  %s  %s", output_paint(output, PAINT_WARN),
                      output_unpaint(output, PAINT_WARN), view_text(target, "name"), view_text(target, "stands_out"));
        load_text_circumstances(target, out);
        buffer_append_char(out, '\n');
    }
}

static void append_verdicts(const struct output *output, const cJSON *result, struct buffer *out)
{
    const cJSON *verdict;

    cJSON_ArrayForEach(verdict, get(result, "verdicts"))
    {
        bool passed = cJSON_IsTrue(get(verdict, "passed"));
        enum paint paint = passed ? PAINT_GOOD : PAINT_BAD;
        buffer_printf(out, "%s%s%s  %s: %s", output_paint(output, paint), passed ? "PASS" : "FAIL",
                      output_unpaint(output, paint), view_text(verdict, "threshold"),
                      view_text(verdict, "actual_text"));
        if (cJSON_IsString(get(verdict, "worst_target")))
            buffer_printf(out, " at worst, %s", view_text(verdict, "worst_target"));
        buffer_append_char(out, '\n');
    }
}

/* --- every target --- */

static const struct table_column COLUMNS[] = {
    {.title = "TARGET"},
    {.title = "ANSWERED", .right = true},
    {.title = "FAILED", .right = true},
    {.title = "DROPPED", .right = true, .dispensable = 3},
    {.title = "RATE/S", .right = true, .dispensable = 1},
    {.title = "P50", .right = true},
    {.title = "P90", .right = true, .dispensable = 2},
    {.title = "P99", .right = true},
    {.title = "P99.9", .right = true, .dispensable = 4},
    {.title = "MAX MS", .right = true},
};

static void append_targets(const struct output *output, const cJSON *result, struct buffer *out)
{
    static const char *const KEYS[] = {"p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"};
    struct table *table = table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    const cJSON *target;
    char text[LOAD_TEXT];

    cJSON_ArrayForEach(target, get(result, "targets"))
    {
        const cJSON *latency = get(target, "latency");
        bool outlier = cJSON_IsString(get(target, "stands_out"));
        double failed = number(target, "failed");
        table_cell(table, outlier ? PAINT_WARN : PAINT_PLAIN, "%s", view_text(target, "name"));
        table_cell(table, PAINT_PLAIN, "%s", load_text_count(number(target, "answered"), text));
        table_cell(table, failed > 0 ? PAINT_BAD : PAINT_PLAIN, "%s", load_text_count(failed, text));
        table_cell(table, PAINT_PLAIN, "%s", load_text_count(number(target, "dropped"), text));
        table_cell(table, PAINT_PLAIN, "%s", load_text_count(number(target, "achieved_rate"), text));
        for (size_t i = 0; i < ARRAY_SIZE(KEYS); i++)
            table_cell(table, PAINT_PLAIN, "%s",
                       cJSON_IsObject(latency) ? load_text_ms(number(latency, KEYS[i]), text) : "-");
    }
    buffer_append_char(out, '\n');
    table_append(table, output, out);
    table_free(table);
}

void load_text_report(const struct output *output, bool wide, const cJSON *run, struct buffer *out)
{
    const cJSON *result = get(run, "result");
    bool open = strcmp(view_text(get(run, "plan"), "model"), "closed") != 0;

    append_all_times(output, open, result, out);
    append_counts(open, result, out);
    append_failures(output, result, out);
    append_engine(output, result, out);
    append_outliers(output, result, out);
    append_verdicts(output, result, out);
    if (wide)
        append_targets(output, result, out);
}
