/*
 * See succession.h. The steps: the new program checks the settings (preflight.h); a calm moment is waited for, with
 * everything served as ever; then no request is begun any more, those under way end, and the new program is there before
 * anybody notices. Requests that take long hold it up, and at last have it refused: none is cut.
 */
#include "supervisor/cli/succession.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/control.h"
#include "supervisor/cli/handover.h"
#include "supervisor/cli/notify.h"
#include "supervisor/cli/preflight.h"
#include "supervisor/cli/signals.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define CALM_WAIT_MS 5000  /* for a calm moment, … */
#define CALM_MS 200        /* … in which no request under way is older */
#define CALM_PAUSE_MS 1000 /* then it was none: they go on, and it is waited for the next */
#define LAST_PAUSE_MS 4000 /* at last, when none came: for requests that are not older than that */
#define CHANGE_WAIT_MS 10000
#define WAIT_TICK_MS 50
#define PAUSE_TICK_MS 2

enum step {
    STEP_NONE,
    STEP_CHECK, /* the preflight runs */
    STEP_WAIT,
    STEP_PAUSE,
};

struct succession {
    struct farm *farm;
    struct api *api;
    int argc;
    char **argv;
    struct control *control;
    uv_timer_t timer;
    struct preflight *preflight;
    enum step step;
    bool signals_held;
    int64_t wait_began_ms;
    int64_t paused_ns, pause_max_ms;
    int program_fd; /* of the request under way */
    char program[PATH_MAX];
    char version[32];
};

static void on_tick(uv_timer_t *timer);

/* --- the end of a request --- */

/* Requests are begun again. */
static void go_on(struct succession *succession)
{
    if (succession->signals_held)
        signals_allow();
    succession->signals_held = false;
    api_resume(succession->api);
}

/* Everything as it was before the request. */
static void stand_down(struct succession *succession)
{
    if (succession->step == STEP_PAUSE)
        go_on(succession);
    if (succession->step == STEP_CHECK)
        preflight_cancel(steal(&succession->preflight));
    uv_timer_stop(&succession->timer);
    cleanup_close_impl(&succession->program_fd);
    succession->program_fd = -1;
    succession->step = STEP_NONE;
}

static void fail(struct succession *succession, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct succession *succession, const char *fmt, ...)
{
    char text[CONTROL_MESSAGE_MAX] = SUCCESSION_FAILED;
    const size_t word = strlen(SUCCESSION_FAILED);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + word, sizeof(text) - word, fmt, args);
    va_end(args);
    stand_down(succession);
    log_warning("not upgraded, this farmd goes on: %s", text + word);
    control_answer(succession->control, text);
}

/* --- the last step --- */

static void add_socket(const struct api_socket *socket, void *data)
{
    handover_add(data, socket);
}

static char **next_arguments(const struct succession *succession)
{
    static char verb[] = "up";
    char **arguments = xcalloc((size_t)succession->argc + 3, sizeof(*arguments));
    arguments[0] = (char *)succession->program;
    arguments[1] = verb;
    memcpy(arguments + 2, succession->argv, (size_t)succession->argc * sizeof(*arguments));
    return arguments;
}

/* Comes back only when the exec failed. */
static int become_next(struct succession *succession, const struct handover *handover, struct error *err)
{
    int fd = handover_give(handover, err);
    if (fd < 0)
        return fd;
    notify_send("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=handing over to farmd %s",
                (long long)(clock_monotonic_ns() / 1000), succession->version);
    char **arguments = next_arguments(succession);
    fexecve(succession->program_fd, arguments, environ);
    int code = errno;
    free(arguments);
    handover_withdraw(handover, fd);
    notify_send("READY=1\nSTATUS=the upgrade to farmd %s failed", succession->version);
    return error_set_errno(err, code, "%s cannot be run", succession->program);
}

/* Again in the next tick when the state file is just being written. */
static void leave(struct succession *succession)
{
    struct error err = {0};
    struct handover handover;
    int lock_fd;
    int code = farm_hand_over(succession->farm, &lock_fd, &err);
    if (code == -EBUSY)
        return;
    handover_init(&handover);
    snprintf(handover.version, sizeof(handover.version), FARMD_VERSION);
    handover.paused_ns = succession->paused_ns;
    handover.lock_fd = lock_fd;
    handover.reply_fd = control_peer(succession->control);
    api_hand_over(succession->api, add_socket, &handover);
    struct buffer events = BUFFER_EMPTY;
    events_save(farm_events(succession->farm), &events);
    handover.events = events.data;
    handover.events_length = events.length;
    if (code == 0)
        become_next(succession, &handover, &err);
    handover_done(&handover);
    buffer_done(&events);
    fail(succession, "%s", err.message);
}

/* --- waiting --- */

static void set_step(struct succession *succession, enum step step, uint64_t tick_ms)
{
    succession->step = step;
    uv_timer_start(&succession->timer, on_tick, tick_ms, tick_ms);
}

static void fail_busy(struct succession *succession, const struct http_under_way *now)
{
    char age[24];
    units_format_duration(age, (int64_t)now->oldest_ms);
    if (now->count == 0)
        fail(succession, "a scale, a reload, a rolling restart or the stop of a server is under way\n"
                         "  fix: try again when it is done");
    else
        fail(succession, "%s has been under way for %s\n  fix: try again when it is done",
             now->oldest[0] ? now->oldest : "a request", age);
}

static void wait_for_calm(struct succession *succession)
{
    struct http_under_way now;
    api_under_way(succession->api, &now);
    int64_t waited_ms = clock_monotonic_ms() - succession->wait_began_ms;
    bool last = waited_ms >= CALM_WAIT_MS;
    if (farm_is_changing(succession->farm)) {
        if (waited_ms >= CHANGE_WAIT_MS)
            fail_busy(succession, &now);
    } else if (now.oldest_ms < (last ? LAST_PAUSE_MS : CALM_MS)) {
        succession->pause_max_ms = last ? LAST_PAUSE_MS : CALM_PAUSE_MS;
        succession->paused_ns = clock_monotonic_ns();
        api_pause(succession->api);
        set_step(succession, STEP_PAUSE, PAUSE_TICK_MS);
        on_tick(&succession->timer);
    } else if (last) {
        fail_busy(succession, &now);
    }
}

static void wait_for_last(struct succession *succession)
{
    struct http_under_way now;
    api_under_way(succession->api, &now);
    bool over = clock_monotonic_ns() - succession->paused_ns > succession->pause_max_ms * NS_PER_MS;
    if (over && succession->pause_max_ms == LAST_PAUSE_MS) {
        fail_busy(succession, &now);
    } else if (over) {
        go_on(succession);
        set_step(succession, STEP_WAIT, WAIT_TICK_MS);
    } else if (now.count > 0 || farm_is_changing(succession->farm)) {
        return;
    } else if (!succession->signals_held) {
        /* One that comes from here on waits for the next farmd, and one that came before has its turn until the next
         * tick. */
        signals_hold();
        succession->signals_held = true;
    } else {
        leave(succession);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct succession *succession = timer->data;
    switch (succession->step) {
    case STEP_WAIT:
        wait_for_calm(succession);
        break;
    case STEP_PAUSE:
        wait_for_last(succession);
        break;
    case STEP_NONE:
    case STEP_CHECK:
        break;
    }
}

static void on_checked(const struct error *err, void *data)
{
    struct succession *succession = data;
    succession->preflight = NULL;
    succession->step = STEP_NONE;
    if (err) {
        fail(succession, "%s", err->message);
        return;
    }
    log_info("farmd %s is to take over", succession->version);
    succession->wait_began_ms = clock_monotonic_ms();
    set_step(succession, STEP_WAIT, WAIT_TICK_MS);
    on_tick(&succession->timer);
}

/* --- the request --- */

/* A program that another user could have put there, or could change, would act with this farmd's rights. Whoever owns the
 * one that runs, or may write to it, could have done so long ago. */
static int check_program(int fd, struct error *err)
{
    struct stat now, next;
    if (fstat(fd, &next) < 0 || stat("/proc/self/exe", &now) < 0)
        return error_set_errno(err, errno, "cannot look at the new farmd");
    if (!S_ISREG(next.st_mode) || (next.st_mode & 0111) == 0 || (next.st_mode & (S_ISUID | S_ISGID)) != 0)
        return error_set(err, EINVAL, "the new farmd is no plain program");
    if (next.st_nlink == 0)
        return error_set(err, ENOENT, "the new farmd has been deleted\n  fix: run farmd upgrade from where it is now");
    if (next.st_uid != 0 && next.st_uid != geteuid() && next.st_uid != now.st_uid)
        return error_set(err, EPERM, "the new farmd belongs to another user (uid %u)\n  fix: chown it to root",
                         next.st_uid);
    mode_t same_group = next.st_gid == now.st_gid ? now.st_mode & S_IWGRP : 0;
    if ((next.st_mode & (S_IWGRP | S_IWOTH) & ~same_group) != 0)
        return error_set(err, EPERM, "other users may write to the new farmd\n  fix: chmod go-w it");
    return 0;
}

static int look_at_program(struct succession *succession, struct error *err)
{
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", succession->program_fd);
    ssize_t n = readlink(link, succession->program, sizeof(succession->program) - 1);
    succession->program[n > 0 ? n : 0] = '\0';
    return check_program(succession->program_fd, err);
}

/* "upgrade 1 0.2.0" */
static int read_request(struct succession *succession, const char *text, struct error *err)
{
    const char *protocol = text + strlen(SUCCESSION_ASK);
    int64_t number = 0;
    cleanup_free char *digits = xstrndup(protocol, strcspn(protocol, " "));
    const char *version = protocol + strlen(digits);
    if (units_parse_int(digits, 0, INT_MAX, &number) < 0 || number != HANDOVER_PROTOCOL || *version != ' ')
        return error_set(err, EPROTO,
                         "this farmd (" FARMD_VERSION ") and the new one cannot hand over to each other\n"
                         "  fix: stop the farm and start it anew");
    snprintf(succession->version, sizeof(succession->version), "%s", version + 1);
    return 0;
}

static void on_message(struct control_message *message, void *data)
{
    struct succession *succession = data;
    cleanup_close int fd = message->fd;
    struct error err = {0};
    if (succession->step != STEP_NONE || strncmp(message->text, SUCCESSION_ASK, strlen(SUCCESSION_ASK)) != 0 || fd < 0)
        return; /* nothing that farmd upgrade says */
    succession->program_fd = fd;
    fd = -1;
    int code = read_request(succession, message->text, &err);
    if (code == 0)
        code = look_at_program(succession, &err);
    const struct preflight_options options = {
        .loop = farm_loop(succession->farm),
        .program = succession->program_fd,
        .settings = farm_settings(succession->farm),
        .argc = succession->argc,
        .argv = succession->argv,
        .done = on_checked,
        .data = succession,
    };
    if (code == 0)
        code = preflight_start(&options, &succession->preflight, &err);
    if (code < 0)
        fail(succession, "%s", err.message);
    else
        succession->step = STEP_CHECK;
}

static void on_gone(void *data)
{
    struct succession *succession = data;
    if (succession->step != STEP_NONE)
        fail(succession, "nobody waits for it any more");
}

/* --- life --- */

struct succession *succession_new(struct farm *farm, struct api *api, int argc, char **argv)
{
    static const struct control_calls calls = {.on_message = on_message, .on_gone = on_gone};
    struct succession *made = xcalloc(1, sizeof(*made));
    struct error err;
    if (control_listen(farm_loop(farm), farm_paths(farm)->control, &calls, made, &made->control, &err) < 0) {
        log_warning("farmd upgrade will not be possible: %s", err.message);
        free(made);
        return NULL;
    }
    uv_timer_init(farm_loop(farm), &made->timer);
    made->timer.data = made;
    made->farm = farm;
    made->api = api;
    made->argc = argc;
    made->argv = argv;
    made->program_fd = -1;
    return made;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void succession_end(struct succession *succession)
{
    if (!succession)
        return;
    if (succession->step != STEP_NONE)
        fail(succession, "the farm is being stopped");
    control_close(succession->control);
    uv_close((uv_handle_t *)&succession->timer, on_timer_closed);
}
