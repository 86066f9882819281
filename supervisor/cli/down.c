/*
 * `farmd down`: ends a farm. A living farmd is told to; what a dead one left is taken up as its successor would, only to
 * be stopped in order.
 */
#include "supervisor/cli/verbs.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/purge.h"
#include "supervisor/farm/farm.h"
#include "supervisor/farm/lock.h"
#include "supervisor/farm/paths.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include <uv.h>

#define MARGIN_MS 15000 /* beyond the longest grace: last answers, cgroups, a slow machine */
#define AGAIN (-1)      /* no exit code: things have changed meanwhile */
#define TRIES 5
#define TRY_AGAIN_MS 200

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    fflush(stdout);
}

/* --- a farmd that lives --- */

static int64_t longest_grace_ms(const struct settings *settings)
{
    int64_t longest = 0;
    for (size_t i = 0; i < settings->group_count; i++) {
        if (settings->groups[i].stop_grace_ms > longest)
            longest = settings->groups[i].stop_grace_ms;
    }
    return longest;
}

/* Until the process has gone; false when the time is over. */
static bool wait_for_end(int pidfd, int64_t timeout_ms)
{
    int64_t end_ms = clock_monotonic_ms() + timeout_ms;
    struct pollfd gone = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        int64_t left_ms = end_ms - clock_monotonic_ms();
        if (left_ms <= 0)
            return false;
        if (poll(&gone, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX) > 0)
            return true;
    }
}

static int stop_farmd(int pidfd, pid_t pid, const struct settings *settings)
{
    int64_t began_ms = clock_monotonic_ms(), timeout_ms = longest_grace_ms(settings) + MARGIN_MS;
    say("stopping farmd (pid %d) and its servers\n", (int)pid);
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
        return cli_fail(CLI_FAILED,
                        "farmd (pid %d) cannot be told to stop: %s\n"
                        "  fix: run this as the user that started it, or as root",
                        (int)pid, strerror(errno));
    char elapsed[24];
    if (!wait_for_end(pidfd, timeout_ms)) {
        units_format_duration(elapsed, timeout_ms);
        return cli_fail(CLI_FAILED,
                        "farmd (pid %d) still runs after %s\n"
                        "  fix: `farmd down` again has it kill what does not end; if it hangs itself, "
                        "kill -9 %d first",
                        (int)pid, elapsed, (int)pid);
    }
    units_format_duration(elapsed, clock_monotonic_ms() - began_ms);
    say("stopped in %s\n", elapsed);
    return CLI_DONE;
}

/* --- what a dead one left --- */

static const int signals_handled[] = {SIGINT, SIGTERM}; /* the latter from a second `farmd down` */

struct clearing {
    uv_loop_t loop;
    uv_signal_t signals[ARRAY_SIZE(signals_handled)];
    struct farm *farm;
    unsigned adopted;
    int64_t began_ms;
};

static void on_progress(const struct farm_progress *progress, void *data)
{
    struct clearing *clearing = data;
    clearing->adopted = progress->adopted;
}

static void on_stopped(void *data)
{
    struct clearing *clearing = data;
    char elapsed[24];
    units_format_duration(elapsed, clock_monotonic_ms() - clearing->began_ms);
    if (clearing->adopted == 0)
        say("removed what a farmd that is gone had left\n");
    else
        say("stopped %u server%s that a farmd that is gone had left, in %s\n", clearing->adopted,
            clearing->adopted == 1 ? "" : "s", elapsed);
    for (size_t i = 0; i < ARRAY_SIZE(signals_handled); i++)
        uv_close((uv_handle_t *)&clearing->signals[i], NULL);
    unlink(farm_paths(clearing->farm)->control);
    farm_free(clearing->farm);
}

/* Nobody wants to wait for servers to finish. */
static void on_signal(uv_signal_t *handle, int signal)
{
    (void)signal;
    struct clearing *clearing = handle->data;
    farm_stop(clearing->farm, on_stopped, clearing);
}

/* Takes up what runs, only to stop it: no start gets its turn before. */
static void take_up_and_stop(struct clearing *clearing)
{
    for (size_t i = 0; i < ARRAY_SIZE(signals_handled); i++) {
        clearing->signals[i].data = clearing;
        uv_signal_init(&clearing->loop, &clearing->signals[i]);
        uv_signal_start(&clearing->signals[i], on_signal, signals_handled[i]);
    }
    farm_start(clearing->farm, on_progress, clearing);
    farm_stop(clearing->farm, on_stopped, clearing);
}

/* Owns the settings. -EBUSY when a farmd has just started. */
static int clear(struct settings *settings, struct error *err)
{
    struct clearing clearing = {.began_ms = clock_monotonic_ms()};
    if (settings->enforce == ENFORCE_REQUIRED)
        settings->enforce = ENFORCE_AUTO; /* nothing will run that could go without limits */
    uv_loop_init(&clearing.loop);
    int code = farm_new(&clearing.loop, settings, runtime_of(settings->runtime), -1, &clearing.farm, err);
    if (code == 0)
        take_up_and_stop(&clearing);
    else
        settings_free(settings);
    uv_run(&clearing.loop, UV_RUN_DEFAULT);
    uv_loop_close(&clearing.loop);
    return code;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

/* --- both --- */

/* One try; CLI_DONE when nothing of the farm runs any more. */
static int bring_down(int argc, char **argv, bool *stopped)
{
    struct settings *settings;
    struct farm_paths paths;
    struct error err;
    pid_t pid;
    if (settings_load(argc, argv, &settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    log_setup(settings->log_level, settings->log_format);
    farm_paths_init(&paths, settings);
    int code = CLI_DONE;
    cleanup_close int holder = lock_holder(paths.lock, &pid, NULL);
    if (holder >= 0) {
        code = stop_farmd(holder, pid, settings);
        *stopped = code == CLI_DONE;
    }
    bool left = is_there(paths.state) || is_there(paths.lock) || is_there(paths.runtime_dir);
    if (code != CLI_DONE || !left) {
        if (code == CLI_DONE && !*stopped)
            say("nothing to stop: no farm runs with the state directory %s; --state-dir names another\n",
                settings->state_dir);
        settings_free(settings);
    } else {
        int rc = clear(settings, &err);
        if (rc < 0 && rc != -EBUSY)
            code = cli_fail(CLI_FAILED, "%s", err.message);
        else if (rc < 0)
            code = AGAIN;
    }
    farm_paths_done(&paths);
    return code;
}

/* Under the lock, so that no farmd begins meanwhile whose files these would be. */
static int purge_locked(const struct settings *settings, const char *lock, struct error *err)
{
    struct purged purged;
    char size[24];
    if (!is_there(settings->state_dir)) {
        say("no logs or history: there is no directory %s\n", settings->state_dir);
        return 0;
    }
    int fd = lock_take(lock, err);
    if (fd < 0)
        return fd;
    int code = purge_state(settings->state_dir, &purged, err);
    lock_release(lock, fd);
    if (code < 0)
        return code;
    units_format_size(size, purged.bytes);
    if (purged.files == 0)
        say("no logs or history in %s\n", settings->state_dir);
    else
        say("removed logs and history of %s: %u file%s, %s\n", settings->state_dir, purged.files,
            purged.files == 1 ? "" : "s", size);
    rmdir(settings->state_dir); /* when nothing else is in it */
    return 0;
}

static int purge(int argc, char **argv)
{
    struct settings *settings;
    struct farm_paths paths;
    struct error err;
    if (settings_load(argc, argv, &settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    farm_paths_init(&paths, settings);
    int code = purge_locked(settings, paths.lock, &err);
    farm_paths_done(&paths);
    settings_free(settings);
    return code < 0 ? cli_fail(CLI_FAILED, "%s", err.message) : CLI_DONE;
}

static int run(const struct cli_call *call)
{
    bool stopped = false;
    int code = AGAIN;
    for (int i = 0; i < TRIES && code == AGAIN; i++) {
        if (i > 0)
            poll(NULL, 0, TRY_AGAIN_MS);
        code = bring_down(call->settings_argc, call->settings_argv, &stopped);
    }
    if (code == AGAIN)
        return cli_fail(CLI_FAILED, "farmds start here again and again\n  fix: end what starts them");
    return code == CLI_DONE && cli_given(call, "--purge") ? purge(call->settings_argc, call->settings_argv) : code;
}

static const struct cli_flag flags[] = {
    {.name = "--purge",
     .kind = CLI_SWITCH,
     .help = "remove the logs of the servers and of farmd, and the history, too: nothing of the farm is left"},
    {.name = NULL},
};

const struct cli_verb verb_down = {
    .name = "down",
    .section = SECTION_RUN,
    .takes_settings = true,
    .flag_sets = {flags},
    .summary = "stop the farm, also one whose farmd is gone",
    .details =
        "Stops the farm of the state directory that the settings name (--state-dir): tells its farmd to stop and "
        "waits until it has. A second `farmd down` meanwhile doesn't wait for servers to finish. When the farmd "
        "has died, it stops the servers that were left, in order and within their grace, and removes their "
        "cgroups and files; logs and history stay, unless --purge says otherwise. Exit code 0: nothing of the farm "
        "runs any more; 1: something does, and "
        "why; 2: the settings are wrong.",
    .examples = (const struct cli_example[]){{"down", "the farm of these settings"},
                                             {"down --purge", "and all that it has written"},
                                             {NULL, NULL}},
    .run = run,
};
