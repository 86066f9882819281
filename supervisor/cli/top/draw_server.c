/*
 * One server: why it restarted and what comes next, what it uses of its limits, its events and its log.
 */
#include "core/clock.h"
#include "supervisor/cli/frame/ending.h"
#include "supervisor/cli/frame/history.h"
#include "supervisor/cli/top/draw.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LABEL 10
#define BAR 16
#define USE 28 /* "41 of 256 MB", "61% of 0.5 CPU, throttled 12%" */
#define BUSY_PERCENT 80

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static int put_label(struct canvas *canvas, int line, const char *label)
{
    canvas_put(canvas, line, 0, LABEL, PAINT_FAINT, label);
    return LABEL;
}

static void put_sentence(struct canvas *canvas, int line, const char *label, const struct opened *opened,
                         void (*append)(const cJSON *server, int64_t now_us, struct buffer *out))
{
    struct buffer text = BUFFER_EMPTY;
    append(opened->server, opened->at_us, &text);
    int column = put_label(canvas, line, label);
    canvas_put(canvas, line, column, canvas->columns - column, PAINT_PLAIN, text.data);
    buffer_done(&text);
}

/* "running, unhealthy: probe timed out   for 3m12s   http://localhost:8007" */
static void put_state(struct canvas *canvas, const struct opened *opened)
{
    const cJSON *server = opened->server;
    const char *health = view_health(server), *error = view_text(server, "health_error");
    const char *url = view_text(server, "url");
    char since[VIEW_TEXT];
    bool runs = strcmp(health, "-") != 0;
    int room = canvas->columns - (int)strlen(url) - 2, column = 0;
    column += canvas_put(canvas, 1, 0, room, view_state_paint(server), view_text(server, "status"));
    if (runs) {
        column += canvas_put(canvas, 1, column, room - column, PAINT_PLAIN, ", ");
        column += canvas_put(canvas, 1, column, room - column, view_health_paint(server), health);
        column += canvas_put(canvas, 1, column, room - column, PAINT_PLAIN, " for ");
    } else {
        column += canvas_put(canvas, 1, column, room - column, PAINT_PLAIN, ": ");
    }
    column += canvas_put(canvas, 1, column, room - column, PAINT_PLAIN, view_since(server, opened->at_us, since));
    if (strcmp(error, "-") != 0)
        canvas_printf(canvas, 1, column, room - column, PAINT_BAD, " · %s", error);
    canvas_put_right(canvas, 1, room + 1, (int)strlen(url) + 1, PAINT_FAINT, url);
}

/* A figure now as a bar and in words; where there is room, its last half minute. */
static void put_use(struct canvas *canvas, int line, const char *label, const struct opened *opened, const char *column,
                    double share, double full, const char *use)
{
    const cJSON *points = get(opened->history, "points");
    struct buffer bars = BUFFER_EMPTY;
    int at = put_label(canvas, line, label);
    canvas_bar(canvas, line, at, BAR, share * 100 > BUSY_PERCENT ? PAINT_WARN : PAINT_GOOD, share);
    at += BAR + 1;
    int width = canvas_put(canvas, line, at, canvas->columns - at, PAINT_PLAIN, use);
    at += (width > USE ? width : USE) + 1;
    double most = history_most(points, column, HISTORY_WIDTH);
    history_append_bars(&bars, points, column, isnan(full) ? most : full, HISTORY_WIDTH);
    if (!isnan(most) && at + HISTORY_WIDTH <= canvas->columns)
        canvas_put(canvas, line, at, HISTORY_WIDTH, PAINT_PLAIN, bars.data);
    buffer_done(&bars);
}

static bool is_running(const cJSON *server)
{
    return cJSON_IsNumber(get(server, "cpu_percent"));
}

static void put_cpu(struct canvas *canvas, int line, const struct opened *opened)
{
    const cJSON *server = opened->server;
    double limit = view_number(get(server, "limits"), "cpu", NAN);
    char percent[VIEW_TEXT], throttled[VIEW_TEXT], of[32] = "the machine", use[3 * VIEW_TEXT] = "-";
    if (!isnan(limit))
        snprintf(of, sizeof(of), "%g CPU", limit);
    if (is_running(server))
        snprintf(use, sizeof(use), "%s of %s, throttled %s", view_percent(server, "cpu_percent", percent), of,
                 view_percent(server, "throttled_percent", throttled));
    put_use(canvas, line, "CPU", opened, "cpu_percent", view_number(server, "cpu_percent", NAN) / 100, 100, use);
}

static void put_memory(struct canvas *canvas, int line, const struct opened *opened)
{
    char use[VIEW_TEXT];
    double limit = view_number(get(opened->server, "limits"), "memory_mb", NAN);
    put_use(canvas, line, "memory", opened, "memory_mb", view_number(opened->server, "memory_percent", NAN) / 100,
            limit, view_memory(opened->server, use));
}

/* "group default", on a cluster also "group default, node farm-b" */
static void put_place(struct canvas *canvas, int line, int column, const cJSON *server)
{
    const char *node = view_text(server, "node");
    column += canvas_printf(canvas, line, column, canvas->columns - column, PAINT_PLAIN, "group %s",
                            view_text(server, "group"));
    if (strcmp(node, "-") != 0)
        canvas_printf(canvas, line, column, canvas->columns - column, PAINT_PLAIN, ", node %s", node);
}

static void put_requests(struct canvas *canvas, int line, const struct opened *opened)
{
    const cJSON *server = opened->server;
    char rate[VIEW_TEXT], errors[VIEW_TEXT], p50[VIEW_TEXT], p99[VIEW_TEXT], total[VIEW_TEXT], pid[VIEW_TEXT];
    int column = put_label(canvas, line, "requests"), room = canvas->columns;
    if (!is_running(server)) {
        column += canvas_put(canvas, line, column, room - column, PAINT_PLAIN, "- · ");
        put_place(canvas, line, column, server);
        return;
    }
    column +=
        canvas_printf(canvas, line, column, room - column, PAINT_PLAIN, "%s/s, %s errors/s",
                      view_rate(server, "requests_per_second", rate), view_rate(server, "errors_per_second", errors));
    if (cJSON_IsObject(get(server, "latency")))
        column += canvas_printf(canvas, line, column, room - column, PAINT_PLAIN, ", p50 %s, p99 %s",
                                view_latency(server, "p50_ms", p50), view_latency(server, "p99_ms", p99));
    column += canvas_printf(canvas, line, column, room - column, PAINT_PLAIN, "; %s in all · pid %s, ",
                            view_count(server, "requests_total", total), view_count(server, "pid", pid));
    put_place(canvas, line, column, server);
}

static int put_pane(const struct pane *pane, struct canvas *canvas, int line, int lines, const char *name, bool larger,
                    const char *empty)
{
    char title[96];
    snprintf(title, sizeof(title), pane->scrolled ? "%s: not its end; End follows it again" : "%s", name);
    canvas_rule(canvas, line, larger ? PAINT_STRONG : PAINT_PLAIN, title);
    pane_draw(pane, canvas, line + 1, lines, empty);
    return line + 1 + lines;
}

void draw_server(const struct scene *scene, struct canvas *canvas)
{
    const struct opened *opened = &scene->opened;
    int large = draw_window(scene, canvas->lines), small = draw_small_pane(canvas->lines);
    char title[32];
    snprintf(title, sizeof(title), "server-%d", opened->id);
    draw_head(scene, canvas, title);
    if (opened->server) {
        put_state(canvas, opened);
        put_sentence(canvas, 2, "last end", opened, ending_append_last);
        put_sentence(canvas, 3, "next", opened, ending_append_next);
        put_cpu(canvas, 4, opened);
        put_memory(canvas, 5, opened);
        put_requests(canvas, 6, opened);
    }
    for (int line = 1; line < DRAW_SERVER_HEAD_LINES && draw_is_stale(scene); line++)
        canvas_repaint(canvas, line, PAINT_FAINT);
    int line = put_pane(&opened->events, canvas, DRAW_SERVER_HEAD_LINES, opened->events_larger ? large : small,
                        "events", opened->events_larger, "nothing has happened to it yet");
    put_pane(&opened->log, canvas, line, opened->events_larger ? small : large, "log", !opened->events_larger,
             "it has printed nothing");
    draw_foot(scene, canvas);
}
