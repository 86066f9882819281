/*
 * A load test: one line of it beneath the list and an open server, and a screen with all of it.
 */
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/load/text.h"
#include "supervisor/cli/top/draw.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR 14

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double seconds_of(const cJSON *plan)
{
    const cJSON *stage;
    double seconds = 0;
    cJSON_ArrayForEach(stage, get(plan, "stages")) seconds += view_number(stage, "duration_seconds", 0);
    return seconds > 0 ? seconds : view_number(plan, "duration_seconds", NAN);
}

/* How much of it is over, 0 to 1. */
static double share_of(const cJSON *run)
{
    const cJSON *plan = get(run, "plan");
    double requests = view_number(plan, "requests", NAN), servers = view_number(run, "servers", 1);
    double by_time = view_number(run, "seconds", 0) / seconds_of(plan);
    double by_count = view_number(run, "requests", 0) / (requests * servers);
    return fmax(by_time, by_count); /* of one that is NaN, the other */
}

void draw_load_line(const struct scene *scene, struct canvas *canvas, int line)
{
    const cJSON *run = scene->load.run;
    char rate[LOAD_TEXT], p50[LOAD_TEXT], p99[LOAD_TEXT], failed[LOAD_TEXT], elapsed[24];
    bool running = strcmp(view_text(run, "status"), "running") == 0;
    units_format_duration(elapsed, (int64_t)(view_number(run, "seconds", 0) * 1000));
    int column = canvas_put(canvas, line, 0, canvas->columns, PAINT_STRONG, running ? "load " : "load test ");
    if (running) {
        canvas_bar(canvas, line, column, BAR, PAINT_GOOD, share_of(run));
        column += BAR;
    } else {
        column += canvas_put(canvas, line, column, canvas->columns - column, PAINT_STRONG, view_text(run, "status"));
    }
    double failures = view_number(run, "failed", 0);
    column += canvas_printf(
        canvas, line, column, canvas->columns - column, PAINT_PLAIN, " %6s  %s/s  p50 %s  p99 %s ms", elapsed,
        load_text_count(view_number(run, "achieved_rate", 0), rate), load_text_ms(view_number(run, "p50_us", 0), p50),
        load_text_ms(view_number(run, "p99_us", 0), p99));
    canvas_printf(canvas, line, column, canvas->columns - column, failures > 0 ? PAINT_BAD : PAINT_PLAIN, "  failed %s",
                  load_text_count(failures, failed));
}

void draw_load(const struct scene *scene, struct canvas *canvas)
{
    const cJSON *run = scene->load.run;
    struct buffer headline = BUFFER_EMPTY;
    draw_head(scene, canvas, "load test");
    draw_foot(scene, canvas);
    load_text_headline(get(run, "plan"), &headline);
    canvas_put(canvas, 1, 0, canvas->columns, PAINT_PLAIN, strtok(headline.data, "\n"));
    draw_load_line(scene, canvas, DRAW_LOAD_HEAD_LINES - 2);
    if (scene->load.report.count > 0)
        pane_draw(&scene->load.report, canvas, DRAW_LOAD_HEAD_LINES, draw_window(scene, canvas->lines), "");
    else if (strcmp(view_text(run, "status"), "running") == 0)
        canvas_put(canvas, DRAW_LOAD_HEAD_LINES, 0, canvas->columns, PAINT_FAINT,
                   "It goes on whether or not this is looked at; the report comes when it has ended.");
    else
        canvas_put(canvas, DRAW_LOAD_HEAD_LINES, 0, canvas->columns, PAINT_PLAIN,
                   "farmd ended in its midst; what was counted is lost.");
    buffer_done(&headline);
}
