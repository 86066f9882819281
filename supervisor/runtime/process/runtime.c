/*
 * The runtime of plain processes: opening, closing, and the vtable.
 */
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/runtime/process/descriptors.h"
#include "supervisor/runtime/process/port_holder.h"
#include "supervisor/runtime/process/process.h"
#include "supervisor/runtime/process/procfs.h"
#include "supervisor/runtime/process/seccomp.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void runtime_unref(struct runtime *runtime)
{
    if (--runtime->references > 0) {
        return;
    }
    seccomp_filter_free(runtime->filter);
    identities_free(&runtime->identities);
    spared_done(&runtime->adopted);
    free(runtime->counters_directory);
    free(runtime);
}

static void raise_descriptor_limit(unsigned servers)
{
    uint64_t need = descriptors_needed(servers), limit = descriptors_raise(servers);
    if (limit < need) {
        log_warning("%u servers need about %llu open files and farmd may have %llu: some may go without statistics "
                    "or not start; raise it (ulimit -Hn %llu as root, or LimitNOFILE=%llu in the unit)",
                    servers, (unsigned long long)need, (unsigned long long)limit, (unsigned long long)need,
                    (unsigned long long)need);
    }
}

static int check_instance(const char *instance, struct error *err)
{
    size_t length = strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (length == 0 || instance[length] != '\0' || length >= LEAF_NAME_MAX - 8) {
        return error_set(err, EINVAL, "\"%s\" cannot name a slice; use a-z, 0-9 and -", instance);
    }
    return 0;
}

static int make_counters_directory(const char *path, struct error *err)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : error_set_errno(err, errno, "cannot make %s", path);
}

static int open_runtime(struct runtime **result, const struct runtime_options *options, struct error *err)
{
    int rc = check_instance(options->instance, err);
    if (rc != 0) {
        return rc;
    }
    raise_descriptor_limit(options->servers);
    /* Ignored by a careless parent, it would let the kernel throw exit codes away. */
    signal(SIGCHLD, SIG_DFL);
    struct runtime *runtime = xcalloc(1, sizeof(*runtime));
    runtime->references = 1;
    runtime->loop = options->loop;
    runtime->events = options->events;
    runtime->counters_directory = xasprintf("%s/counters", options->runtime_dir);
    rc = make_counters_directory(runtime->counters_directory, err);
    rc = rc == 0 ? seccomp_filter_build(&runtime->filter, err) : rc;
    if (rc == 0) {
        const char *prefix = strncmp(options->instance, "farmd", 5) == 0 ? "" : "farmd-";
        char name[LEAF_NAME_MAX];
        snprintf(name, sizeof(name), "%s%s", prefix, options->instance);
        struct slice_places earlier = {options->places, options->place_count};
        rc = slice_open(&runtime->slice, name, &earlier, options->enforce, err);
    }
    if (rc != 0) {
        rmdir(runtime->counters_directory); /* unless an earlier farm's counters are in it */
        runtime_unref(runtime);
        return rc;
    }
    runtime->slice->on_trouble = options->events.on_trouble;
    runtime->slice->farm = options->farm;
    runtime->lingering = lingering_new(runtime->loop, runtime->slice);
    process_ender_init(runtime);
    *result = runtime;
    return 0;
}

_Static_assert(CONTROLLER_COUNT <= RUNTIME_MAX_PLACES, "a place for each hierarchy");

static void close_runtime(struct runtime *runtime)
{
    if (runtime != NULL) {
        lingering_free(runtime->lingering);
        slice_close(runtime->slice);
        runtime->slice = NULL;
        rmdir(runtime->counters_directory);
        process_ender_close(runtime);
        runtime_unref(runtime);
    }
}

static const char *enforcement(const struct runtime *runtime)
{
    return runtime->slice->ops->enforcement;
}

static struct runtime_enforced enforced(const struct runtime *runtime)
{
    const struct slice_hierarchy *hierarchies = runtime->slice->hierarchies;
    return (struct runtime_enforced){.cpu = hierarchies[CONTROLLER_CPU].usable,
                                     .memory = hierarchies[CONTROLLER_MEMORY].usable,
                                     .pids = hierarchies[CONTROLLER_PIDS].usable};
}

static size_t places(const struct runtime *runtime, const char *list[RUNTIME_MAX_PLACES])
{
    const struct slice_hierarchy *hierarchies = runtime->slice->hierarchies;
    size_t count = 0;
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        const char *directory = hierarchies[c].directory;
        if (hierarchies[c].usable && (count == 0 || strcmp(list[count - 1], directory) != 0)) {
            list[count++] = directory;
        }
    }
    return count;
}

static const char *warning(const struct runtime *runtime)
{
    return runtime->slice->warning[0] == '\0' ? NULL : runtime->slice->warning;
}

static bool ending(const struct runtime *runtime)
{
    return runtime->ending > 0;
}

static void port_holder(struct runtime *runtime, uint16_t port, void (*tell)(const char *holder, void *data),
                        void *data)
{
    process_port_holder(runtime->loop, port, tell, data);
}

static pid_t pid(const struct runtime_process *process)
{
    return process->pid;
}

static int set_frozen(struct runtime_process *process, bool frozen, struct error *err)
{
    return process->state != PROCESS_RUNNING ? 0 : process->leaf.slice->ops->freeze(&process->leaf, frozen, err);
}

static int pause_process(struct runtime_process *process, struct error *err)
{
    return set_frozen(process, true, err);
}

static int resume_process(struct runtime_process *process, struct error *err)
{
    return set_frozen(process, false, err);
}

static int set_limits(struct runtime_process *process, const struct limits *limits, struct error *err)
{
    return process->state != PROCESS_RUNNING ? 0 : leaf_set_limits(&process->leaf, limits, err);
}

static bool limits_in_force(const struct runtime_process *process, struct runtime_limits_in_force *limits)
{
    /* Reading them back is remembered, which changes nothing for the caller. */
    const struct runtime_limits_in_force *known = leaf_limits((struct leaf *)&process->leaf);
    *limits = known != NULL ? *known : (struct runtime_limits_in_force){0};
    return known != NULL;
}

static void pressure(const struct runtime_process *process, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT])
{
    memset(figures, 0, RUNTIME_RESOURCE_COUNT * sizeof(*figures));
    if (process->state == PROCESS_RUNNING) {
        leaf_pressure(&process->leaf, figures);
    }
}

static const struct counters *counters(const struct runtime_process *process)
{
    return process->counters;
}

static uint64_t start_time(const struct runtime_process *process)
{
    struct runtime_process *cache = (struct runtime_process *)process;
    if (cache->start_time == 0) { /* the pid is ours until it is reaped */
        cache->start_time = procfs_start_time(process->pid);
    }
    return cache->start_time;
}

const struct runtime_ops runtime_process_ops = {
    .kind = "process",
    .tells_ready = true,
    .open = open_runtime,
    .close = close_runtime,
    .enforcement = enforcement,
    .enforced = enforced,
    .warning = warning,
    .adopt = process_adopt,
    .sweep = process_sweep,
    .places = places,
    .start = process_start,
    .port_holder = port_holder,
    .port_holder_known = process_port_holder_known,
    .ending = ending,
    .pid = pid,
    .signal = process_signal,
    .kill = process_kill,
    .pause = pause_process,
    .resume = resume_process,
    .set_limits = set_limits,
    .limits_in_force = limits_in_force,
    .sample = process_sample,
    .pressure = pressure,
    .counters = counters,
    .start_time = start_time,
};
