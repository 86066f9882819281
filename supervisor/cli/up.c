/*
 * `farmd up`, the default verb: loads the settings, brings the farm and its API up, and lives until a signal ends it.
 * SIGINT and SIGTERM stop in order, a second one forces; SIGHUP reloads, unless it means that the terminal is gone.
 */
#include "supervisor/cli/verbs.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/api/api.h"
#include "supervisor/cli/console.h"
#include "supervisor/cli/control.h"
#include "supervisor/cli/detach.h"
#include "supervisor/cli/handover.h"
#include "supervisor/cli/notify.h"
#include "supervisor/cli/signals.h"
#include "supervisor/cli/succession.h"
#include "supervisor/farm/farm.h"
#include "supervisor/history/history.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <uv.h>

#define LAST_ANSWERS_MS 2000
#define RELOAD_AGAIN_MS 50
#define LARGE_BLOCK (128 * 1024) /* from here on a block of memory goes back to the kernel when it is freed */

static const int signals_handled[] = SIGNALS_HANDLED;

struct up {
    uv_loop_t loop;
    uv_signal_t signals[ARRAY_SIZE(signals_handled)];
    uv_timer_t watchdog;
    bool has_watchdog;
    uv_timer_t reload_later; /* while the farm is changing */
    struct farm *farm;
    struct history *history;
    struct api *api;
    struct succession *succession;
    struct handover handover; /* what this process has left to itself before it became this program */
    bool is_next;             /* … if it did */
    int argc;                 /* the flags, for reloads */
    char **argv;
    bool had_terminal;
    unsigned adopted;
    bool told_adopted, announced;
    bool answering; /* the farm has stopped, the last answers are on their way */
    int64_t stop_began_ms;
};

static bool terminal_is_there(void)
{
    cleanup_close int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 && isatty(fd);
}

static void on_progress(const struct farm_progress *progress, void *data)
{
    struct up *up = data;
    if (farm_is_stopping(up->farm)) { /* a start that is cut short serves nobody */
        return;
    }
    up->adopted = progress->adopted;
    if (progress->adopted > 0 && !up->told_adopted && !up->is_next) {
        up->told_adopted = true;
        console_adopted(progress);
    }
    if (!up->is_next) {
        console_progress(up->farm, progress);
    }
    if (progress->settled < progress->total || up->announced) {
        return;
    }
    up->announced = true;
    if (!up->is_next) {
        console_addresses(up->farm);
    }
    notify_send("READY=1\nSTATUS=%u of %u servers ready", progress->ready, progress->total);
}

static void on_farm_event(const struct event *event, void *data)
{
    struct up *up = data;
    if (!farm_is_stopping(up->farm)) {
        console_event(up->farm, event);
    }
}

static void on_watchdog(uv_timer_t *timer)
{
    struct up *up = timer->data;
    struct farm_totals totals;
    farm_totals(up->farm, &totals);
    notify_send("WATCHDOG=1\nSTATUS=%u of %zu servers running", totals.by_state[SERVER_RUNNING],
                farm_server_count(up->farm));
}

/* --- the history --- */

static void on_history_set_aside(const struct error *err, void *data)
{
    struct up *up = data;
    log_warning("%s", err->message);
    events_add(farm_events(up->farm), REASON_HISTORY_SET_ASIDE, 0, "%s", err->message);
}

static void on_history_written(const struct error *err, void *data)
{
    struct up *up = data;
    farm_trouble(up->farm, TROUBLE_HISTORY, err);
}

/* The farm's lock keeps others from the database until it is closed. */
static void on_history_closed(void *data)
{
    struct up *up = data;
    farm_free(steal(&up->farm));
}

static void open_history(struct up *up)
{
    static const struct history_calls calls = {
        .set_aside = on_history_set_aside, .report = on_history_written, .closed = on_history_closed};
    up->history = history_new(&up->loop, farm_paths(up->farm)->history, &calls, up);
    if (!up->is_next) {
        history_recall(up->history, farm_events(up->farm));
    }
}

/* --- the end --- */

static void end(void *data)
{
    struct up *up = data;
    console_stopped(clock_monotonic_ms() - up->stop_began_ms);
    events_set_listener(farm_events(up->farm), NULL, NULL); /* freeing the farm flushes what is left */
    api_free(steal(&up->api));
    history_close(steal(&up->history));
    for (size_t i = 0; i < ARRAY_SIZE(signals_handled); i++) {
        uv_close((uv_handle_t *)&up->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&up->reload_later, NULL);
    if (up->has_watchdog) {
        uv_close((uv_handle_t *)&up->watchdog, NULL);
    }
}

/* What was asked before the end is answered; a client that doesn't read holds nobody up. */
static void on_stopped(void *data)
{
    struct up *up = data;
    up->answering = true;
    api_drain(up->api, LAST_ANSWERS_MS, end, up);
}

static void stop(struct up *up)
{
    bool again = farm_is_stopping(up->farm);
    if (up->answering) {
        return;
    }
    if (!again) {
        succession_end(steal(&up->succession));
        api_farm_stopping(up->api);
        up->stop_began_ms = clock_monotonic_ms();
        notify_send("STOPPING=1\nSTATUS=stopping %zu servers", farm_server_count(up->farm));
    }
    console_stopping(up->farm, again);
    farm_stop(up->farm, on_stopped, up);
}

/* --- reload --- */

static void on_reloaded(const struct error *err, void *data)
{
    struct up *up = data;
    if (err != NULL) {
        log_error("reload: %s", err->message);
    }
    notify_send("READY=1\nSTATUS=%zu servers", farm_server_count(up->farm));
}

/* The settings as they are now. A file that was there and is gone is a mistake, not a wish for the defaults. */
static int load_again(struct up *up, struct settings **settings, struct error *err)
{
    const char *path = farm_settings(up->farm)->config_path;
    int code = settings_load(up->argc, up->argv, settings, err);
    if (code == 0 && (code = runtime_accepts(*settings, err)) < 0) {
        settings_free(steal(settings));
    }
    if (code == 0 && path != NULL && (*settings)->config_path == NULL) {
        settings_free(steal(settings));
        return error_set(err, ENOENT, "%s is gone; put it back, or restart farmd to go on without it", path);
    }
    return code;
}

static void reload(struct up *up);

static void on_reload_later(uv_timer_t *timer)
{
    struct up *up = timer->data;
    if (!farm_is_stopping(up->farm)) {
        reload(up);
    }
}

/* Several wishes during a scale or a reload are one: the settings count as they are when its turn has come. */
static void reload(struct up *up)
{
    struct settings *settings;
    struct error err = {0};
    if (farm_is_changing(up->farm)) {
        uv_timer_start(&up->reload_later, on_reload_later, RELOAD_AGAIN_MS, 0);
        return;
    }
    notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_monotonic_ns() / 1000));
    if (load_again(up, &settings, &err) != 0) {
        log_error("not reloaded, the farm goes on as it was: %s", err.message);
        events_add(farm_events(up->farm), REASON_RELOAD_FAILED, 0, "%.200s", err.message);
        notify_send("READY=1");
        return;
    }
    log_setup(settings->log_level, settings->log_format);
    console_settings_warnings(settings);
    farm_reload(up->farm, settings, on_reloaded, up);
}

static void on_signal(uv_signal_t *handle, int signal)
{
    struct up *up = handle->data;
    if (up->farm == NULL) {
        return;
    }
    bool terminal_gone = signal == SIGHUP && up->had_terminal && !terminal_is_there();
    if (signal != SIGHUP || terminal_gone) {
        stop(up);
    } else if (!farm_is_stopping(up->farm)) {
        reload(up);
    }
}

/* --- taking another farmd's place --- */

/* To `farmd upgrade`, which waits for it. */
static void answer(struct up *up, const char *word, const char *text)
{
    char message[CONTROL_MESSAGE_MAX];
    snprintf(message, sizeof message, "%s%s", word, text);
    if (up->handover.reply_fd >= 0) {
        (void)control_send(up->handover.reply_fd, -1, message); /* nobody waits any more */
        close(up->handover.reply_fd);
        up->handover.reply_fd = -1;
    }
}

static void tell_succession(struct up *up)
{
    char text[256], count[32] = "", elapsed[24];
    size_t total = farm_server_count(up->farm);
    if (up->adopted != total) {
        snprintf(count, sizeof count, "%u of ", up->adopted);
    }
    units_format_duration(elapsed, (clock_monotonic_ns() - up->handover.paused_ns) / NS_PER_MS);
    snprintf(text, sizeof text, "farmd " FARMD_VERSION " took over from %s (pid %d): %s%zu server%s adopted in %s",
             up->handover.version, (int)getpid(), count, total, total == 1 ? "" : "s", elapsed);
    log_info("%s", text);
    events_add(farm_events(up->farm), REASON_UPGRADED, 0, "%s", text);
    answer(up, SUCCESSION_DONE, text);
}

/* The end of a start that failed. As another's successor it leaves servers behind. */
static int give_up(struct up *up, int code, const struct error *err)
{
    if (up->is_next) {
        char text[CONTROL_MESSAGE_MAX];
        snprintf(text, sizeof text,
                 "%s\n  the old farmd is gone and its servers go on: `farmd` takes them over, `farmd down` stops them",
                 err->message);
        answer(up, SUCCESSION_FAILED, text);
    }
    return cli_fail(code, "%s", err->message);
}

/* --- the beginning --- */

static void begin_watchdog(struct up *up)
{
    int64_t interval_ms = notify_watchdog_interval_ms();
    if (interval_ms > 0) {
        up->has_watchdog = true;
        up->watchdog.data = up;
        uv_timer_init(&up->loop, &up->watchdog);
        uv_timer_start(&up->watchdog, on_watchdog, 0, (uint64_t)interval_ms / 2);
    }
}

static void begin_signals(struct up *up)
{
    up->reload_later.data = up;
    uv_timer_init(&up->loop, &up->reload_later);
    for (size_t i = 0; i < ARRAY_SIZE(signals_handled); i++) {
        up->signals[i].data = up;
        uv_signal_init(&up->loop, &up->signals[i]);
        uv_signal_start(&up->signals[i], on_signal, signals_handled[i]);
    }
    signals_allow();
}

static int run_farm(struct up *up, struct settings *settings)
{
    struct error err = {0};
    const struct handover *handover = &up->handover;
    int code = farm_new(&up->loop, settings, runtime_of(settings->runtime), handover->lock_fd, &up->farm, &err);
    if (code != 0) {
        settings_free(settings);
        return give_up(up, code == -EBUSY || code == -EPERM ? CLI_USAGE : CLI_FAILED, &err);
    }
    open_history(up);
    code = api_new(up->farm, up->history, handover->sockets, handover->socket_count, &up->api, &err);
    if (code != 0) {
        history_close(steal(&up->history));
        uv_run(&up->loop, UV_RUN_DEFAULT);
        return give_up(up, CLI_FAILED, &err);
    }
    if (up->is_next) {
        events_restore(farm_events(up->farm), handover->events, handover->events_length);
    }
    history_follow(up->history, farm_events(up->farm));
    up->succession = succession_new(up->farm, up->api, up->argc, up->argv);
    begin_signals(up);
    begin_watchdog(up);
    if (!up->is_next) {
        console_opening(up->farm);
    }
    events_set_listener(farm_events(up->farm), on_farm_event, up);
    farm_start(up->farm, on_progress, up);
    if (up->is_next) {
        tell_succession(up);
    }
    uv_run(&up->loop, UV_RUN_DEFAULT);
    return CLI_DONE;
}

/* A farmd may have left this process to this one by exec. By the number of a descriptor, or as /proc/self/exe: without
 * this its name among the processes would be that. */
static int take_handover(struct up *up)
{
    struct error err;
    prctl(PR_SET_NAME, "farmd");
    int code = handover_take(&up->handover, &err);
    if (code < 0) {
        return cli_fail(CLI_USAGE, "%s", err.message);
    }
    up->is_next = code > 0;
    return CLI_DONE;
}

static const struct cli_flag flags[] = {
    {.name = "--detach",
     .letter = 'd',
     .kind = CLI_SWITCH,
     .help = "in the background; returns when every server is ready. What it prints goes to logs/farmd.log"},
    {.name = NULL},
};

static int run(const struct cli_call *call)
{
    if (cli_given(call, "--detach"))
        return detach_run(call->settings_argc, call->settings_argv);
    struct up up = {.argc = call->settings_argc, .argv = call->settings_argv, .had_terminal = terminal_is_there()};
    struct settings *settings;
    struct error err = {0};
    int code = take_handover(&up);
    if (code != CLI_DONE) {
        return code;
    }
    code = settings_load(up.argc, up.argv, &settings, &err);
    if (code == 0 && (code = runtime_accepts(settings, &err)) < 0) {
        settings_free(settings);
    }
    if (code != 0) {
        code = give_up(&up, CLI_USAGE, &err);
        handover_done(&up.handover);
        return code;
    }
    log_setup(settings->log_level, settings->log_format);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit (ulimit -f) is an error like any other */
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    uv_loop_init(&up.loop);
    if (signals_begin(&up.loop, &err) == 0) {
        code = run_farm(&up, settings);
    } else {
        settings_free(settings);
        code = give_up(&up, CLI_FAILED, &err);
    }
    uv_run(&up.loop, UV_RUN_DEFAULT); /* last close callbacks */
    uv_loop_close(&up.loop);
    handover_done(&up.handover);
    return code;
}

const struct cli_verb verb_up = {
    .name = "up",
    .section = SECTION_RUN,
    .takes_settings = true,
    .flag_sets = {flags},
    .summary = "start the farm and keep it running; what farmd does without a command",
    .details =
        "Loads the settings, starts every server, serves the API and the dashboard, and lives until Ctrl-C. A "
        "second Ctrl-C doesn't wait for servers to finish. SIGHUP reloads farm.yaml and touches only what "
        "changed. Wrong settings: exit code 2, and nothing is started. With -d exit code 4 says that some servers "
        "could not start yet; farmd goes on trying.",
    .examples = (const struct cli_example[]){{"up --servers 10 --memory 32M", "ten small servers"},
                                             {"up -d", "in the background; farmd down stops it"},
                                             {"--servers 10", "the same: up is what farmd does without a command"},
                                             {NULL, NULL}},
    .run = run,
};
