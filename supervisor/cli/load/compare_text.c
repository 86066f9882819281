/*
 * See compare_text.h.
 */
#include "supervisor/cli/load/compare_text.h"

#include "core/memory.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/text.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/text.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MANY_TIMES 10    /* from here on a factor says more than per cent */
#define VALUE_COLUMNS 40 /* of a member of a plan */

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool is(const cJSON *object, const char *key, const char *text)
{
    return strcmp(view_text(object, key), text) == 0;
}

/* --- the runs --- */

static void append_run(const char *letter, const char *name, const cJSON *run, struct buffer *out)
{
    bool named = cJSON_IsString(get(run, "name"));

    buffer_printf(out, "%s  %s%s%s  ", letter, name, named ? "  " : "", named ? view_text(run, "name") : "");
    load_text_headline(get(run, "plan"), out);
}

static void append_stages(const cJSON *stages, struct buffer *out)
{
    const cJSON *stage;

    cJSON_ArrayForEach(stage, stages)
        buffer_printf(out, "%s%.15g/s", stage == stages->child ? "" : ", ", view_number(stage, "rate", 0));
}

static void append_value(const char *field, const cJSON *value, struct buffer *out)
{
    if (!value || cJSON_IsNull(value) || (cJSON_IsArray(value) && !value->child))
        buffer_append_text(out, "none");
    else if (cJSON_IsString(value))
        text_append(out, value->valuestring, VALUE_COLUMNS);
    else if (cJSON_IsNumber(value))
        buffer_printf(out, "%.15g", value->valuedouble);
    else if (strcmp(field, "stages") == 0)
        append_stages(value, out);
    else if (cJSON_IsArray(value) || cJSON_IsObject(value))
        buffer_printf(out, "%d of them", cJSON_GetArraySize(value));
    else
        buffer_append_text(out, cJSON_IsTrue(value) ? "true" : "false");
}

/* "asked       connections 10 → 20, path / → /x" */
static void append_plan_changes(const cJSON *changes, struct buffer *out)
{
    const cJSON *change;

    cJSON_ArrayForEach(change, changes)
    {
        const char *field = view_text(change, "field");
        buffer_append_text(out, change == changes->child ? "asked       " : ", ");
        for (const char *c = field; *c; c++)
            buffer_append_char(out, *c == '_' ? ' ' : *c);
        buffer_append_char(out, ' ');
        append_value(field, get(change, "a"), out);
        buffer_append_text(out, " → ");
        append_value(field, get(change, "b"), out);
    }
    if (cJSON_GetArraySize(changes) > 0)
        buffer_append_char(out, '\n');
}

/* --- the metrics --- */

static const struct {
    const char *metric, *title;
    bool open_only; /* in the closed model it is what stands above it */
} TITLES[] = {
    {"achieved_rate", "answers/s", false},           {"latency_p50_us", "latency p50 ms", false},
    {"latency_p90_us", "latency p90 ms", false},     {"latency_p99_us", "latency p99 ms", false},
    {"latency_p99_9_us", "latency p99.9 ms", false}, {"latency_max_us", "latency max ms", false},
    {"service_time_p99_us", "service p99 ms", true}, {"failed_percent", "failed %", false},
};

static const struct table_column COLUMNS[] = {
    {.title = ""},
    {.title = "A", .right = true},
    {.title = "B", .right = true},
    {.title = "CHANGE", .right = true},
    {.title = "VERDICT"},
};

static enum paint paint_of(const char *verdict)
{
    if (strcmp(verdict, "better") == 0)
        return PAINT_GOOD;
    if (strcmp(verdict, "worse") == 0)
        return PAINT_BAD;
    return strcmp(verdict, "unclear") == 0 || strcmp(verdict, "mixed") == 0 ? PAINT_WARN : PAINT_FAINT;
}

static void append_figure(struct table *table, const char *metric, double value)
{
    char text[LOAD_TEXT];

    if (isnan(value))
        table_cell(table, PAINT_PLAIN, "-");
    else if (strstr(metric, "_us"))
        table_cell(table, PAINT_PLAIN, "%s", load_text_ms(value, text));
    else if (strcmp(metric, "failed_percent") == 0)
        table_cell(table, PAINT_PLAIN, "%.2f", value);
    else
        table_cell(table, PAINT_PLAIN, "%s", load_text_count(value, text));
}

static void append_metric(struct table *table, const char *title, const cJSON *metric)
{
    const char *name = view_text(metric, "metric"), *verdict = view_text(metric, "verdict");
    double change = view_number(metric, "change_percent", NAN);
    bool judged = strncmp(view_text(metric, "why"), "not judged", 10) != 0;

    table_cell(table, PAINT_PLAIN, "%s", title);
    append_figure(table, name, view_number(metric, "a", NAN));
    append_figure(table, name, view_number(metric, "b", NAN));
    if (isnan(change))
        table_cell(table, PAINT_PLAIN, "-");
    else if (change >= MANY_TIMES * 100)
        table_cell(table, paint_of(verdict), "×%.0f", 1 + change / 100);
    else
        table_cell(table, paint_of(verdict), "%+.1f%%", change);
    table_cell(table, paint_of(verdict), "%s", judged ? verdict : "-");
}

static const char *title_of(const cJSON *metric, bool open)
{
    for (size_t i = 0; i < ARRAY_SIZE(TITLES); i++) {
        if (is(metric, "metric", TITLES[i].metric))
            return TITLES[i].open_only && !open ? NULL : TITLES[i].title;
    }
    return view_text(metric, "metric");
}

/* "latency p99" of "latency p99 ms" */
static void append_title(const char *title, struct buffer *out)
{
    const char *unit = strstr(title, " ms");

    buffer_append(out, title, unit ? (size_t)(unit - title) : strlen(title));
}

/* " · better: answers/s, latency p50" */
static void append_names(const cJSON *metrics, bool open, const char *verdict, struct buffer *out)
{
    const cJSON *metric;
    bool first = true;

    cJSON_ArrayForEach(metric, metrics)
    {
        const char *title = title_of(metric, open);
        if (!title || !is(metric, "verdict", verdict))
            continue;
        if (first)
            buffer_printf(out, " · %s: ", verdict);
        else
            buffer_append_text(out, ", ");
        append_title(title, out);
        first = false;
    }
}

/* Why it is in doubt what is. */
static void append_doubts(const struct output *output, const cJSON *metrics, bool open, struct buffer *out)
{
    const cJSON *metric;

    cJSON_ArrayForEach(metric, metrics)
    {
        const char *title = title_of(metric, open);
        if (!title || !is(metric, "verdict", "unclear"))
            continue;
        buffer_printf(out, "%sunclear%s     ", output_paint(output, PAINT_WARN), output_unpaint(output, PAINT_WARN));
        append_title(title, out);
        buffer_printf(out, ": %s\n", view_text(metric, "why"));
    }
}

static void append_verdict(const struct output *output, const cJSON *comparison, bool open, struct buffer *out)
{
    static const struct {
        const char *verdict, *text;
    } SENTENCES[] = {
        {"better", "b is better than a"},
        {"worse", "b is worse than a"},
        {"mixed", "b is better than a in some and worse in other"},
        {"noise", "no more than noise lies between a and b"},
        {"unclear", "a and b are apart, but not beyond doubt: repeat both, and longer"},
        {"unknown", "too little to tell: repeat both, and longer"},
    };
    const cJSON *metrics = get(comparison, "metrics");
    const char *verdict = view_text(comparison, "verdict");

    for (size_t i = 0; i < ARRAY_SIZE(SENTENCES); i++) {
        if (strcmp(verdict, SENTENCES[i].verdict) == 0)
            buffer_printf(out, "%s%s%s", output_paint(output, paint_of(verdict)), SENTENCES[i].text,
                          output_unpaint(output, paint_of(verdict)));
    }
    append_names(metrics, open, "better", out);
    append_names(metrics, open, "worse", out);
    buffer_append_char(out, '\n');
}

void load_compare_text(const struct output *output, const cJSON *comparison, const cJSON *const runs[2],
                       const char *const names[2], struct buffer *out)
{
    bool open = !is(get(runs[0], "plan"), "model", "closed") || !is(get(runs[1], "plan"), "model", "closed");
    struct table *table = table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
    const cJSON *metric, *caution;

    append_run("a", names[0], runs[0], out);
    append_run("b", names[1], runs[1], out);
    append_plan_changes(get(comparison, "plan_changes"), out);
    cJSON_ArrayForEach(metric, get(comparison, "metrics"))
    {
        const char *title = title_of(metric, open);
        if (title)
            append_metric(table, title, metric);
    }
    table_append(table, output, out);
    table_free(table);
    append_doubts(output, get(comparison, "metrics"), open, out);
    cJSON_ArrayForEach(caution, get(comparison, "cautions"))
    {
        if (cJSON_IsString(caution))
            buffer_printf(out, "%snote%s        %s\n", output_paint(output, PAINT_WARN),
                          output_unpaint(output, PAINT_WARN), caution->valuestring);
    }
    append_verdict(output, comparison, open, out);
}
