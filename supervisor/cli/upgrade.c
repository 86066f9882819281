/*
 * `farmd upgrade`: this program asks the running farmd to let it take its place. What happens there is in succession.c.
 */
#include "supervisor/cli/verbs.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/cli/control.h"
#include "supervisor/cli/handover.h"
#include "supervisor/cli/succession.h"
#include "supervisor/farm/lock.h"
#include "supervisor/farm/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX_MS 60000 /* the running farmd bounds each of its steps by much less */

/* Why nobody answers at the control socket. */
static int explain(const char *state_dir, const struct farm_paths *paths, const struct error *why)
{
    pid_t pid;
    cleanup_close int holder = lock_holder(paths->lock, &pid, NULL);
    if (why->code == EACCES || why->code == EPERM)
        return cli_fail(CLI_FAILED, "%s: the farm belongs to another user\n  fix: run this as that user, or as root",
                        why->message);
    if (holder >= 0)
        return cli_fail(CLI_FAILED,
                        "farmd (pid %d) takes no upgrade: it is just starting or stopping, or of a version "
                        "that cannot\n  fix: try again, or stop the farm and start it anew",
                        (int)pid);
    if (access(paths->lock, F_OK) == 0)
        return cli_fail(CLI_FAILED,
                        "the farmd of %s has died\n  fix: `farmd` takes its servers over, `farmd down` stops them",
                        state_dir);
    return cli_fail(CLI_FAILED,
                    "no farmd runs with the state directory %s\n"
                    "  fix: start it, or name the one that is meant with --state-dir and --runtime-dir",
                    state_dir);
}

static int ask(int socket, struct error *err)
{
    cleanup_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0)
        return error_set_errno(err, errno, "cannot open this program");
    char request[64];
    snprintf(request, sizeof(request), SUCCESSION_ASK "%d " FARMD_VERSION, HANDOVER_PROTOCOL);
    int code = control_send(socket, self, request);
    return code < 0 ? error_set_errno(err, -code, "cannot ask the running farmd") : 0;
}

/* What follows `word` in a message that begins with it, else NULL. */
static const char *behind(const struct control_message *message, const char *word)
{
    size_t length = strlen(word);
    return strncmp(message->text, word, length) == 0 ? message->text + length : NULL;
}

static bool runs(const struct farm_paths *paths)
{
    pid_t pid;
    cleanup_close int holder = lock_holder(paths->lock, &pid, NULL);
    return holder >= 0;
}

static int wait_for_answer(int socket, pid_t pid, const struct farm_paths *paths)
{
    int64_t end_ms = clock_monotonic_ms() + ANSWER_MAX_MS;
    for (;;) {
        int64_t left_ms = end_ms - clock_monotonic_ms();
        struct pollfd readable = {.fd = socket, .events = POLLIN};
        if (left_ms <= 0 || poll(&readable, 1, (int)left_ms) == 0)
            return cli_fail(CLI_FAILED, "farmd (pid %d) does not answer", (int)pid);
        struct control_message message = {.fd = -1};
        int code = control_receive(socket, &message);
        if (code == -EAGAIN)
            continue;
        if (code <= 0 && runs(paths))
            return cli_fail(CLI_FAILED,
                            "not upgraded: farmd (pid %d) has just been upgraded by somebody else\n"
                            "  fix: try again if that was to another program",
                            (int)pid);
        if (code <= 0)
            return cli_fail(CLI_FAILED,
                            "farmd (pid %d) ended before it had taken over; the servers go on\n"
                            "  fix: `farmd` takes them over, `farmd down` stops them",
                            (int)pid);
        cleanup_close_impl(&message.fd); /* none is expected */
        const char *text = behind(&message, SUCCESSION_DONE);
        if (text)
            return printf("%s\n", text) < 0 || fflush(stdout) != 0 ? CLI_FAILED : CLI_DONE;
        text = behind(&message, SUCCESSION_FAILED);
        if (text)
            return cli_fail(CLI_FAILED, "not upgraded: %s", text);
    }
}

static int run(const struct cli_call *call)
{
    struct settings *settings;
    struct farm_paths paths;
    struct error err;
    pid_t pid;
    if (settings_load(call->settings_argc, call->settings_argv, &settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    farm_paths_init(&paths, settings);
    cleanup_close int socket = control_connect(paths.control, &pid, &err);
    int code;
    if (socket < 0)
        code = explain(settings->state_dir, &paths, &err);
    else if (ask(socket, &err) < 0)
        code = cli_fail(CLI_FAILED, "%s", err.message);
    else
        code = wait_for_answer(socket, pid, &paths);
    farm_paths_done(&paths);
    settings_free(settings);
    return code;
}

const struct cli_verb verb_upgrade = {
    .name = "upgrade",
    .section = SECTION_RUN,
    .takes_settings = true,
    .summary = "put this farmd in the place of the running one; no server and no client notices",
    .details =
        "Run it from the new program. The running farmd of the state directory that the settings name "
        "(--state-dir) has the new one check the settings, waits for a moment in which nothing takes long, and "
        "becomes it, with the same pid, flags, environment, sockets and servers. No request is refused or cut; "
        "streams end and are taken up again. While a load test, a scale or a rolling restart goes on the upgrade "
        "is refused, after at most 10 s. The program must belong to root, to the user that runs farmd or to the "
        "owner of the running program, and must not be writable by others. Exit code 0: it runs; 1: it does not, "
        "and why; 2: the settings are wrong.",
    .examples = (const struct cli_example[]){{"upgrade", "as /opt/farmd-2/farmd upgrade, run from the new program"},
                                             {NULL, NULL}},
    .run = run,
};
