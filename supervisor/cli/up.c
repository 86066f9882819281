/*
 * `farmd up`, the default verb: loads the settings, brings the farm and its API up, and lives until a signal ends it.
 * SIGINT and SIGTERM stop in order, a second one forces; SIGHUP reloads, unless it means that the terminal is gone.
 */
#include "supervisor/cli/cli.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/api/api.h"
#include "supervisor/cli/console.h"
#include "supervisor/cli/notify.h"
#include "supervisor/farm/farm.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>
#include <uv.h>

#define LAST_ANSWERS_MS 2000
#define LARGE_BLOCK (256 * 1024) /* from here on a block of memory goes back to the kernel when it is freed */

static const int signals_handled[] = {SIGINT, SIGTERM, SIGHUP};

struct up {
    uv_loop_t loop;
    uv_signal_t signals[ARRAY_SIZE(signals_handled)];
    uv_timer_t watchdog;
    bool has_watchdog;
    struct farm *farm;
    struct api *api;
    int argc; /* the flags, for reloads */
    char **argv;
    bool had_terminal;
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
    if (progress->adopted > 0 && !up->told_adopted) {
        up->told_adopted = true;
        console_adopted(progress);
    }
    console_progress(up->farm, progress);
    if (progress->settled < progress->total || up->announced) {
        return;
    }
    up->announced = true;
    console_addresses(up->farm);
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

/* --- the end --- */

static void end(void *data)
{
    struct up *up = data;
    console_stopped(clock_monotonic_ms() - up->stop_began_ms);
    events_set_listener(farm_events(up->farm), NULL, NULL); /* freeing the farm flushes what is left */
    api_free(steal(&up->api));
    farm_free(steal(&up->farm));
    for (size_t i = 0; i < ARRAY_SIZE(signals_handled); i++) {
        uv_close((uv_handle_t *)&up->signals[i], NULL);
    }
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
    if (code == 0 && path != NULL && (*settings)->config_path == NULL) {
        settings_free(steal(settings));
        return error_set(err, ENOENT, "%s is gone; put it back, or restart farmd to go on without it", path);
    }
    return code;
}

static void reload(struct up *up)
{
    struct settings *settings;
    struct error err = {0};
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

static int run(struct up *up, struct settings *settings)
{
    struct error err = {0};
    int code = farm_new(&up->loop, settings, &runtime_process_ops, &up->farm, &err);
    if (code != 0) {
        settings_free(settings);
        return cli_fail(code == -EBUSY || code == -EPERM ? CLI_USAGE : CLI_FAILED, "%s", err.message);
    }
    code = api_new(up->farm, &up->api, &err);
    if (code != 0) {
        farm_free(up->farm);
        uv_run(&up->loop, UV_RUN_DEFAULT);
        return cli_fail(CLI_FAILED, "%s", err.message);
    }
    for (size_t i = 0; i < ARRAY_SIZE(signals_handled); i++) {
        up->signals[i].data = up;
        uv_signal_init(&up->loop, &up->signals[i]);
        uv_signal_start(&up->signals[i], on_signal, signals_handled[i]);
    }
    begin_watchdog(up);
    console_opening(up->farm);
    events_set_listener(farm_events(up->farm), on_farm_event, up);
    farm_start(up->farm, on_progress, up);
    uv_run(&up->loop, UV_RUN_DEFAULT);
    return CLI_DONE;
}

int cli_up(int argc, char **argv)
{
    struct up up = {.argc = argc, .argv = argv, .had_terminal = terminal_is_there()};
    struct settings *settings;
    struct error err = {0};
    if (settings_load(argc, argv, &settings, &err) != 0) {
        return cli_fail(CLI_USAGE, "%s", err.message);
    }
    log_setup(settings->log_level, settings->log_format);
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    uv_loop_init(&up.loop);
    int code = run(&up, settings);
    uv_run(&up.loop, UV_RUN_DEFAULT); /* last close callbacks */
    uv_loop_close(&up.loop);
    return code;
}
