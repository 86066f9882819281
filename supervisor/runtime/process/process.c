/*
 * The life of one run; see process.h.
 */
#include "supervisor/runtime/process/process.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/descriptors.h"
#include "supervisor/runtime/process/port.h"
#include "supervisor/runtime/process/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define OOM_TELL_MS 1000 /* the main process, when it was the victim, is gone by then, even on a slow machine */

static void on_handle_closed(uv_handle_t *handle)
{
    struct runtime_process *process = handle->data;
    if (--process->open_handles > 0) {
        return;
    }
    struct runtime *runtime = process->runtime;
    close(process->pidfd);
    if (process->ready.fd >= 0) {
        close(process->ready.fd);
    }
    counters_unmap(process->counters);
    free(process->counters_path);
    free(process);
    runtime_unref(runtime);
}

void process_close_handles(struct runtime_process *process)
{
    uv_handle_t *const handles[] = {(uv_handle_t *)&process->exit_poll, (uv_handle_t *)&process->ready.poll,
                                    (uv_handle_t *)&process->timer};
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
        if (handles[i]->loop != NULL && !uv_is_closing(handles[i])) { /* not all may have been made */
            uv_close(handles[i], on_handle_closed);
        }
    }
}

static bool read_ready(struct runtime_process *process)
{
    bool ended = false;
    bool ready = process->ready.fd >= 0 && ready_pipe_read(&process->ready, &ended);
    if (ended) {
        /* Closed, not only stopped: a later uv_close would take the descriptor's number out of the loop's epoll set, and by
         * then the number may be another process's pidfd, whose exit nobody would hear of. */
        uv_close((uv_handle_t *)&process->ready.poll, on_handle_closed);
        close(process->ready.fd);
        process->ready.fd = -1;
    }
    return ready;
}

static void on_ready_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct runtime_process *process = poll->data;
    spawn_shared_settle();
    if (read_ready(process) && process->state == PROCESS_RUNNING) {
        process->oom_to_prefer = process->counters != NULL;
        process->runtime->events.on_ready(process->owner);
    }
}

static void on_exited(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct runtime_process *process = poll->data;
    siginfo_t info = {0};
    struct runtime_exit *exit = &process->exit;
    if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) != 0) {
        exit->kind = RUNTIME_EXIT_UNKNOWN; /* not our child */
    } else if (info.si_pid == 0) {
        return; /* not yet */
    } else if (info.si_code == CLD_EXITED) {
        exit->kind = RUNTIME_EXIT_CODE;
        exit->exit_code = info.si_status;
    } else {
        exit->kind = RUNTIME_EXIT_SIGNAL;
        exit->signal = info.si_status;
    }
    uv_poll_stop(&process->exit_poll);
    uv_timer_stop(&process->timer);
    read_ready(process);
    snprintf(exit->detail, sizeof(exit->detail), "%s", process->ready.detail);
    exit->not_started =
        exit->kind == RUNTIME_EXIT_CODE && exit->exit_code == SPAWN_EXIT_FAILED && *exit->detail != '\0';
    process_end(process);
}

static void on_oom_told(uv_timer_t *timer)
{
    struct runtime_process *process = timer->data;
    process->oom_waiting = false;
    process->oom_seen = leaf_oom_kills(&process->leaf);
    if (process->runtime->events.on_oom != NULL) {
        process->runtime->events.on_oom(process->owner);
    }
}

/* What a child in farmd's memory could not do for itself. A preference, so it may wait until after the start. */
static void prefer_for_oom(struct runtime_process *process)
{
    char path[40];
    process->oom_to_prefer = false;
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)process->pid);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    /* An adopted one may have ended, and its number be another's; while it lives the file is its own. */
    if (fd >= 0 && pidfd_send_signal(process->pidfd, 0, NULL, 0) == 0) {
        ssize_t ignored = write(fd, SPAWN_OOM_SCORE_ADJUST, strlen(SPAWN_OOM_SCORE_ADJUST));
        (void)ignored;
    }
}

void process_sample(struct runtime_process *process, struct runtime_sample *sample)
{
    if (process->state != PROCESS_RUNNING) {
        *sample = process->last_sample;
        return;
    }
    if (process->oom_to_prefer) {
        prefer_for_oom(process);
    }
    leaf_sample(&process->leaf, sample);
    process->last_sample = *sample; /* until the first round of its ending */
    if (sample->oom_kills > process->oom_seen && !process->oom_waiting) {
        process->oom_waiting = true;
        uv_timer_start(&process->timer, on_oom_told, OOM_TELL_MS, 0);
    }
}

int process_signal(struct runtime_process *process, int signal, struct error *err)
{
    if (process->state != PROCESS_RUNNING || pidfd_send_signal(process->pidfd, signal, NULL, 0) == 0 ||
        errno == ESRCH) {
        return 0; /* already ended: its exit is on the way */
    }
    return error_set_errno(err, errno, "%s (pid %d): cannot send signal %d", process->leaf.name, (int)process->pid,
                           signal);
}

int process_kill(struct runtime_process *process, struct error *err)
{
    if (process->state != PROCESS_RUNNING) {
        return 0;
    }
    int rc = process->leaf.slice->ops->kill(&process->leaf);
    /* The main process by itself too: it may not have joined its cgroup yet. What forked meanwhile goes at its end. */
    int signal_rc = process_signal(process, SIGKILL, err);
    return rc == 0 || rc == -EBUSY ? signal_rc : 0;
}

/* What a start has opened so far; released in one place when it fails. */
struct start_parts {
    int log_fd, counters_fd, executable_fd, ready_write_fd;
    char *program;
    char **environment;
};

static void release_parts(struct start_parts *parts)
{
    cleanup_close_impl(&parts->log_fd);
    cleanup_close_impl(&parts->counters_fd);
    cleanup_close_impl(&parts->executable_fd);
    cleanup_close_impl(&parts->ready_write_fd);
    free(parts->program);
    free(parts->environment);
}

static bool is_ours(const char *variable)
{
    return strncmp(variable, "FARMD_READY_FD=", 15) == 0 || strncmp(variable, "FARMD_COUNTERS_FD=", 18) == 0 ||
           strncmp(variable, PROCFS_MARK "=", strlen(PROCFS_MARK) + 1) == 0;
}

/* One block, and the given variables are only pointed at: each page that farmd writes to between two starts is one that
 * the kernel has to copy, and small strings would lie on many. */
_Static_assert(SPAWN_FD_READY == 3 && SPAWN_FD_COUNTERS == 4, "the numbers in the environment below");
static char **make_environment(const struct runtime *runtime, const struct runtime_spec *spec)
{
    static char ready[] = "FARMD_READY_FD=3";
    static char counters[] = "FARMD_COUNTERS_FD=4";
    size_t count = 0, n = 0;
    while (spec->envp != NULL && spec->envp[count] != NULL) {
        count++;
    }
    size_t pointers = (count + 4) * sizeof(char *);
    size_t mark_size = sizeof(PROCFS_MARK "=/") + strlen(runtime->slice->name) + strlen(spec->name);
    char **environment = xcalloc(1, pointers + mark_size);
    char *mark = (char *)environment + pointers;
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(spec->envp[i])) {
            environment[n++] = spec->envp[i];
        }
    }
    snprintf(mark, mark_size, PROCFS_MARK "=%s/%s", runtime->slice->name, spec->name);
    environment[n++] = ready;
    environment[n++] = mark;
    if (spec->argv == NULL) {
        environment[n++] = counters;
    }
    return environment;
}

int process_map_counters(struct runtime_process *process, int fd, struct error *err)
{
    int rc = counters_map_reader(fd, &process->counters, err);
    if (rc == 0) {
        /* Not for the copy of farmd that becomes the next server: with thousands of mappings they are most of the work. */
        madvise((void *)(uintptr_t)process->counters, COUNTERS_FILE_SIZE, MADV_DONTFORK);
    }
    return rc;
}

/* farm-worker: its binary and its counters. */
static int open_worker_parts(struct runtime *runtime, const struct runtime_spec *spec, struct runtime_process *process,
                             struct start_parts *parts, struct error *err)
{
    parts->executable_fd = spawn_open_worker(err);
    if (parts->executable_fd < 0) {
        return parts->executable_fd;
    }
    process->counters_path = xasprintf("%s/%s", runtime->counters_directory, spec->name);
    parts->counters_fd = counters_create(process->counters_path, err);
    return parts->counters_fd < 0 ? parts->counters_fd : process_map_counters(process, parts->counters_fd, err);
}

static int open_parts(struct runtime *runtime, const struct runtime_spec *spec, struct runtime_process *process,
                      struct start_parts *parts, struct error *err)
{
    int rc;
    parts->environment = make_environment(runtime, spec);
    if (spec->argv == NULL) {
        rc = open_worker_parts(runtime, spec, process, parts, err);
    } else {
        parts->program = spawn_find_program(spec->argv[0], parts->environment, err);
        rc = parts->program == NULL ? -ENOENT : 0;
    }
    if (rc != 0) {
        return rc;
    }
    parts->log_fd = open(spec->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (parts->log_fd < 0) {
        return error_set_errno(err, errno, "cannot open the log %s", spec->log_path);
    }
    return ready_pipe_make(&process->ready.fd, &parts->ready_write_fd, err);
}

static int spawn_into_leaf(struct runtime *runtime, const struct runtime_spec *spec, struct runtime_process *process,
                           const struct start_parts *parts, struct error *err)
{
    static char *const worker_argv[] = {(char *)"farm-worker", NULL};
    struct leaf_entry entry = {.cgroup_fd = -1};
    struct spawn_request request = {
        .host_name = geteuid() == 0 ? spec->name : NULL,
        .path = parts->program,
        .argv = spec->argv == NULL ? worker_argv : spec->argv,
        .envp = parts->environment,
        .log_fd = parts->log_fd,
        .ready_fd = parts->ready_write_fd,
        .counters_fd = parts->counters_fd,
        .executable_fd = parts->executable_fd,
        .filter = spec->argv == NULL ? runtime->filter : NULL,
        .entry = &entry,
    };
    int rc = identities_find(&runtime->identities, spec->user, &request.identity, err);
    if (rc != 0) {
        return rc;
    }
    rc = lingering_reuse(runtime->lingering, spec->name, err);
    rc = rc == 0 ? leaf_create(runtime->slice, spec->name, &spec->limits, &process->leaf, err) : rc;
    if (rc != 0) {
        return rc;
    }
    process->oom_seen = process->leaf.is_new ? 0 : leaf_oom_kills(&process->leaf);
    /* An OOM kill of the child would be farmd's as well until then; there is none in a cgroup with nothing in it. */
    request.shares_memory = spec->argv == NULL && process->leaf.is_new;
    struct spawn_result result;
    rc = runtime->slice->ops->entry(&process->leaf, &entry, err);
    if (rc == 0) {
        rc = spawn_start(&request, &result, err);
        cleanup_close_impl(&entry.cgroup_fd);
    }
    if (rc != 0) {
        runtime->slice->ops->remove(&process->leaf);
        leaf_close(&process->leaf);
        return rc;
    }
    process->pid = result.pid;
    process->pidfd = result.pidfd;
    process->leaf.pid = result.pid;
    return 0;
}

int process_watch(struct runtime_process *process, struct error *err)
{
    uv_loop_t *loop = process->runtime->loop;
    process->runtime->references++;
    process->exit_poll.data = process->ready.poll.data = process->timer.data = process;
    uv_timer_init(loop, &process->timer);
    process->open_handles = 1;
    int rc = uv_poll_init(loop, &process->exit_poll, process->pidfd);
    process->open_handles += rc == 0;
    if (rc == 0 && process->ready.fd >= 0) { /* an adopted one has no readiness pipe */
        rc = uv_poll_init(loop, &process->ready.poll, process->ready.fd);
        process->open_handles += rc == 0;
    }
    if (rc != 0) {
        return error_set_errno(err, -rc, "cannot watch process %d", (int)process->pid);
    }
    uv_poll_start(&process->exit_poll, UV_READABLE, on_exited);
    if (process->ready.fd >= 0) {
        uv_poll_start(&process->ready.poll, UV_READABLE | UV_DISCONNECT, on_ready_readable);
    }
    return 0;
}

/* A child that cannot be watched must not run. */
static void abandon(struct runtime_process *process)
{
    process->state = PROCESS_TOLD;
    kill(process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    process->leaf.dead_ns = clock_monotonic_ns();
    int rc = process->leaf.slice->ops->remove(&process->leaf);
    if (rc != 0) {
        lingering_add(process->runtime->lingering, &process->leaf, rc);
    }
    leaf_close(&process->leaf);
    if (process->counters_path != NULL) {
        unlink(process->counters_path);
    }
    process_close_handles(process);
}

int process_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner,
                  struct runtime_process **result, struct error *err)
{
    int rc = port_check(spec->port, err);
    rc = rc == 0 ? descriptors_check(DESCRIPTORS_KEPT_BY_STARTS, err) : rc;
    if (rc != 0) {
        return rc;
    }
    struct runtime_process *process = xcalloc(1, sizeof(*process));
    struct start_parts parts = {-1, -1, -1, -1, NULL, NULL};
    process->runtime = runtime;
    process->owner = owner;
    process->ready.fd = -1;
    rc = open_parts(runtime, spec, process, &parts, err);
    if (rc == 0) {
        rc = spawn_into_leaf(runtime, spec, process, &parts, err);
    }
    release_parts(&parts);
    if (rc != 0) {
        cleanup_close_impl(&process->ready.fd);
        counters_unmap(process->counters);
        if (process->counters_path != NULL) {
            unlink(process->counters_path);
        }
        free(process->counters_path);
        free(process);
        return rc;
    }
    rc = process_watch(process, err);
    if (rc != 0) {
        abandon(process);
        return rc;
    }
    process->start_time = procfs_start_time(process->pid); /* now, while there is a descriptor to be had for it */
    *result = process;
    return 0;
}
