/*
 * The parent's part of starting a process; see spawn.h.
 */
#include "supervisor/runtime/process/spawn.h"

#include "core/log.h"
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A copy of farmd as fork makes it. */
static pid_t clone_child(const struct spawn_request *request, uint64_t flags, int *pidfd)
{
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | flags,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (request->entry->cgroup_fd >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)request->entry->cgroup_fd;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* Linux before 5.7, or a sandbox that knows no clone3: fork, and the child does the rest by itself. */
static pid_t fork_child(const struct spawn_request *request, int *pidfd)
{
    pid_t pid = fork();
    if (pid == 0) {
        spawn_child(request, false, false);
    }
    if (pid > 0) {
        *pidfd = pidfd_open(pid, 0);
    }
    return pid;
}

/* Without a copy where that can be. */
static pid_t clone_either(const struct spawn_request *request, bool new_namespace, int *pidfd)
{
    pid_t pid;
    if (spawn_shared(request, new_namespace, &pid, pidfd)) {
        return pid;
    }
    pid = clone_child(request, new_namespace ? CLONE_NEWUTS : 0, pidfd);
    if (pid == 0) {
        spawn_child(request, request->entry->cgroup_fd >= 0, new_namespace);
    }
    return pid;
}

static pid_t start_child(const struct spawn_request *request, int *pidfd)
{
    static bool no_clone3, no_namespace;
    if (!no_clone3) {
        bool new_namespace = request->host_name != NULL && !no_namespace;
        pid_t pid = clone_either(request, new_namespace, pidfd);
        if (pid < 0 && errno == EPERM && new_namespace) {
            no_namespace = true;
            log_warning("servers share the host name of this machine: no UTS namespace may be made here");
            pid = clone_either(request, false, pidfd);
        }
        if (pid > 0 || (errno != ENOSYS && errno != E2BIG && errno != EINVAL)) {
            return pid;
        }
        no_clone3 = true;
    }
    return fork_child(request, pidfd);
}

static int cannot_start(int code, struct error *err)
{
    if (code == EAGAIN) {
        return error_set_errno(err, code,
                               "cannot start a process (there are too many: see ulimit -u, TasksMax= of the "
                               "unit, pids.max of farmd's cgroup, kernel.pid_max)");
    }
    return error_set_errno(err, code, "cannot start a process");
}

int spawn_start(const struct spawn_request *request, struct spawn_result *result, struct error *err)
{
    /* A signal that came to the child before it has reset its handlers would run farmd's, on farmd's own descriptors. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    pid_t pid = start_child(request, &pidfd);
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        return cannot_start(code, err);
    }
    if (pidfd < 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
        return error_set_errno(err, code, "cannot watch process %d", (int)pid);
    }
    result->pid = pid;
    result->pidfd = pidfd;
    return 0;
}

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
}

static void refuse_program(const char *path, struct error *err)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        error_set_errno(err, errno, "there is no program %s; check the path", path);
    } else if (!S_ISREG(status.st_mode)) {
        error_set(err, EACCES, "%s is no file that can be executed; name a program", path);
    } else {
        error_set(err, EACCES, "%s is not executable; chmod +x it, or name what runs it, such as [python3, %s]", path,
                  path);
    }
}

char *spawn_find_program(const char *program, char *const *envp, struct error *err)
{
    if (strchr(program, '/') != NULL) {
        if (is_program(program)) {
            return xstrdup(program);
        }
        refuse_program(program, err);
        return NULL;
    }
    const char *search = RUNTIME_DEFAULT_PATH;
    for (char *const *variable = envp; *variable != NULL; variable++) {
        search = strncmp(*variable, "PATH=", 5) == 0 ? *variable + 5 : search;
    }
    while (*search != '\0') {
        size_t length = strcspn(search, ":");
        cleanup_free char *path = xasprintf("%.*s/%s", (int)length, search, program);
        if (length > 0 && is_program(path)) {
            return steal(&path);
        }
        search += length + (search[length] == ':' ? 1 : 0);
    }
    error_set(err, ENOENT, "there is no program \"%s\" in PATH; install it or give its path", program);
    return NULL;
}

int spawn_open_worker(struct error *err)
{
    static const char *const places[] = {"farm-worker", "../libexec/farmd/farm-worker"};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    for (size_t i = 0; slash != NULL && i < ARRAY_SIZE(places); i++) {
        cleanup_free char *path = xasprintf("%s/%s", self, places[i]);
        if (is_program(path)) {
            int fd = open(path, O_PATH | O_CLOEXEC);
            return fd >= 0 ? fd : error_set_errno(err, errno, "cannot open %s", path);
        }
    }
    const char *override = getenv("FARM_WORKER");
    if (override != NULL && is_program(override)) {
        int fd = open(override, O_PATH | O_CLOEXEC);
        return fd >= 0 ? fd : error_set_errno(err, errno, "cannot open FARM_WORKER=%s", override);
    }
    return error_set(err, ENOENT,
                     "there is no farm-worker in %s or %s/../libexec/farmd; build it (make), or set FARM_WORKER "
                     "to its path",
                     self, self);
}
