/*
 * A slice without cgroups. No limit is in force; what is left is that a server can still be measured, paused and killed
 * whole, as far as its processes can be found: by its process group, and by the mark that they inherited in their
 * environment. A program that leaves its group and wipes its environment escapes; nothing short of a cgroup would hold it.
 *
 * Looking through /proc costs milliseconds with thousands of processes, so one look serves all servers that end within
 * MEMBERS_FRESH_NS, and a server is told empty only by a look that began after its main process had ended.
 */
#include "supervisor/runtime/process/slice.h"

#include "core/clock.h"
#include "supervisor/runtime/process/procfs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#define MEMBERS_FRESH_NS (20 * NS_PER_MS)
#define MEASURED_FRESH_NS NS_PER_SECOND /* for statistics, members that are this old will do */
#define MEASURED_SHARE 50               /* and looking for them takes at most this fraction of the time */

/* There is nothing to change; the limits stay wishes, as the limits in force say. */
static int none_apply(struct leaf *leaf, const struct limits *limits, bool create, struct error *err)
{
    (void)leaf;
    (void)limits;
    (void)create;
    (void)err;
    return 0;
}

static int none_read_limits(struct leaf *leaf)
{
    leaf->in_force = (struct runtime_limits_in_force){0};
    return 0;
}

/* Either the mark in its environment, or where a program has overwritten that (as those do that set their title), its
 * log. */
static int none_recognise(const struct leaf *leaf, const struct runtime_leftover *leftover, struct error *err)
{
    if (procfs_is_member(leaf->slice->name, leaf->name, leftover->pid) ||
        procfs_writes_to(leftover->pid, leftover->log_path)) {
        return 0;
    }
    return error_set(err, ESTALE, "process %d is not %s", (int)leftover->pid, leaf->name);
}

static int none_entry(struct leaf *leaf, struct leaf_entry *entry, struct error *err)
{
    (void)leaf;
    (void)err;
    entry->cgroup_fd = -1;
    entry->join_count = 0;
    return 0;
}

/* Signals every marked process of the leaf; returns how many there were. */
static size_t signal_members(const struct leaf *leaf, int signal)
{
    const struct procfs_members *members = leaf->slice->members;
    size_t found = 0;
    for (size_t i = 0; members != NULL && i < members->count; i++) {
        if (strcmp(members->list[i].leaf, leaf->name) == 0 &&
            procfs_signal_member(leaf->slice->name, &members->list[i], signal)) {
            found++;
        }
    }
    return found;
}

static void look(struct slice *slice)
{
    procfs_members_free(slice->members);
    slice->members_ns = clock_monotonic_ns();
    slice->members = procfs_members_find(slice->name);
    slice->members_took_ns = clock_monotonic_ns() - slice->members_ns;
}

static void add_usage(pid_t pid, struct runtime_sample *sample)
{
    struct procfs_usage usage;
    if (procfs_usage(pid, &usage)) {
        sample->have = RUNTIME_HAVE_CPU | RUNTIME_HAVE_MEMORY | RUNTIME_HAVE_PIDS;
        sample->cpu_ns += usage.cpu_ns;
        sample->memory += usage.memory;
        sample->pids += usage.threads;
    }
}

/* What the processes that can be found have used; the time of one that ended counts when its parent waited for it. */
static void none_sample(const struct leaf *leaf, struct runtime_sample *sample)
{
    struct slice *slice = leaf->slice;
    int64_t age_ns = clock_monotonic_ns() - slice->members_ns;
    *sample = (struct runtime_sample){0};
    if (slice->members == NULL || (age_ns >= MEASURED_FRESH_NS && age_ns >= slice->members_took_ns * MEASURED_SHARE)) {
        look(slice);
    }
    if (leaf->pid > 1 && leaf->dead_ns == 0) {
        add_usage(leaf->pid, sample);
    }
    for (size_t i = 0; i < slice->members->count; i++) {
        const struct procfs_member *member = &slice->members->list[i];
        if (member->pid != leaf->pid && strcmp(member->leaf, leaf->name) == 0) {
            add_usage(member->pid, sample);
        }
    }
}

/* The number of its group is not anybody else's while a child is not reaped, or an adopted process lives. */
static bool group_is_ours(const struct leaf *leaf)
{
    struct pollfd ended = {.fd = leaf->pidfd, .events = POLLIN};
    return leaf->pid > 1 && leaf->dead_ns == 0 && (leaf->pidfd < 0 || poll(&ended, 1, 0) == 0);
}

static int none_freeze(struct leaf *leaf, bool frozen, struct error *err)
{
    (void)err;
    int signal = frozen ? SIGSTOP : SIGCONT;
    if (group_is_ours(leaf)) {
        kill(-leaf->pid, signal);
    }
    look(leaf->slice);
    signal_members(leaf, signal);
    return 0;
}

/* A process that somebody else stopped is not paused. */
static bool none_frozen(const struct leaf *leaf, bool recorded)
{
    return recorded && procfs_state(leaf->pid) == 'T';
}

static int none_kill(struct leaf *leaf)
{
    if (group_is_ours(leaf)) {
        kill(-leaf->pid, SIGKILL);
    }
    struct slice *slice = leaf->slice;
    int64_t now = clock_monotonic_ns();
    bool fresh = slice->members != NULL && now - slice->members_ns < MEMBERS_FRESH_NS;
    if (fresh && slice->members_ns <= leaf->dead_ns) {
        return -EBUSY; /* too soon for another look */
    }
    if (!fresh) {
        look(slice);
    }
    return signal_members(leaf, SIGKILL) == 0 ? 0 : -EBUSY;
}

static int none_remove(struct leaf *leaf)
{
    (void)leaf;
    return 0;
}

static int none_clean(const struct slice *slice, const struct spared *spared, struct error *err)
{
    (void)slice;
    (void)spared;
    (void)err;
    return 0;
}

static void none_close(struct slice *slice)
{
    (void)slice;
}

const struct slice_ops slice_none_ops = {
    .enforcement = "none",
    .apply = none_apply,
    .read_limits = none_read_limits,
    .recognise = none_recognise,
    .entry = none_entry,
    .sample = none_sample,
    .freeze = none_freeze,
    .frozen = none_frozen,
    .kill = none_kill,
    .remove = none_remove,
    .clean = none_clean,
    .close = none_close,
};
