/*
 * See html.h. Names, paths and sentences come from outside and are escaped wherever they go; the page's own policy forbids
 * every script and every fetch besides.
 */
#include "supervisor/cli/load/html.h"

#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/html_plots.h"
#include "supervisor/cli/load/html_targets.h"
#include "supervisor/cli/load/text.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

extern const char load_report_css[];

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    return view_number(object, key, 0);
}

static bool is_open(const cJSON *run)
{
    return strcmp(view_text(get(run, "plan"), "model"), "closed") != 0;
}

/* --- the head --- */

/* "10 servers · open, 5,000/s constant · 10 s", as the command says it. */
static char *headline_of(const cJSON *run)
{
    struct buffer line = BUFFER_EMPTY;

    load_text_headline(get(run, "plan"), &line);
    if (line.length > 0)
        line.data[--line.length] = '\0';
    return buffer_detach(&line);
}

static void append_head(const cJSON *run, struct buffer *out)
{
    cleanup_free char *headline = headline_of(run);
    const char *name = view_text(run, "name"), *since = view_text(get(run, "result"), "measured_from");
    bool named = cJSON_IsString(get(run, "name"));

    buffer_append_text(out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                            "'unsafe-inline'\">\n<title>farmd load: ");
    html_append(out, named ? name : headline);
    buffer_append_text(out, "</title>\n<style>\n");
    buffer_append_text(out, load_report_css);
    buffer_append_text(out, "</style>\n<main>\n<header><h1>");
    html_append(out, named ? name : headline);
    buffer_append_text(out, "</h1><p>");
    if (named) {
        html_append(out, headline);
        buffer_append_text(out, " · ");
    }
    if (strlen(since) >= 19) { /* of 2026-11-23T08:30:00.123456+00:00 */
        cleanup_free char *date = xstrndup(since, 10), *time = xstrndup(since + 11, 8);
        html_append(out, date);
        buffer_append_char(out, ' ');
        html_append(out, time);
        buffer_append_text(out, " UTC · ");
    }
    buffer_append_text(out, "measured by farmd " FARMD_VERSION "</p></header>\n");
}

/* --- the verdict --- */

static void append_answer(const cJSON *result, struct buffer *out)
{
    double answered = number(result, "answered"), failed = number(result, "failed");
    char some[LOAD_TEXT], all[LOAD_TEXT];

    if (answered <= 0) {
        buffer_append_text(out, "<section class=\"verdict bad\"><strong>Nothing answered</strong>");
    } else if (failed > 0) {
        buffer_printf(out, "<section class=\"verdict warn\"><strong>%s of %s requests failed</strong>",
                      load_text_count(failed, some), load_text_count(number(result, "requests"), all));
    } else {
        buffer_printf(out, "<section class=\"verdict good\"><strong>All %s requests answered</strong>",
                      load_text_count(answered, some));
    }
    buffer_append_text(out, " <span class=\"dim\">no thresholds were set</span>");
}

static void append_verdicts(const cJSON *result, struct buffer *out)
{
    const cJSON *verdicts = get(result, "verdicts"), *verdict;
    int count = cJSON_GetArraySize(verdicts), failed = 0;

    cJSON_ArrayForEach(verdict, verdicts) failed += !cJSON_IsTrue(get(verdict, "passed"));
    if (failed > 0)
        buffer_printf(out, "<section class=\"verdict bad\"><strong>FAIL: %d of %d threshold%s missed</strong><ul>\n",
                      failed, count, count == 1 ? "" : "s");
    else
        buffer_printf(out, "<section class=\"verdict good\"><strong>PASS: %s</strong><ul>\n",
                      count == 1 ? "the threshold holds" : "all thresholds hold");
    cJSON_ArrayForEach(verdict, verdicts)
    {
        bool passed = cJSON_IsTrue(get(verdict, "passed"));
        buffer_printf(out, "<li><b class=\"%s\">%s</b> <code>", passed ? "good" : "bad", passed ? "PASS" : "FAIL");
        html_append(out, view_text(verdict, "threshold"));
        buffer_append_text(out, "</code> &nbsp;");
        html_append(out, view_text(verdict, "actual_text"));
        if (cJSON_IsString(get(verdict, "worst_target"))) {
            buffer_append_text(out, " at worst, ");
            html_append(out, view_text(verdict, "worst_target"));
        }
        buffer_append_text(out, "</li>\n");
    }
    buffer_append_text(out, "</ul>");
}

static void append_warning(struct buffer *out, const char *text)
{
    buffer_append_text(out, "<li class=\"warn\">▲ ");
    html_append(out, text);
    buffer_append_text(out, "</li>\n");
}

/* What one should know before one believes the rest. */
static void append_warnings(const cJSON *result, struct buffer *out)
{
    const cJSON *engine = get(result, "engine");
    const char *ended = view_text(result, "ended_by");

    buffer_append_text(out, "<ul>");
    if (cJSON_IsTrue(get(engine, "saturated")))
        append_warning(out, view_text(engine, "saturated_why"));
    if (strcmp(ended, "stopped") == 0)
        append_warning(out, "stopped early: this is what was done until then");
    if (strcmp(ended, "gave_up") == 0)
        append_warning(out, "ended early: nothing answered for so long that it was given up");
    buffer_append_text(out, "</ul></section>\n");
}

/* --- the figures at a glance --- */

static void append_card(struct buffer *out, const char *class, const char *value, const char *what)
{
    buffer_printf(out, "<div><b class=\"%s\">%s</b><span>%s</span></div>\n", class, value, what);
}

static void append_counts(const cJSON *result, bool open, struct buffer *out)
{
    char text[LOAD_TEXT], what[2 * LOAD_TEXT], more[LOAD_TEXT];
    double failed = number(result, "failed"), dropped = number(result, "dropped");
    double requests = number(result, "requests");

    if (open)
        snprintf(what, sizeof(what), "of %s/s asked", load_text_count(number(result, "asked_rate"), more));
    else
        snprintf(what, sizeof(what), "answers per second");
    char rate[LOAD_TEXT + 4];
    snprintf(rate, sizeof(rate), "%s/s", load_text_count(number(result, "achieved_rate"), text));
    append_card(out, "", rate, what);
    append_card(out, "", load_text_count(number(result, "answered"), text), "answered");
    snprintf(what, sizeof(what), "failed, %.2f %%", requests > 0 ? 100 * failed / requests : 0);
    append_card(out, failed > 0 ? "bad" : "", load_text_count(failed, text), what);
    if (open)
        append_card(out, dropped > 0 ? "bad" : "", load_text_count(dropped, text), "dropped: never sent");
}

static void append_cards(const cJSON *result, bool open, struct buffer *out)
{
    static const struct {
        const char *key, *title;
    } TIMES[] = {{"p50_us", "latency p50"}, {"p99_us", "latency p99"}, {"max_us", "latency max"}};
    const cJSON *latency = get(result, "latency");
    char text[PLOT_TEXT];

    buffer_append_text(out, "<div class=\"cards\">\n");
    append_counts(result, open, out);
    for (size_t i = 0; i < ARRAY_SIZE(TIMES); i++)
        append_card(out, "", latency && latency->child ? html_time(number(latency, TIMES[i].key), text) : "-",
                    TIMES[i].title);
    buffer_append_text(out, "</div>\n");
}

/* --- times --- */

static void append_time_cell(const cJSON *times, const char *key, struct buffer *out)
{
    char text[PLOT_TEXT];
    double us = view_number(times, key, NAN);

    buffer_printf(out, "<td>%s</td>", isnan(us) ? "-" : html_time(us, text));
}

static void append_times_table(const cJSON *result, bool open, struct buffer *out)
{
    static const struct {
        const char *key, *title;
    } ROWS[] = {{"mean_us", "mean"},   {"p50_us", "p50"},       {"p75_us", "p75"},
                {"p90_us", "p90"},     {"p95_us", "p95"},       {"p99_us", "p99"},
                {"p99_9_us", "p99.9"}, {"p99_99_us", "p99.99"}, {"max_us", "max"}};

    buffer_append_text(out, "<table><thead><tr><th></th><th>latency</th>");
    if (open)
        buffer_append_text(out, "<th>service</th><th>send delay</th>");
    buffer_append_text(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        buffer_printf(out, "<tr><th>%s</th>", ROWS[i].title);
        append_time_cell(get(result, "latency"), ROWS[i].key, out);
        if (open) {
            append_time_cell(get(result, "service_time"), ROWS[i].key, out);
            append_time_cell(get(result, "send_delay"), ROWS[i].key, out);
        }
        buffer_append_text(out, "</tr>\n");
    }
    buffer_append_text(out, "</tbody></table>\n");
}

static void append_latency(const cJSON *result, bool open, struct buffer *out)
{
    const cJSON *latency = get(result, "latency");

    if (!cJSON_IsObject(latency))
        return;
    buffer_append_text(out, "<section><h2>Latency by percentile</h2><div class=\"pair\">\n");
    html_plot_percentiles(result, open, out);
    append_times_table(result, open, out);
    buffer_append_text(out, "</div></section>\n");
}

/* --- requests --- */

/* "answers: 49,990 × 200, 10 × 503"; nothing where all are 0. */
static void append_parts(const cJSON *parts, const char *title, const char *class, struct buffer *out)
{
    const cJSON *part;
    const char *separator = "";
    char text[LOAD_TEXT];

    cJSON_ArrayForEach(part, parts)
    {
        if (!cJSON_IsNumber(part) || part->valuedouble <= 0)
            continue;
        if (separator[0] == '\0')
            buffer_printf(out, "<li class=\"%s\">%s: ", class, title);
        buffer_printf(out, "%s%s × ", separator, load_text_count(part->valuedouble, text));
        cleanup_free char *name = xstrdup(part->string);
        for (char *c = strchr(name, '_'); c; c = strchr(c, '_'))
            *c = ' ';
        html_append(out, name);
        separator = ", ";
    }
    if (separator[0] != '\0')
        buffer_append_text(out, "</li>\n");
}

static void append_series(const cJSON *run, struct buffer *out)
{
    const cJSON *result = get(run, "result");

    buffer_append_text(out, "<section><h2>Requests per second</h2>\n");
    html_plot_rates(get(run, "plan"), result, out);
    buffer_append_text(out, "<ul class=\"facts\">\n");
    append_parts(get(result, "status_codes"), "answers by status", "dim", out);
    append_parts(get(result, "errors"), "no answer", "bad", out);
    buffer_append_text(out, "</ul></section>\n");
    if (cJSON_IsObject(get(result, "latency"))) {
        buffer_append_text(out, "<section><h2>Latency per second</h2>\n");
        html_plot_latency(result, out);
        buffer_append_text(out, "</section>\n");
    }
}

/* --- how it was made --- */

static void append_foot(const cJSON *run, struct buffer *out)
{
    const cJSON *plan = get(run, "plan"), *result = get(run, "result"), *engine = get(result, "engine");
    char text[LOAD_TEXT];

    buffer_append_text(out, "<footer>");
    html_append(out, view_text(plan, "method"));
    buffer_append_char(out, ' ');
    html_append(out, view_text(plan, "path"));
    buffer_printf(out, " · %s connections to each target, %s", load_text_count(number(plan, "connections"), text),
                  cJSON_IsFalse(get(plan, "keep_alive")) ? "a new one for every request" : "kept alive");
    buffer_printf(out, " · time-out %.15g s", number(plan, "timeout_seconds"));
    if (number(plan, "warmup_seconds") > 0)
        buffer_printf(out, " · %.15g s of warm-up, not counted", number(plan, "warmup_seconds"));
    buffer_printf(out, " · engine: %.0f thread%s, %.0f%% of a core, %.1f MB", number(engine, "threads"),
                  number(engine, "threads") == 1 ? "" : "s", 100 * number(engine, "cpu_cores"),
                  number(engine, "memory_bytes") / (double)MIB);
    buffer_append_text(out, "</footer>\n</main>\n</html>\n");
}

void load_html_report(const cJSON *run, struct buffer *out)
{
    const cJSON *result = get(run, "result");
    bool open = is_open(run);

    append_head(run, out);
    if (cJSON_GetArraySize(get(result, "verdicts")) > 0)
        append_verdicts(result, out);
    else
        append_answer(result, out);
    append_warnings(result, out);
    append_cards(result, open, out);
    append_latency(result, open, out);
    append_series(run, out);
    html_targets(result, open, out);
    append_foot(run, out);
}
