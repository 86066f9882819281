/*
 * What a child does between clone and exec; see spawn.h. System calls only, the raw ones where the C library would reach
 * for threads that this copy does not have (set*id). Every step that fails ends the child: a server that keeps a
 * privilege, a descriptor or another's cgroup must not run.
 */
#include "supervisor/runtime/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_FILES 16384 /* a server has a descriptor for each connection */
#define ABOVE_LAYOUT 64  /* where descriptors are parked while the layout is made */
#define FALLBACK_FD_MAX 65536
#define KERNEL_SIGSET_BYTES 8
#define OOM_SCORE_ADJUST "300" /* when the machine itself runs out, a server goes before farmd and other programs */

/* "error ENOENT text: No such file or directory", as a server says it. */
_Noreturn static void fail(const struct spawn_request *request, const char *what, const char *name)
{
    const char *code = strerrorname_np(errno), *meaning = strerrordesc_np(errno);
    const char *const parts[] = {"error ",
                                 code == NULL ? "EIO" : code,
                                 " ",
                                 what,
                                 name == NULL ? "" : " ",
                                 name == NULL ? "" : name,
                                 ": ",
                                 meaning == NULL ? "unknown error" : meaning,
                                 "\n"};
    char line[256];
    size_t used = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (const char *c = parts[i]; *c != '\0' && used < sizeof(line) - 1; c++) {
            line[used++] = *c;
        }
    }
    ssize_t ignored = write(request->ready_fd, line, used);
    (void)ignored;
    _exit(SPAWN_EXIT_FAILED);
}

static void reset_signals(void)
{
    /* The kernel's struct, all zero: SIG_DFL. Raw, because the C library keeps two signals to itself, and who started
     * farmd by posix_spawn (make does) left those ignored. Refused for KILL and STOP, which cannot be otherwise. */
    static const unsigned long standard[8];
    for (int signal = 1; signal < NSIG; signal++) {
        syscall(SYS_rt_sigaction, signal, standard, NULL, KERNEL_SIGSET_BYTES);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void join_cgroups(const struct spawn_request *request)
{
    for (unsigned i = 0; i < request->entry->join_count; i++) {
        int fd = open(request->entry->join[i], O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) != 1) {
            fail(request, "cannot join the cgroup", request->entry->join[i]);
        }
        close(fd);
    }
}

/* Moves a descriptor out of the way of the layout, and later to its place. */
static int park(const struct spawn_request *request, int fd)
{
    int parked = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, ABOVE_LAYOUT);
    if (fd >= 0 && parked < 0) {
        fail(request, "cannot duplicate a descriptor", NULL);
    }
    return parked;
}

static void place(const struct spawn_request *request, int fd, int number, int flags)
{
    if (fd >= 0 && dup3(fd, number, flags) < 0) {
        fail(request, "cannot duplicate a descriptor", NULL);
    }
}

/* Returns the request with the numbers as they are from here on. */
static struct spawn_request lay_out_descriptors(const struct spawn_request *request)
{
    struct spawn_request now = *request;
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0) {
        fail(request, "cannot open", "/dev/null");
    }
    null_fd = park(request, null_fd);
    int log_fd = park(request, request->log_fd);
    int counters_fd = park(request, request->counters_fd);
    int executable_fd = park(request, request->executable_fd);
    now.ready_fd = park(request, request->ready_fd);
    place(&now, null_fd, STDIN_FILENO, 0);
    place(&now, log_fd, STDOUT_FILENO, 0);
    place(&now, log_fd, STDERR_FILENO, 0);
    int parked_ready = now.ready_fd;
    place(&now, parked_ready, SPAWN_FD_READY, 0);
    now.ready_fd = SPAWN_FD_READY;
    if (counters_fd >= 0) {
        place(&now, counters_fd, SPAWN_FD_COUNTERS, 0);
    } else {
        close(SPAWN_FD_COUNTERS);
    }
    if (executable_fd >= 0) {
        place(&now, executable_fd, SPAWN_FD_EXECUTABLE, O_CLOEXEC);
        now.executable_fd = SPAWN_FD_EXECUTABLE;
    } else {
        close(SPAWN_FD_EXECUTABLE);
    }
    /* By exec and not before: who waits for farmd's lock may then be sure that each server has its cgroup and its mark. */
    if (close_range(SPAWN_FD_END, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        for (int fd = SPAWN_FD_END; fd < FALLBACK_FD_MAX; fd++) { /* Linux before 5.11 */
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
    return now;
}

static void set_resources(const struct spawn_request *request)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        fail(request, "cannot limit core dumps", NULL);
    }
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t ignored = write(fd, OOM_SCORE_ADJUST, strlen(OOM_SCORE_ADJUST)); /* a preference, not a duty */
        (void)ignored;
        close(fd);
    }
}

/* After the layout: farmd may have more open than a server may, and none could be duplicated under the server's limit. */
static void limit_descriptors(const struct spawn_request *request)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        rlim_t most = files.rlim_max < OPEN_FILES ? files.rlim_max : OPEN_FILES;
        files = (struct rlimit){most, most};
        if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
            fail(request, "cannot limit descriptors", NULL);
        }
    }
}

static void set_host_name(const struct spawn_request *request, bool has_namespace)
{
    if (request->host_name == NULL) {
        return;
    }
    if (!has_namespace && unshare(CLONE_NEWUTS) != 0) {
        return; /* not allowed here, and farmd said so; the name of the machine is not to be touched */
    }
    if (sethostname(request->host_name, strlen(request->host_name)) != 0) {
        fail(request, "cannot set the host name", request->host_name);
    }
}

static void drop_privileges(const struct spawn_request *request)
{
    const struct identity *who = &request->identity;
    if (who->change) {
        if (syscall(SYS_setgroups, who->group_count, who->groups) != 0) {
            fail(request, "cannot drop groups", NULL);
        }
        if (syscall(SYS_setresgid, who->gid, who->gid, who->gid) != 0) {
            fail(request, "cannot change the group", NULL);
        }
        if (syscall(SYS_setresuid, who->uid, who->uid, who->uid) != 0) {
            fail(request, "cannot change the user", NULL);
        }
        if (who->uid != 0 && syscall(SYS_setuid, 0) == 0) {
            errno = EPERM;
            fail(request, "could become root again after dropping it", NULL);
        }
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        fail(request, "cannot give up new privileges", NULL);
    }
}

void spawn_child(const struct spawn_request *request, bool joined, bool has_namespace)
{
    reset_signals();
    if (!joined) {
        join_cgroups(request);
    }
    if (setsid() < 0) {
        fail(request, "cannot make a session", NULL);
    }
    set_host_name(request, has_namespace);
    set_resources(request);
    struct spawn_request now = lay_out_descriptors(request);
    limit_descriptors(&now);
    drop_privileges(&now);
    if (now.filter != NULL && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, now.filter) != 0) {
        fail(&now, "cannot install the system call filter", NULL);
    }
    if (now.path == NULL) {
        syscall(SYS_execveat, now.executable_fd, "", now.argv, now.envp, AT_EMPTY_PATH);
        fail(&now, "cannot execute", now.argv[0]);
    }
    execve(now.path, now.argv, now.envp);
    /* farmd has looked for the file itself: it is what the script's first line names that isn't there. */
    fail(&now, errno == ENOENT ? "cannot find the interpreter of" : "cannot execute", now.path);
}
