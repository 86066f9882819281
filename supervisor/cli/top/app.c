/*
 * See app.h. Whatever happens marks the screen as out of date; it is drawn once, before the loop waits again.
 */
#include "supervisor/cli/top/app.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/cli/frame/text.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/top/acts.h"
#include "supervisor/cli/top/commands.h"
#include "supervisor/cli/top/draw.h"
#include "supervisor/cli/top/terminal.h"

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define CLOCK_MS 1000
#define MESSAGE_MS 15000 /* a message is read by then */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};

struct app {
    uv_loop_t loop;
    uv_signal_t signals[ARRAY_SIZE(signals)];
    uv_poll_t input;
    uv_timer_t clock;
    uv_prepare_t drawing;
    struct scene scene;
    struct feed *feed;
    struct canvas canvas;
    int64_t answered_ms; /* monotonic, of the last answer */
    bool outdated;       /* the screen */
    int ended_by;        /* a signal; 0: none */
    int code;
};

/* --- drawing --- */

static void fit(struct app *app)
{
    int lines, columns;
    terminal_size(&lines, &columns);
    canvas_done(&app->canvas);
    canvas_init(&app->canvas, lines, columns, !terminal_has_utf8());
    model_set_window(&app->scene.model, (size_t)draw_list_window(&app->scene, lines));
    app->outdated = true;
}

static void on_before_waiting(uv_prepare_t *prepare)
{
    struct app *app = prepare->data;
    if (!app->outdated)
        return;
    app->scene.silent_ms = clock_monotonic_ms() - app->answered_ms;
    draw_screen(&app->scene, &app->canvas);
    terminal_show(&app->canvas);
    app->outdated = false;
}

static void on_clock(uv_timer_t *timer)
{
    struct app *app = timer->data;
    if (app->scene.message[0] != '\0' && clock_monotonic_ms() - app->scene.message_ms > MESSAGE_MS)
        app->scene.message[0] = '\0';
    app->outdated = true;
}

/* --- keys and signals --- */

static void quit(struct app *app, int code)
{
    app->code = code;
    uv_stop(&app->loop);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct app *app = poll->data;
    int key = terminal_key();
    (void)events;
    if (key < 0 && (status < 0 || terminal_is_gone())) {
        app->ended_by = SIGHUP;
        quit(app, CLI_FAILED);
    }
    for (; key >= 0; key = terminal_key()) {
        if (!commands_key(&app->scene, app->feed, key, app->canvas.lines, app->canvas.columns)) {
            quit(app, CLI_DONE);
            break;
        }
    }
    app->outdated = true;
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *app = handle->data;
    if (number == SIGWINCH) {
        terminal_resize();
        fit(app);
    } else {
        app->ended_by = number == SIGINT ? 0 : number;
        quit(app, CLI_INTERRUPTED);
    }
}

/* --- what the farm says --- */

static void on_snapshot(struct snapshot *snapshot, bool single, void *data)
{
    struct app *app = data;
    app->answered_ms = clock_monotonic_ms();
    app->scene.trouble[0] = '\0';
    app->outdated = true;
    if (!single) {
        model_take(&app->scene.model, snapshot, app->scene.filter == NULL);
        return;
    }
    scene_take_server(&app->scene, steal(&snapshot->single), snapshot->at_us);
    snapshot_free(snapshot);
}

/* What was looked at is not there any more, or never was: the list of all is. */
static void on_refusal(struct app *app, const char *sentence)
{
    static const char field[] = "select: ";
    sentence += strncmp(sentence, field, strlen(field)) == 0 ? strlen(field) : 0;
    scene_say(&app->scene, PAINT_BAD, "%s", sentence);
    if (app->scene.opened.id) {
        scene_open(&app->scene, 0);
        feed_open(app->feed, 0);
    } else if (app->scene.filter) {
        free(steal(&app->scene.filter));
        feed_select(app->feed, NULL);
    }
}

static void on_trouble(const char *sentence, bool refused, void *data)
{
    struct app *app = data;
    app->outdated = true;
    if (refused)
        on_refusal(app, sentence);
    else
        snprintf(app->scene.trouble, sizeof(app->scene.trouble), "%s", sentence);
}

static void on_policy(const cJSON *server, void *data)
{
    struct app *app = data;
    app->scene.opened.policy = cJSON_Duplicate(server, true);
}

static void on_history(const cJSON *history, void *data)
{
    struct app *app = data;
    cJSON_Delete(app->scene.opened.history);
    app->scene.opened.history = cJSON_Duplicate(history, true);
    app->outdated = true;
}

/* Of a line that begins with a time, as farm-worker's do, that time is shown and not the one at which it was seen. */
static void add_line(struct pane *log, int64_t at_us, const char *text)
{
    int64_t own_us = text_parse_time(text);
    if (own_us > 0)
        text += CLOCK_ISO_LENGTH;
    if (own_us > 0 && *text == ' ')
        text++;
    pane_add(log, own_us > 0 ? own_us : at_us, PAINT_PLAIN, text);
}

static void on_lines(const cJSON *lines, void *data)
{
    struct app *app = data;
    const cJSON *line;
    cJSON_ArrayForEach(line, cJSON_GetObjectItemCaseSensitive(lines, "lines"))
    {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(line, "text");
        add_line(&app->scene.opened.log, view_time(line, "at"), cJSON_IsString(text) ? text->valuestring : "");
    }
    app->outdated = true;
}

static void on_event(const cJSON *event, void *data)
{
    struct app *app = data;
    bool warning = !event || cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(event, "warning"));
    int64_t at_us = event ? view_time(event, "at") : clock_realtime_us();
    cleanup_free char *text = event ? xasprintf("%-14s  %s", view_text(event, "reason"), view_text(event, "message"))
                                    : xstrdup("some events came faster than they could be told, and are gone");
    pane_add(&app->scene.opened.events, at_us, warning ? PAINT_BAD : PAINT_PLAIN, text);
    app->outdated = true;
}

static void take_load(struct app *app, const cJSON *run)
{
    bool had_none = app->scene.load.run == NULL;
    scene_take_load(&app->scene, cJSON_Duplicate(run, true));
    if (had_none)
        fit(app); /* its line comes beneath the list */
    app->outdated = true;
}

static void on_load(const cJSON *run, void *data)
{
    struct app *app = data;
    if (run)
        take_load(app, run);
    if (!run)
        scene_say(&app->scene, PAINT_BAD, "the load test is gone: farmd ended in its midst");
    else if (!scene_is_loading(&app->scene))
        scene_say(&app->scene, PAINT_GOOD, "the load test has ended; L shows the report");
}

static void on_done(const cJSON *answer, int64_t ms, const char *sentence, void *data)
{
    struct app *app = data;
    if (answer && cJSON_GetObjectItemCaseSensitive(answer, "plan")) {
        take_load(app, answer);
        feed_watch_load(app->feed, view_text(answer, "url"));
        scene_say(&app->scene, PAINT_PLAIN, "L shows the load test");
    } else {
        acts_tell(&app->scene, answer, ms, sentence);
    }
    app->outdated = true;
}

static const struct feed_listener listener = {
    .on_snapshot = on_snapshot,
    .on_trouble = on_trouble,
    .on_policy = on_policy,
    .on_history = on_history,
    .on_lines = on_lines,
    .on_event = on_event,
    .on_load = on_load,
    .on_done = on_done,
};

/* --- its life --- */

static void begin(struct app *app, const struct app_options *options)
{
    uv_loop_init(&app->loop);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        uv_signal_init(&app->loop, &app->signals[i]);
        app->signals[i].data = app;
        uv_signal_start(&app->signals[i], on_signal, signals[i]);
    }
    uv_poll_init(&app->loop, &app->input, STDIN_FILENO);
    uv_timer_init(&app->loop, &app->clock);
    uv_prepare_init(&app->loop, &app->drawing);
    app->input.data = app->clock.data = app->drawing.data = app;
    uv_poll_start(&app->input, UV_READABLE | UV_DISCONNECT, on_input);
    uv_timer_start(&app->clock, on_clock, CLOCK_MS, CLOCK_MS);
    uv_prepare_start(&app->drawing, on_before_waiting);
    app->feed = feed_new(&app->loop, options->reach, &listener, app);
    feed_select(app->feed, options->filter);
}

static void end(struct app *app)
{
    feed_free(app->feed);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        uv_close((uv_handle_t *)&app->signals[i], NULL);
    uv_close((uv_handle_t *)&app->input, NULL);
    uv_close((uv_handle_t *)&app->clock, NULL);
    uv_close((uv_handle_t *)&app->drawing, NULL);
    uv_run(&app->loop, UV_RUN_DEFAULT);
    uv_loop_close(&app->loop);
    scene_done(&app->scene);
    canvas_done(&app->canvas);
}

int app_run(const struct app_options *options, struct error *err)
{
    struct app app = {.answered_ms = clock_monotonic_ms()};
    scene_init(&app.scene, options->reach->address.url, options->filter);
    app.scene.model.sort = options->sort;
    model_take(&app.scene.model, options->first, options->filter == NULL);
    if (terminal_open(err) < 0) {
        scene_done(&app.scene);
        return CLI_USAGE;
    }
    begin(&app, options);
    fit(&app);
    uv_run(&app.loop, UV_RUN_DEFAULT);
    terminal_close();
    end(&app);
    if (app.ended_by != 0)
        raise(app.ended_by);
    return app.code;
}
