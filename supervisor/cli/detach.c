/*
 * The background farmd says that it is ready as it would to systemd: a datagram to NOTIFY_SOCKET. Its output goes to a
 * log; when it ends before it is ready, the end of that log is what its starter has to say.
 */
#include "supervisor/cli/detach.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/console.h"
#include "supervisor/farm/logfile.h"
#include "supervisor/farm/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MAX 8192 /* bytes of the log that are repeated */

struct detached {
    struct settings *settings;
    struct farm_paths paths;
    int notify_fd, log_fd, pidfd;
    pid_t pid;
    int64_t log_begins; /* what was there of earlier farmds */
    int64_t began_ms;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* --- starting --- */

/* A socket with a name that the kernel gives, as NOTIFY_SOCKET writes it. */
static int open_notify(char name[128], struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return error_set_errno(err, code, "cannot make a socket to hear from farmd");
    }
    size_t named = length - offsetof(struct sockaddr_un, sun_path) - 1;
    snprintf(name, 128, "@%.*s", (int)named, address.sun_path + 1);
    return fd;
}

static int open_files(struct detached *detached, char notify[128], struct error *err)
{
    int code = farm_paths_make(&detached->paths, detached->settings, err);
    if (code < 0)
        return code;
    detached->log_begins = logfile_mark(detached->paths.own_log).offset;
    detached->log_fd = open(detached->paths.own_log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (detached->log_fd < 0)
        return error_set_errno(err, errno, "cannot open the log %s", detached->paths.own_log);
    detached->notify_fd = open_notify(notify, err);
    return detached->notify_fd < 0 ? detached->notify_fd : 0;
}

/* In the child. The descriptors are close-on-exec, but for the three that dup2 makes. */
static _Noreturn void become_farmd(const struct detached *detached, char **arguments)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    setsid();
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(detached->log_fd, STDOUT_FILENO) >= 0 &&
        dup2(detached->log_fd, STDERR_FILENO) >= 0)
        execv("/proc/self/exe", arguments);
    dprintf(detached->log_fd, "farmd: cannot start farmd: %s\n", strerror(errno));
    _exit(CLI_FAILED);
}

static int start(struct detached *detached, int argc, char **argv, struct error *err)
{
    static char name[] = "farmd", verb[] = "up";
    char notify[128] = "";
    int code = open_files(detached, notify, err);
    if (code < 0)
        return code;
    cleanup_free char **arguments = xcalloc((size_t)argc + 3, sizeof(char *));
    arguments[0] = name;
    arguments[1] = verb;
    for (int i = 0; i < argc; i++)
        arguments[i + 2] = argv[i];
    setenv("NOTIFY_SOCKET", notify, true);
    detached->pid = fork();
    if (detached->pid == 0)
        become_farmd(detached, arguments);
    if (detached->pid < 0)
        return error_set_errno(err, errno, "cannot start farmd in the background");
    detached->pidfd = pidfd_open(detached->pid, 0);
    return detached->pidfd < 0 ? error_set_errno(err, errno, "cannot watch farmd (pid %d)", (int)detached->pid) : 0;
}

/* --- waiting --- */

/* "READY=1\nSTATUS=49 of 50 servers ready" */
static bool parse_ready(const char *text, unsigned *ready, unsigned *total)
{
    static const char begin[] = "READY=1\nSTATUS=", of[] = " of ";
    char figures[2][16];
    int64_t numbers[2];
    if (strncmp(text, begin, sizeof(begin) - 1) != 0)
        return false;
    text += sizeof(begin) - 1;
    const char *second = strstr(text, of);
    if (!second)
        return false;
    snprintf(figures[0], sizeof(figures[0]), "%.*s", (int)(second - text), text);
    second += sizeof(of) - 1;
    snprintf(figures[1], sizeof(figures[1]), "%.*s", (int)strcspn(second, " "), second);
    for (int i = 0; i < 2; i++) {
        if (units_parse_int(figures[i], 0, UINT32_MAX, &numbers[i]) < 0)
            return false;
    }
    *ready = (unsigned)numbers[0];
    *total = (unsigned)numbers[1];
    return true;
}

/* False while nothing of it has come; anything else that is notified is passed over. */
static bool read_ready(const struct detached *detached, unsigned *ready, unsigned *total)
{
    char text[256];
    for (;;) {
        ssize_t length = recv(detached->notify_fd, text, sizeof(text) - 1, 0);
        if (length < 0)
            return false;
        text[length] = '\0';
        if (parse_ready(text, ready, total))
            return true;
    }
}

/* What it printed in this run, on the standard error. */
static void repeat_log(const struct detached *detached)
{
    struct buffer text = BUFFER_EMPTY;
    struct logfile_part part;
    int64_t end = logfile_mark(detached->paths.own_log).offset;
    int64_t from = end - SAID_MAX > detached->log_begins ? end - SAID_MAX : detached->log_begins;
    if (logfile_read(detached->paths.own_log, from, SAID_MAX, &text, &part, NULL) == 0 && text.length > 0)
        fwrite(text.data, 1, text.length, stderr);
    buffer_done(&text);
}

static int tell_end(const struct detached *detached)
{
    int status = 0;
    while (waitpid(detached->pid, &status, 0) < 0 && errno == EINTR)
        ;
    repeat_log(detached);
    if (WIFSIGNALED(status))
        return cli_fail(CLI_FAILED, "farmd was ended by signal %d before it was ready", WTERMSIG(status));
    return WEXITSTATUS(status) != 0
               ? WEXITSTATUS(status)
               : cli_fail(CLI_FAILED, "farmd was stopped before it was ready; its log: %s", detached->paths.own_log);
}

/* `farmd down` finds it by its state directory: said where no setting but a flag names that. */
static void tell_down(const struct settings *settings)
{
    struct settings *without_flags;
    struct error err;
    bool found = false;
    if (settings_load(0, NULL, &without_flags, &err) == 0) {
        found = strcmp(without_flags->state_dir, settings->state_dir) == 0;
        settings_free(without_flags);
    }
    printf("farmd down%s%s stops it. Look at it: ", found ? "" : " --state-dir ", found ? "" : settings->state_dir);
}

static void tell_addresses(const struct detached *detached)
{
    const struct settings *settings = detached->settings;
    if (settings->dashboard.port != 0)
        printf("  dashboard   http://localhost:%u\n", settings->dashboard.port);
    printf("  API         http://localhost:%u     docs: http://localhost:%u/docs\n", settings->api.port,
           settings->api.port);
    printf("  log         %s\n", detached->paths.own_log);
    tell_down(settings);
    fflush(stdout);
    console_next_steps(settings, settings_total_servers(settings));
}

static int tell_ready(const struct detached *detached, unsigned ready, unsigned total)
{
    char elapsed[24];
    units_format_duration(elapsed, clock_monotonic_ms() - detached->began_ms);
    printf("farmd " FARMD_VERSION " runs in the background (pid %d): %u of %u servers ready after %s\n",
           (int)detached->pid, ready, total, elapsed);
    tell_addresses(detached);
    if (ready == total)
        return CLI_DONE;
    fflush(stdout);
    return cli_fail(CLI_PARTLY, "%u of %u servers could not start yet; farmd ps state:backoff,state:failed says why",
                    total - ready, total);
}

static int wait_until_ready(const struct detached *detached)
{
    unsigned ready, total;
    for (;;) {
        struct pollfd waits[] = {{.fd = detached->notify_fd, .events = POLLIN},
                                 {.fd = detached->pidfd, .events = POLLIN}};
        int n = poll(waits, ARRAY_SIZE(waits), -1);
        if (interrupted)
            return cli_fail(CLI_INTERRUPTED,
                            "interrupted; farmd (pid %d) goes on in the background, farmd down stops it",
                            (int)detached->pid);
        if (n < 0 && errno != EINTR)
            return cli_fail(CLI_FAILED, "cannot wait for farmd: %s", strerror(errno));
        if (read_ready(detached, &ready, &total))
            return tell_ready(detached, ready, total);
        if (n > 0 && waits[1].revents != 0)
            return tell_end(detached);
    }
}

int detach_run(int argc, char **argv)
{
    struct detached detached = {.notify_fd = -1, .log_fd = -1, .pidfd = -1, .began_ms = clock_monotonic_ms()};
    struct error err;
    if (settings_load(argc, argv, &detached.settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    const struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    int code = start(&detached, argc, argv, &err);
    code = code < 0 ? cli_fail(CLI_FAILED, "%s", err.message) : wait_until_ready(&detached);
    if (detached.pidfd >= 0)
        close(detached.pidfd);
    if (detached.notify_fd >= 0)
        close(detached.notify_fd);
    if (detached.log_fd >= 0)
        close(detached.log_fd);
    farm_paths_done(&detached.paths);
    settings_free(detached.settings);
    return code;
}
