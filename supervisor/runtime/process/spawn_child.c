/*
 * What a child does between clone and exec; see spawn.h. System calls only, and those without the C library: it may share
 * farmd's memory, errno included, and even a copy has no other threads, which the C library's set*id would reach for.
 * Every step that fails ends the child: a server that keeps a privilege, a descriptor or another's cgroup must not run.
 */
#include "supervisor/runtime/process/spawn.h"

#include "supervisor/runtime/process/system_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define OPEN_FILES 16384 /* a server has a descriptor for each connection */
#define ABOVE_LAYOUT 64  /* where descriptors are parked while the layout is made */
#define FALLBACK_FD_MAX 65536
#define KERNEL_SIGSET_BYTES 8

static long open_file(const char *path, int flags)
{
    return system_call(SYS_openat, AT_FDCWD, system_call_pointer(path), flags | O_CLOEXEC, 0, 0);
}

static long write_to(int fd, const char *text, size_t length)
{
    return system_call(SYS_write, fd, system_call_pointer(text), (long)length, 0, 0);
}

static void close_file(int fd)
{
    system_call(SYS_close, fd, 0, 0, 0, 0);
}

/* "error ENOENT text: No such file or directory", as a server says it. `code` is negative. */
_Noreturn static void fail(const struct spawn_request *request, long code, const char *what, const char *name)
{
    const char *error = strerrorname_np((int)-code), *meaning = strerrordesc_np((int)-code);
    const char *const parts[] = {"error ",
                                 error == NULL ? "EIO" : error,
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
    write_to(request->ready_fd, line, used);
    for (;;) {
        system_call(SYS_exit_group, SPAWN_EXIT_FAILED, 0, 0, 0, 0);
    }
}

static void reset_signals(void)
{
    /* The kernel's struct, all zero: SIG_DFL. The C library keeps two signals to itself, and who started farmd by
     * posix_spawn (make does) left those ignored. Refused for KILL and STOP, which cannot be otherwise. */
    static const unsigned long standard[8];
    for (int signal = 1; signal < NSIG; signal++) {
        system_call(SYS_rt_sigaction, signal, system_call_pointer(standard), 0, KERNEL_SIGSET_BYTES, 0);
    }
    static const unsigned long none[KERNEL_SIGSET_BYTES / sizeof(unsigned long)];
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, system_call_pointer(none), 0, KERNEL_SIGSET_BYTES, 0);
}

static void join_cgroups(const struct spawn_request *request)
{
    for (unsigned i = 0; i < request->entry->join_count; i++) {
        long fd = open_file(request->entry->join[i], O_WRONLY);
        long code = fd < 0 ? fd : write_to((int)fd, "0", 1);
        if (code < 0) {
            fail(request, code, "cannot join the cgroup", request->entry->join[i]);
        }
        close_file((int)fd);
    }
}

/* Moves a descriptor out of the way of the layout, and later to its place. */
static int park(const struct spawn_request *request, int fd)
{
    long parked = fd < 0 ? -1 : system_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, ABOVE_LAYOUT, 0, 0);
    if (fd >= 0 && parked < 0) {
        fail(request, parked, "cannot duplicate a descriptor", NULL);
    }
    return (int)parked;
}

static void place(const struct spawn_request *request, int fd, int number, int flags)
{
    long code = fd < 0 ? 0 : system_call(SYS_dup3, fd, number, flags, 0, 0);
    if (code < 0) {
        fail(request, code, "cannot duplicate a descriptor", NULL);
    }
}

/* Returns the request with the numbers as they are from here on. */
static struct spawn_request lay_out_descriptors(const struct spawn_request *request)
{
    struct spawn_request now = *request;
    long opened = open_file("/dev/null", O_RDWR);
    if (opened < 0) {
        fail(request, opened, "cannot open", "/dev/null");
    }
    int null_fd = park(request, (int)opened);
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
        close_file(SPAWN_FD_COUNTERS);
    }
    if (executable_fd >= 0) {
        place(&now, executable_fd, SPAWN_FD_EXECUTABLE, O_CLOEXEC);
        now.executable_fd = SPAWN_FD_EXECUTABLE;
    } else {
        close_file(SPAWN_FD_EXECUTABLE);
    }
    /* By exec and not before: who waits for farmd's lock may then be sure that each server has its cgroup and its mark. */
    if (system_call(SYS_close_range, SPAWN_FD_END, ~0U, CLOSE_RANGE_CLOEXEC, 0, 0) != 0) {
        for (int fd = SPAWN_FD_END; fd < FALLBACK_FD_MAX; fd++) { /* Linux before 5.11 */
            system_call(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0);
        }
    }
    return now;
}

static long set_limit(int resource, rlim64_t most)
{
    const struct rlimit64 limit = {most, most};
    return system_call(SYS_prlimit64, 0, resource, system_call_pointer(&limit), 0, 0);
}

static void set_resources(const struct spawn_request *request)
{
    long code = set_limit(RLIMIT_CORE, 0);
    if (code < 0) {
        fail(request, code, "cannot limit core dumps", NULL);
    }
    /* It would be farmd's own as long as the memory is: then it comes later, from farmd. */
    long fd = request->shares_memory ? -1 : open_file("/proc/self/oom_score_adj", O_WRONLY);
    if (fd >= 0) {
        write_to((int)fd, SPAWN_OOM_SCORE_ADJUST, strlen(SPAWN_OOM_SCORE_ADJUST)); /* a preference, not a duty */
        close_file((int)fd);
    }
}

/* After the layout: farmd may have more open than a server may, and none could be duplicated under the server's limit. */
static void limit_descriptors(const struct spawn_request *request)
{
    struct rlimit64 files = {0, 0};
    if (system_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, system_call_pointer(&files), 0) == 0) {
        long code = set_limit(RLIMIT_NOFILE, files.rlim_max < OPEN_FILES ? files.rlim_max : OPEN_FILES);
        if (code < 0) {
            fail(request, code, "cannot limit descriptors", NULL);
        }
    }
}

static void set_host_name(const struct spawn_request *request, bool has_namespace)
{
    const char *name = request->host_name;
    if (name == NULL) {
        return;
    }
    if (!has_namespace && system_call(SYS_unshare, CLONE_NEWUTS, 0, 0, 0, 0) != 0) {
        return; /* not allowed here, and farmd said so; the name of the machine is not to be touched */
    }
    long code = system_call(SYS_sethostname, system_call_pointer(name), (long)strlen(name), 0, 0, 0);
    if (code < 0) {
        fail(request, code, "cannot set the host name", name);
    }
}

static void drop_privileges(const struct spawn_request *request)
{
    const struct identity *who = &request->identity;
    if (who->change) {
        long groups = system_call_pointer(who->groups);
        long code = system_call(SYS_setgroups, (long)who->group_count, groups, 0, 0, 0);
        if (code < 0) {
            fail(request, code, "cannot drop groups", NULL);
        }
        code = system_call(SYS_setresgid, who->gid, who->gid, who->gid, 0, 0);
        if (code < 0) {
            fail(request, code, "cannot change the group", NULL);
        }
        code = system_call(SYS_setresuid, who->uid, who->uid, who->uid, 0, 0);
        if (code < 0) {
            fail(request, code, "cannot change the user", NULL);
        }
        if (who->uid != 0 && system_call(SYS_setuid, 0, 0, 0, 0, 0) == 0) {
            fail(request, -EPERM, "could become root again after dropping it", NULL);
        }
    }
    long code = system_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (code < 0) {
        fail(request, code, "cannot give up new privileges", NULL);
    }
}

static void install_filter(const struct spawn_request *request)
{
    if (request->filter == NULL) {
        return;
    }
    long code = system_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, system_call_pointer(request->filter), 0, 0);
    if (code < 0) {
        fail(request, code, "cannot install the system call filter", NULL);
    }
}

void spawn_child(const struct spawn_request *request, bool joined, bool has_namespace)
{
    reset_signals();
    if (!joined) {
        join_cgroups(request);
    }
    long code = system_call(SYS_setsid, 0, 0, 0, 0, 0);
    if (code < 0) {
        fail(request, code, "cannot make a session", NULL);
    }
    set_host_name(request, has_namespace);
    set_resources(request);
    struct spawn_request now = lay_out_descriptors(request);
    limit_descriptors(&now);
    drop_privileges(&now);
    install_filter(&now);
    long argv = system_call_pointer(now.argv), envp = system_call_pointer(now.envp);
    if (now.path == NULL) {
        code = system_call(SYS_execveat, now.executable_fd, system_call_pointer(""), argv, envp, AT_EMPTY_PATH);
        fail(&now, code, "cannot execute", now.argv[0]);
    }
    code = system_call(SYS_execve, system_call_pointer(now.path), argv, envp, 0, 0);
    /* farmd has looked for the file itself: it is what the script's first line names that isn't there. */
    fail(&now, code, code == -ENOENT ? "cannot find the interpreter of" : "cannot execute", now.path);
}
