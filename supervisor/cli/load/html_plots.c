/*
 * See html_plots.h. A run of a day has 86,400 seconds and a screen some hundred columns: long series are drawn in steps of
 * several seconds, with the worst time and the mean rate of each, so that nothing bad is smoothed away.
 */
#include "supervisor/cli/load/html_plots.h"

#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/view.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 600 /* at most */
#define TIME_LABELS 6
#define LEAST_PIECE 0.5 /* seconds */

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *html_time(double us, char text[PLOT_TEXT])
{
    double ms = us / 1000;

    if (ms < 999.5)
        snprintf(text, PLOT_TEXT,
                 ms < 0.9995  ? "%.3f ms"
                 : ms < 9.995 ? "%.2f ms"
                 : ms < 99.95 ? "%.1f ms"
                              : "%.0f ms",
                 ms);
    else
        snprintf(text, PLOT_TEXT, ms < 9995 ? "%.2f s" : ms < 99950 ? "%.1f s" : "%.0f s", ms / 1000);
    return text;
}

/* Of an axis, in few characters: "0.1 ms", "10 ms", "1 s". */
static const char *format_time_tick(double us, char text[PLOT_TEXT])
{
    if (us < 999500)
        snprintf(text, PLOT_TEXT, "%.3g ms", us / 1000);
    else
        snprintf(text, PLOT_TEXT, "%.5g s", us / 1e6);
    return text;
}

static const char *format_rate_tick(double rate, char text[PLOT_TEXT])
{
    if (rate >= 1e6)
        snprintf(text, PLOT_TEXT, "%.3g M", rate / 1e6);
    else if (rate >= 10000)
        snprintf(text, PLOT_TEXT, "%.4gk", rate / 1000);
    else
        snprintf(text, PLOT_TEXT, rate >= 1000 ? "%.0f,%03.0f" : "%.4g", rate >= 1000 ? floor(rate / 1000) : rate,
                 fmod(rate, 1000));
    return text;
}

/* --- percentiles --- */

static const struct {
    const char *key, *title;
    double q;
} QUANTILES[] = {{"p50_us", "p50", 0.5},         {"p75_us", "p75", 0.75}, {"p90_us", "p90", 0.9},
                 {"p95_us", "p95", 0.95},        {"p99_us", "p99", 0.99}, {"p99_9_us", "p99.9", 0.999},
                 {"p99_99_us", "p99.99", 0.9999}};

#define CURVE_POINTS (ARRAY_SIZE(QUANTILES) + 1) /* and max */

struct curve {
    double xs[CURVE_POINTS], ys[CURVE_POINTS];
    const char *titles[CURVE_POINTS];
    size_t count;
};

/* Each nine of a percentile takes the same width: 90, 99, 99.9. */
static double nines(double q)
{
    return -log10(1 - q);
}

/* Percentiles beyond what so many requests can tell are all the greatest time, which ends the curve. */
static void read_curve(const cJSON *times, struct curve *curve)
{
    double end = nines(1 - 1 / fmax(view_number(times, "count", 1), 4));

    curve->count = 0;
    for (size_t i = 0; i <= ARRAY_SIZE(QUANTILES); i++) {
        bool last = i == ARRAY_SIZE(QUANTILES);
        double x = last ? end : nines(QUANTILES[i].q);
        double us = view_number(times, last ? "max_us" : QUANTILES[i].key, 0);
        if (us <= 0 || (!last && x >= end))
            continue;
        curve->xs[curve->count] = x;
        curve->ys[curve->count] = us;
        curve->titles[curve->count++] = last ? "max" : QUANTILES[i].title;
    }
}

static void draw_curve(struct plot *plot, const char *class, const char *name, const struct curve *curve)
{
    plot_line(plot, class, curve->xs, curve->ys, curve->count);
    for (size_t i = 0; i < curve->count; i++) {
        char title[80], text[PLOT_TEXT];
        snprintf(title, sizeof(title), "%s %s: %s", name, curve->titles[i], html_time(curve->ys[i], text));
        plot_dot(plot, class, curve->xs[i], curve->ys[i], title);
    }
}

/* Those at whole nines and the last one; what would touch it is left out. */
static void label_curve(struct plot *plot, const struct curve *curve)
{
    double end = curve->xs[curve->count - 1], room = 0.12 * (end - curve->xs[0]);

    for (size_t i = 0; i < curve->count; i++) {
        bool last = i + 1 == curve->count;
        bool shown = strcmp(curve->titles[i], "p75") != 0 && strcmp(curve->titles[i], "p95") != 0;
        if (last || (shown && curve->xs[i] < end - room))
            plot_x_label(plot, curve->xs[i], curve->titles[i]);
    }
}

void html_plot_percentiles(const cJSON *result, bool open, struct buffer *out)
{
    struct curve latency, service = {0};

    read_curve(get(result, "latency"), &latency);
    if (open)
        read_curve(get(result, "service_time"), &service);
    if (latency.count < 2)
        return;
    double least = latency.ys[0], most = latency.ys[latency.count - 1];
    if (service.count > 0) {
        least = fmin(least, service.ys[0]);
        most = fmax(most, service.ys[service.count - 1]);
    }
    buffer_append_text(out, "<figure><figcaption><span class=\"key latency\">latency");
    buffer_append_text(out, open
                                ? ", from the scheduled instant</span><span class=\"key dashed service\">service time, "
                                  "from the actual send</span></figcaption>\n"
                                : "</span></figcaption>\n");
    struct plot plot = plot_begin(out, "Latency by percentile", latency.xs[0], latency.xs[latency.count - 1]);
    plot_logarithmic(&plot, least, most, format_time_tick);
    if (service.count > 0)
        draw_curve(&plot, "service", "service", &service);
    draw_curve(&plot, "latency", "latency", &latency);
    label_curve(&plot, &latency);
    plot_end(&plot);
    buffer_append_text(out, "</figure>\n");
}

/* --- second by second --- */

/* Each column is a plateau, drawn by its two ends: entries 2k and 2k + 1. */
struct columns {
    double *xs, *answered, *failed, *p50, *p99, *most; /* x in seconds; NaN: nothing to tell */
    size_t count, step;                                /* of columns; seconds in one */
    double seconds;                                    /* of the run */
};

static void columns_done(struct columns *columns)
{
    free(columns->xs);
}

/* The worst of the seconds of a column; one without an answer has no times. */
static void keep_most(double *kept, double us)
{
    if (us > 0 && (isnan(*kept) || us > *kept))
        *kept = us;
}

/* Into the first end of its column. What is left of a second at the end, answers that were waited for mostly, goes to the
 * one before: a rate of some milliseconds is none. */
static void add_second(struct columns *columns, size_t second, const cJSON *point)
{
    bool piece = second > 0 && columns->seconds - (double)second < LEAST_PIECE;
    size_t column = (piece ? second - 1 : second) / columns->step, at = 2 * column;

    columns->xs[at] = (double)(column * columns->step);
    columns->xs[at + 1] = piece ? columns->seconds : fmin(columns->xs[at] + (double)columns->step, columns->seconds);
    columns->count = column + 1;
    columns->answered[at] += view_number(point, "answered", 0);
    columns->failed[at] += view_number(point, "failed", 0);
    keep_most(&columns->p50[at], view_number(point, "p50_us", 0));
    keep_most(&columns->p99[at], view_number(point, "p99_us", 0));
    keep_most(&columns->most[at], view_number(point, "max_us", 0));
}

static void columns_read(struct columns *columns, const cJSON *result)
{
    const cJSON *series = get(result, "series"), *point;
    size_t points = (size_t)cJSON_GetArraySize(series), second = 0, room;

    columns->step = points > COLUMNS ? (points + COLUMNS - 1) / COLUMNS : 1;
    columns->count = 0;
    columns->seconds = fmax(view_number(result, "seconds", 0), 0.001);
    room = 2 * (points / columns->step + 1);
    double **const lists[] = {&columns->xs,  &columns->answered, &columns->failed,
                              &columns->p50, &columns->p99,      &columns->most};
    double *values = xcalloc(room * ARRAY_SIZE(lists), sizeof(*values));
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        *lists[i] = values + i * room;
    for (size_t i = 0; i < room; i++)
        columns->p50[i] = columns->p99[i] = columns->most[i] = NAN;
    cJSON_ArrayForEach(point, series) add_second(columns, second++, point);
    for (size_t i = 0; i < 2 * columns->count; i += 2) {
        double length = fmax(columns->xs[i + 1] - columns->xs[i], 0.001);
        columns->answered[i] /= length;
        columns->failed[i] /= length;
        for (size_t k = 1; k < ARRAY_SIZE(lists); k++)
            (*lists[k])[i + 1] = (*lists[k])[i];
    }
}

static double most_of(const double *values, size_t count)
{
    double most = 0;

    for (size_t i = 0; i < count; i++)
        most = fmax(most, isnan(values[i]) ? 0 : values[i]);
    return most;
}

static void label_time(struct plot *plot, double seconds)
{
    static const double STEPS[] = {0.1, 0.2, 0.5, 1,    2,    5,    10,   20,    30,   60,
                                   120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600};
    size_t i = 0;

    while (i + 1 < ARRAY_SIZE(STEPS) && seconds / STEPS[i] > TIME_LABELS)
        i++;
    plot_x_label(plot, 0, "0");
    int labels = (int)fmin(seconds * 1.001 / STEPS[i], 2 * TIME_LABELS); /* more than a day is no run of ours */
    for (int k = 1; k <= labels; k++) {
        char text[24];
        units_format_duration(text, llround(k * STEPS[i] * 1000));
        plot_x_label(plot, k * STEPS[i], text);
    }
}

static void append_step(const struct columns *columns, const char *what, struct buffer *out)
{
    if (columns->step > 1)
        buffer_printf(out, "<span>%s of every %zu seconds</span>", what, columns->step);
}

/* The rates that were asked for, as the stages follow each other. */
static void draw_stages(struct plot *plot, const cJSON *stages, double seconds)
{
    double at = 0;
    const cJSON *stage;

    cJSON_ArrayForEach(stage, stages)
    {
        double length = view_number(stage, "duration_seconds", seconds), rate = view_number(stage, "rate", 0);
        double to = fmin(at + length, seconds);
        if (to > at)
            plot_line(plot, "asked", (double[]){at, to}, (double[]){rate, rate}, 2);
        at = to;
    }
}

static double most_asked(const cJSON *stages)
{
    double most = 0;
    const cJSON *stage;

    cJSON_ArrayForEach(stage, stages) most = fmax(most, view_number(stage, "rate", 0));
    return most;
}

void html_plot_rates(const cJSON *plan, const cJSON *result, struct buffer *out)
{
    const cJSON *stages = get(plan, "stages");
    bool open = stages && stages->child;
    struct columns columns;

    columns_read(&columns, result);
    if (columns.count > 0) {
        buffer_append_text(out, "<figure><figcaption><span class=\"key answered\">answered</span>");
        if (open)
            buffer_append_text(out, "<span class=\"key dashed asked\">asked</span>");
        buffer_append_text(out, "<span class=\"key failed\">failed</span>");
        append_step(&columns, "mean", out);
        buffer_append_text(out, "</figcaption>\n");
        double most = fmax(most_of(columns.answered, 2 * columns.count), most_of(columns.failed, 2 * columns.count));
        struct plot plot = plot_begin(out, "Requests per second", 0, columns.seconds);
        plot_linear(&plot, fmax(most, most_asked(stages)), format_rate_tick);
        plot_area(&plot, "answered", columns.xs, columns.answered, 2 * columns.count);
        plot_line(&plot, "answered", columns.xs, columns.answered, 2 * columns.count);
        draw_stages(&plot, stages, columns.seconds);
        if (most_of(columns.failed, 2 * columns.count) > 0) {
            plot_area(&plot, "failed", columns.xs, columns.failed, 2 * columns.count);
            plot_line(&plot, "failed", columns.xs, columns.failed, 2 * columns.count);
        }
        label_time(&plot, columns.seconds);
        plot_end(&plot);
        buffer_append_text(out, "</figure>\n");
    }
    columns_done(&columns);
}

/* Time in which nothing was answered; returns whether there is some. */
static bool draw_silence(struct plot *plot, const struct columns *columns)
{
    bool silent = false;

    for (size_t i = 0; i < columns->count; i++) {
        double from = (double)(i * columns->step);
        if (columns->answered[2 * i] > 0)
            continue;
        silent = true;
        if (plot)
            plot_band(plot, "silent", from, from + (double)columns->step);
    }
    return silent;
}

void html_plot_latency(const cJSON *result, struct buffer *out)
{
    struct columns columns;

    columns_read(&columns, result);
    double least = INFINITY, most = most_of(columns.most, 2 * columns.count);
    for (size_t i = 0; i < 2 * columns.count; i++)
        least = isnan(columns.p50[i]) ? least : fmin(least, columns.p50[i]);
    if (most > 0 && isfinite(least)) {
        buffer_append_text(out,
                           "<figure><figcaption><span class=\"key p50\">p50</span><span class=\"key p99\">p99</span>"
                           "<span class=\"key dashed most\">max</span>");
        if (draw_silence(NULL, &columns))
            buffer_append_text(out, "<span class=\"bad\">▒ nothing answered</span>");
        append_step(&columns, "the worst", out);
        buffer_append_text(out, "</figcaption>\n");
        struct plot plot = plot_begin(out, "Latency per second", 0, columns.seconds);
        plot_logarithmic(&plot, least, most, format_time_tick);
        draw_silence(&plot, &columns);
        plot_line(&plot, "most", columns.xs, columns.most, 2 * columns.count);
        plot_line(&plot, "p50", columns.xs, columns.p50, 2 * columns.count);
        plot_line(&plot, "p99", columns.xs, columns.p99, 2 * columns.count);
        label_time(&plot, columns.seconds);
        plot_end(&plot);
        buffer_append_text(out, "</figure>\n");
    }
    columns_done(&columns);
}
