/*
 * One piece of work for the thread pool, on copies: of the runtime it only reads what never changes while it is open.
 */
#include "supervisor/runtime/process/sweep.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/runtime/process/process.h"
#include "supervisor/runtime/process/procfs.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_NS (3 * NS_PER_SECOND)
#define POLL_MS 2

/* --- names --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void spared_add(struct spared *spared, const char *name)
{
    if (spared->count == spared->capacity) {
        spared->capacity = spared->capacity == 0 ? 64 : spared->capacity * 2;
        spared->names = xrealloc(spared->names, spared->capacity * sizeof(char *));
    }
    spared->names[spared->count++] = xstrdup(name);
}

void spared_sort(struct spared *spared)
{
    if (spared->count > 0) {
        qsort(spared->names, spared->count, sizeof(char *), by_name);
    }
}

bool spared_has(const struct spared *spared, const char *name)
{
    return spared != NULL && spared->count > 0 &&
           bsearch(&name, spared->names, spared->count, sizeof(char *), by_name) != NULL;
}

void spared_done(struct spared *spared)
{
    for (size_t i = 0; i < spared->count; i++) {
        free(spared->names[i]);
    }
    free(spared->names);
    *spared = (struct spared){0};
}

/* --- the work --- */

struct sweep {
    uv_work_t work;
    struct runtime *runtime; /* a reference */
    struct spared spared;
    struct runtime_sweep what; /* copies */
    struct error error;
};

/* Members live where no cgroup tells of them: none is in force, or it was another one when they were started. Returns how
 * many there were. */
static size_t kill_marked(const struct sweep *sweep)
{
    const char *slice = sweep->runtime->slice->name;
    struct procfs_members *members = procfs_members_find(slice);
    size_t found = 0;
    for (size_t i = 0; i < members->count; i++) {
        if (!spared_has(&sweep->spared, members->list[i].leaf)) {
            found += procfs_signal_member(slice, &members->list[i], SIGKILL);
        }
    }
    procfs_members_free(members);
    return found;
}

/* A program that has overwritten its environment shows no mark, but what was recorded of it, and its log, tell. */
static size_t kill_recorded(const struct sweep *sweep)
{
    size_t found = 0;
    for (size_t i = 0; i < sweep->what.leftover_count; i++) {
        const struct runtime_leftover *leftover = &sweep->what.leftovers[i];
        if (spared_has(&sweep->spared, leftover->name)) {
            continue;
        }
        cleanup_close int pidfd = pidfd_open(leftover->pid, 0);
        if (pidfd >= 0 && procfs_lives_since(leftover->pid, leftover->start_time) &&
            procfs_writes_to(leftover->pid, leftover->log_path)) {
            found += pidfd_send_signal(pidfd, SIGKILL, NULL, 0) == 0;
        }
    }
    return found;
}

static void remove_counters(const struct sweep *sweep)
{
    DIR *dir = opendir(sweep->runtime->counters_directory);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_type == DT_REG && !spared_has(&sweep->spared, entry->d_name)) {
            unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static bool is_current(const struct slice *slice, const char *place)
{
    bool current = false;
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        current |= slice->hierarchies[c].usable && strcmp(slice->hierarchies[c].directory, place) == 0;
    }
    return current;
}

/* The slices that an earlier run had where this one has none: it was started from another cgroup, or with another kind of
 * enforcement. */
static void remove_places(struct sweep *sweep)
{
    const struct slice *slice = sweep->runtime->slice;
    for (size_t i = 0; i < sweep->what.place_count; i++) {
        if (!is_current(slice, sweep->what.places[i])) {
            cgroup_remove_slice(sweep->what.places[i], slice->name, &sweep->error);
        }
    }
}

static void on_work(uv_work_t *work)
{
    struct sweep *sweep = work->data;
    const struct slice *slice = sweep->runtime->slice;
    slice->ops->clean(slice, &sweep->spared, &sweep->error);
    remove_places(sweep);
    int64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
    while (kill_marked(sweep) + kill_recorded(sweep) > 0 && clock_monotonic_ns() < deadline_ns) {
        poll(NULL, 0, POLL_MS);
    }
    remove_counters(sweep);
}

/* A child of before an exec is nobody else's to reap; of all others waitid knows nothing. */
static void reap(const struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->what.leftover_count; i++) {
        const struct runtime_leftover *leftover = &sweep->what.leftovers[i];
        if (!spared_has(&sweep->spared, leftover->name)) {
            waitid(P_PID, (id_t)leftover->pid, NULL, WEXITED | WNOHANG);
        }
    }
}

static void sweep_free(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->what.leftover_count; i++) {
        free((char *)sweep->what.leftovers[i].name);
        free((char *)sweep->what.leftovers[i].log_path);
    }
    for (size_t i = 0; i < sweep->what.place_count; i++) {
        free(sweep->what.places[i]);
    }
    free((struct runtime_leftover *)sweep->what.leftovers);
    free((char **)sweep->what.places);
    spared_done(&sweep->spared);
    free(sweep);
}

static void on_worked(uv_work_t *work, int status)
{
    (void)status;
    struct sweep *sweep = work->data;
    struct runtime *runtime = sweep->runtime;
    if (sweep->error.code != 0) {
        log_warning("%s", sweep->error.message);
    }
    reap(sweep);
    sweep->what.done(sweep->what.data);
    sweep_free(sweep);
    runtime_unref(runtime);
}

void process_sweep(struct runtime *runtime, const struct runtime_sweep *what)
{
    struct sweep *sweep = xcalloc(1, sizeof(*sweep));
    struct runtime_leftover *leftovers = xcalloc(what->leftover_count, sizeof(*leftovers));
    char **places = xcalloc(what->place_count, sizeof(char *));
    for (size_t i = 0; i < what->leftover_count; i++) {
        leftovers[i] = what->leftovers[i];
        leftovers[i].name = xstrdup(what->leftovers[i].name);
        leftovers[i].log_path = xstrdup(what->leftovers[i].log_path);
    }
    for (size_t i = 0; i < what->place_count; i++) {
        places[i] = xstrdup(what->places[i]);
    }
    sweep->what = *what;
    sweep->what.leftovers = leftovers;
    sweep->what.places = places;
    sweep->runtime = runtime;
    sweep->spared = runtime->adopted;
    runtime->adopted = (struct spared){0};
    spared_sort(&sweep->spared);
    sweep->work.data = sweep;
    runtime->references++;
    uv_queue_work(runtime->loop, &sweep->work, on_work, on_worked); /* fails only without a function */
}
