/*
 * Taking over a server that an earlier farmd started. It is known by its pid together with its start time, and by where it
 * sits, and is watched through a pidfd as farmd's own children are. It is not one of them, unless the earlier farmd was
 * this process before it became another program by exec: then how it ends can be had, even if it has already.
 */
#include "supervisor/runtime/process/process.h"

#include "core/memory.h"
#include "supervisor/runtime/process/descriptors.h"
#include "supervisor/runtime/process/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child of this process that waits to be reaped. Nobody else's is, so it needs no other sign. */
static bool is_ended_child(const struct runtime_leftover *leftover, int pidfd)
{
    siginfo_t info = {0};
    return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == leftover->pid &&
           procfs_start_time(leftover->pid) == leftover->start_time;
}

/* The descriptor first: whatever it is of keeps its number from then on, and the start time tells whether it is the one. */
static int open_process(const struct runtime_leftover *leftover, bool *ended, struct error *err)
{
    int pidfd = leftover->pid > 1 ? pidfd_open(leftover->pid, 0) : -1;
    if (pidfd < 0 && leftover->pid > 1 && errno != ESRCH) {
        return error_set_errno(err, errno, "cannot watch process %d", (int)leftover->pid);
    }
    *ended = pidfd >= 0 && is_ended_child(leftover, pidfd);
    if (pidfd < 0 || (!*ended && !procfs_lives_since(leftover->pid, leftover->start_time))) {
        cleanup_close_impl(&pidfd);
        return error_set(err, ESRCH, "%s (pid %d) is gone", leftover->name, (int)leftover->pid);
    }
    return pidfd;
}

/* Also when it has come to its end since. What cannot be read tells nothing. */
static bool is_ending(pid_t pid, int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    return procfs_is_ending(pid) || poll(&ended, 1, 0) == 1;
}

/* Its figures are worth having and nothing more: without them it is like any other program. */
static void find_counters(struct runtime_process *process)
{
    process->counters_path = xasprintf("%s/%s", process->runtime->counters_directory, process->leaf.name);
    cleanup_close int fd = open(process->counters_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        process_map_counters(process, fd, NULL);
    }
}

/* One that was frozen only to be killed, by a farmd that did not get to thawing it, is let go: to its end, or on as it was
 * when that farmd had not even come to the killing. */
static bool is_paused(struct leaf *leaf, const struct runtime_adoption *adoption)
{
    const struct slice_ops *ops = leaf->slice->ops;
    bool frozen = ops->frozen(leaf, adoption->paused);
    if (frozen && (!adoption->paused || procfs_kill_pending(leaf->pid))) {
        ops->freeze(leaf, false, NULL);
        frozen = false;
    }
    return frozen;
}

/* All that one that is gone still tells of its end: its cgroup stays until the sweep. */
static uint64_t oom_kills_of_gone(struct runtime *runtime, const struct runtime_adoption *adoption)
{
    struct leaf leaf;
    if (leaf_adopt(runtime->slice, adoption, -1, true, &leaf, NULL) != 0) {
        return 0;
    }
    uint64_t kills = leaf_oom_kills(&leaf);
    leaf_close(&leaf);
    return kills > adoption->oom_seen ? kills - adoption->oom_seen : 0;
}

int process_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                  struct runtime_adopted *adopted, struct runtime_process **result, struct error *err)
{
    *adopted = (struct runtime_adopted){0};
    int rc = descriptors_check(DESCRIPTORS_KEPT_BY_STARTS, err);
    bool ended = false; /* or about to */
    cleanup_close int pidfd = rc == 0 ? open_process(&adoption->leftover, &ended, err) : rc;
    if (pidfd < 0) {
        adopted->oom_kills = pidfd == -ESRCH ? oom_kills_of_gone(runtime, adoption) : 0;
        return pidfd;
    }
    struct leaf leaf;
    rc = leaf_adopt(runtime->slice, adoption, pidfd, ended, &leaf, err);
    if (rc != 0 && !ended && is_ending(adoption->leftover.pid, pidfd)) {
        ended = true; /* where it sat cannot be seen any more, and nothing will be done to it but to await its end */
        rc = leaf_adopt(runtime->slice, adoption, pidfd, ended, &leaf, err);
    }
    if (rc != 0) {
        return rc;
    }
    struct runtime_process *process = xcalloc(1, sizeof(*process));
    process->runtime = runtime;
    process->owner = owner;
    process->leaf = leaf;
    process->pid = adoption->leftover.pid;
    process->start_time = adoption->leftover.start_time;
    process->pidfd = pidfd;
    pidfd = -1;
    process->ready.fd = -1;
    process->oom_seen = adoption->oom_seen; /* not what is there: it may just be dying of it */
    if (adoption->has_counters) {
        find_counters(process);
        process->oom_to_prefer = true; /* the farmd that started it may have ended before it was */
    }
    adopted->paused = !ended && is_paused(&leaf, adoption);
    rc = process_watch(process, err);
    if (rc != 0) {
        leaf_close(&process->leaf);
        process_close_handles(process);
        return rc;
    }
    spared_add(&runtime->adopted, process->leaf.name);
    *result = process;
    return 0;
}
