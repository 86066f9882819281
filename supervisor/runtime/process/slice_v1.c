/*
 * Leaves in cgroup v1: the same limits through controllers that may each be mounted by themselves, and in each of which
 * farmd may sit somewhere else. Every controller is therefore looked up on its own, and those that share a path below
 * their mounts are handed to libcgroup together.
 */
#include "supervisor/runtime/process/slice.h"

#include "core/memory.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CPU_PERIOD_US 100000
#define CPU_QUOTA_MIN_US 1000 /* the kernel's own */
#define SHARES_PER_CORE 1024
#define SHARES_MIN 2
#define SHARES_MAX (1 << 18)
#define MEMORY_UNLIMITED (UINT64_C(1) << 62) /* v1 writes a page-rounded LONG_MAX */

/* The controllers that share a name with `first`, among those of `left`. */
static unsigned same_name(const struct slice *slice, int first, unsigned left)
{
    unsigned mask = 0;
    for (int c = first; c < CONTROLLER_COUNT; c++) {
        if ((left & CONTROLLER_BIT(c)) != 0 &&
            strcmp(slice->hierarchies[c].name, slice->hierarchies[first].name) == 0) {
            mask |= CONTROLLER_BIT(c);
        }
    }
    return mask;
}

static unsigned usable_controllers(const struct slice *slice)
{
    unsigned mask = 0;
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        mask |= slice->hierarchies[c].usable ? CONTROLLER_BIT(c) : 0;
    }
    return mask;
}

/* Takes the controllers of `left` for which the slice has one name out of it and fills `place`. False when none is left. */
static bool next_place(const struct slice *slice, unsigned *left, struct cgroup_place *place)
{
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        if ((*left & CONTROLLER_BIT(c)) != 0) {
            unsigned mask = same_name(slice, c, *left);
            *left &= ~mask;
            *place = (struct cgroup_place){CGROUP_VERSION_1, mask, slice->hierarchies[c].name};
            return true;
        }
    }
    return false;
}

/* Where the slice lies in one hierarchy: below farmd's own cgroup there. */
static bool find_hierarchy(struct slice *slice, enum controller controller, const char *own_cgroups,
                           const char *mountinfo)
{
    struct slice_hierarchy *hierarchy = &slice->hierarchies[controller];
    const char *name = controller_name(controller, CGROUP_VERSION_1);
    char mount[CGROUP_PATH_MAX], seen_mount[CGROUP_PATH_MAX], root[CGROUP_PATH_MAX], own[CGROUP_PATH_MAX];
    char relative[CGROUP_PATH_MAX];
    if (cgroup_mount_point(controller, CGROUP_VERSION_1, mount, sizeof(mount)) != 0 ||
        !cgroup_paths_mount(mountinfo, name, seen_mount, root) || !cgroup_paths_own(own_cgroups, name, own) ||
        !cgroup_paths_relative(own, root, relative)) {
        return false;
    }
    slice_earlier_base(slice, mount, relative);
    size_t size = CGROUP_PATH_MAX - LEAF_NAME_MAX; /* a leaf's name still fits behind */
    const char *slash = *relative == '\0' ? "" : "/";
    char path[CGROUP_PATH_MAX];
    if ((size_t)snprintf(path, size, "%s%s%s", relative, slash, slice->name) >= size ||
        (size_t)snprintf(hierarchy->directory, size, "%s/%s", mount, path) >= size) {
        return false;
    }
    memcpy(hierarchy->name, path, sizeof(path));
    memcpy(hierarchy->root, root, sizeof(root));
    char parent[CGROUP_PATH_MAX * 2];
    snprintf(parent, sizeof(parent), "%s/%s", mount, relative);
    return access(parent, W_OK) == 0;
}

int slice_v1_open(struct slice *slice, const char *own_cgroups, const char *mountinfo, struct error *err)
{
    bool mounted = false;
    char ignored[CGROUP_PATH_MAX], root[CGROUP_PATH_MAX];
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        const char *name = controller_name((enum controller)c, CGROUP_VERSION_1);
        mounted |= c != CONTROLLER_FREEZER && cgroup_paths_mount(mountinfo, name, ignored, root);
        slice->hierarchies[c].usable = find_hierarchy(slice, (enum controller)c, own_cgroups, mountinfo);
    }
    if (!slice->hierarchies[CONTROLLER_MEMORY].usable && !slice->hierarchies[CONTROLLER_CPU].usable) {
        return mounted ? error_set(err, EPERM, "%s",
                                   geteuid() == 0 ? "its cgroups cannot be written here"
                                                  : "this user may not create cgroups")
                       : error_set(err, ENOTSUP, "this system has no cgroup controllers for cpu and memory");
    }
    slice->version = CGROUP_VERSION_1;
    unsigned left = usable_controllers(slice);
    struct cgroup_place place;
    while (next_place(slice, &left, &place)) {
        int rc = cgroup_place_create(&place, err);
        if (rc != 0) {
            return rc;
        }
    }
    char path[CGROUP_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/memory.memsw.limit_in_bytes", slice->hierarchies[CONTROLLER_MEMORY].directory);
    slice->has_memsw = access(path, W_OK) == 0;
    return 0;
}

enum { VALUES_MAX = 8 };

static uint64_t shares_of(double cores)
{
    uint64_t shares = (uint64_t)(cores * SHARES_PER_CORE + 0.5);
    return shares < SHARES_MIN ? SHARES_MIN : shares > SHARES_MAX ? SHARES_MAX : shares;
}

/* A soft limit needs nothing of the slice: the kernel takes first from who is furthest above its own. */
static void v1_reserved(const struct limits *limits, uint64_t figures[RESERVED_COUNT])
{
    figures[RESERVED_CPU] = limits->cpu_reservation > 0 ? shares_of(limits->cpu_reservation) : 0;
}

/* `growing` says that the memory limit rises: the kernel refuses memory above memory+swap at any moment, so the order of
 * the two writes depends on the direction. Memory is first, because it is what the kernel may refuse. A new cgroup has
 * the values of a reservation that nobody wants already. */
static size_t values_of(const struct slice *slice, const struct limits *limits, bool create, bool growing,
                        struct cgroup_value values[VALUES_MAX])
{
    size_t n = 0;
    long long memory = limits->memory > 0 ? (long long)limits->memory : -1;
    const char *const pair[] = {"memory.limit_in_bytes", slice->has_memsw ? "memory.memsw.limit_in_bytes" : NULL};
    for (int i = 0; i < 2; i++) {
        const char *file = pair[growing ? 1 - i : i];
        if (file != NULL) {
            cgroup_value_set(&values[n++], CONTROLLER_MEMORY, file, "%lld", memory);
        }
    }
    if (!slice->has_memsw) {
        cgroup_value_set(&values[n++], CONTROLLER_MEMORY, "memory.swappiness", "0");
    }
    if (limits->memory_reservation > 0 || !create) {
        cgroup_value_set(&values[n++], CONTROLLER_MEMORY, "memory.soft_limit_in_bytes", "%lld",
                         limits->memory_reservation > 0 ? (long long)limits->memory_reservation : -1LL);
    }
    int64_t quota = limits->cpu > 0 ? (int64_t)(limits->cpu * CPU_PERIOD_US + 0.5) : -1;
    /* The period is the kernel's own default; it is read back with the quota. */
    cgroup_value_set(&values[n++], CONTROLLER_CPU, "cpu.cfs_quota_us", "%lld",
                     (long long)(quota > 0 && quota < CPU_QUOTA_MIN_US ? CPU_QUOTA_MIN_US : quota));
    if (limits->cpu_reservation > 0 || !create) {
        uint64_t shares = limits->cpu_reservation > 0 ? shares_of(limits->cpu_reservation) : SHARES_PER_CORE;
        cgroup_value_set(&values[n++], CONTROLLER_CPU, "cpu.shares", "%llu", (unsigned long long)shares);
    }
    if (limits->pids > 0) {
        cgroup_value_set(&values[n++], CONTROLLER_PIDS, "pids.max", "%u", limits->pids);
    } else {
        cgroup_value_set(&values[n++], CONTROLLER_PIDS, "pids.max", "max");
    }
    return n;
}

static uint64_t read_back(const struct leaf *leaf, enum controller controller, const char *file, int *rc)
{
    char path[CGROUP_PATH_MAX], text[64];
    if (!leaf->slice->hierarchies[controller].usable) {
        return 0;
    }
    leaf_path(leaf, controller, file, path);
    ssize_t length = kernel_file_read(path, text, sizeof(text));
    *rc = length < 0 && length != -ENOENT ? (int)length : *rc;
    return length <= 0 ? 0 : kernel_text_number(text, 0); /* -1 and max: none */
}

static int v1_read_limits(struct leaf *leaf)
{
    int rc = 0;
    const struct limits *asked = &leaf->asked;
    uint64_t quota = read_back(leaf, CONTROLLER_CPU, "cpu.cfs_quota_us", &rc);
    uint64_t period = read_back(leaf, CONTROLLER_CPU, "cpu.cfs_period_us", &rc);
    uint64_t memory = read_back(leaf, CONTROLLER_MEMORY, "memory.limit_in_bytes", &rc);
    leaf->in_force = (struct runtime_limits_in_force){
        .cpu = period > 0 ? (double)quota / (double)period : 0,
        .memory = memory >= MEMORY_UNLIMITED ? 0 : memory,
        .pids = read_back(leaf, CONTROLLER_PIDS, "pids.max", &rc),
    };
    if (asked->cpu_reservation > 0) {
        /* Shares are whole numbers: what was asked is in force when its rounding is. */
        uint64_t shares = read_back(leaf, CONTROLLER_CPU, "cpu.shares", &rc);
        double cores = (double)shares / SHARES_PER_CORE, off = cores - asked->cpu_reservation;
        bool rounded = shares > 0 && off < 1.0 / SHARES_PER_CORE && off > -1.0 / SHARES_PER_CORE;
        leaf->in_force.cpu_reservation = rounded ? asked->cpu_reservation : cores;
    }
    if (asked->memory_reservation > 0) {
        uint64_t soft = read_back(leaf, CONTROLLER_MEMORY, "memory.soft_limit_in_bytes", &rc);
        leaf->in_force.memory_reservation = soft >= MEMORY_UNLIMITED ? 0 : soft;
    }
    return rc;
}

static int v1_apply(struct leaf *leaf, const struct limits *limits, bool create, struct error *err)
{
    struct cgroup_value values[VALUES_MAX], before[VALUES_MAX];
    const uint64_t now = leaf->in_force.memory;
    bool growing = !create && now != 0 && (limits->memory == 0 || limits->memory > now);
    size_t count = values_of(leaf->slice, limits, create, growing, values);
    int rc = create ? leaf_make(leaf, err) : 0;
    if (!create && !leaf->unverified) {
        values_of(leaf->slice, &leaf->asked, create, growing, before);
        count = cgroup_values_changed(values, before, count);
    }
    rc = rc == 0 ? leaf_write(leaf, create, values, count, err) : rc;
    if (rc == 0) {
        leaf_reserve(leaf, limits);
    }
    return rc;
}

static int v1_entry(struct leaf *leaf, struct leaf_entry *entry, struct error *err)
{
    (void)err;
    entry->cgroup_fd = -1;
    entry->join_count = 0;
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        if (!leaf->slice->hierarchies[c].usable) {
            continue;
        }
        char *path = entry->join[entry->join_count];
        /* `tasks`, not cgroup.procs: a single thread that moves itself needs no machine-wide lock, which can take 10 ms. */
        leaf_path(leaf, (enum controller)c, "tasks", path);
        bool seen = false;
        for (unsigned i = 0; i < entry->join_count; i++) {
            seen |= strcmp(entry->join[i], path) == 0; /* cpu and cpuacct mounted together */
        }
        entry->join_count += seen ? 0 : 1;
    }
    return 0;
}

/* The sums over devices: lines "8:0 Read 4096", and one "Total 4096" at the end that is of no use here. */
static void parse_io(const char *text, struct runtime_sample *sample)
{
    for (const char *line = text; *line != '\0';) {
        const char *kind = strchr(line, ' ');
        const char *end = strchrnul(line, '\n');
        if (kind != NULL && kind < end) {
            if (strncmp(kind, " Read ", 6) == 0) {
                sample->io_read += kernel_text_number(kind + 6, 0);
            } else if (strncmp(kind, " Write ", 7) == 0) {
                sample->io_written += kernel_text_number(kind + 7, 0);
            }
        }
        line = *end == '\0' ? end : end + 1;
    }
}

static void parse_cpu(const char *text, struct runtime_sample *sample)
{
    kernel_text_field(text, "nr_periods", &sample->periods);
    kernel_text_field(text, "nr_throttled", &sample->periods_throttled);
    kernel_text_field(text, "throttled_time", &sample->throttled_ns);
}

static void parse_cpu_usage(const char *text, struct runtime_sample *sample)
{
    sample->cpu_ns = kernel_text_number(text, 0);
}

/* The hierarchy whose cgroup.procs tells who is inside: the freezer where there is one. */
static enum controller member_controller(const struct slice *slice)
{
    static const enum controller order[] = {CONTROLLER_FREEZER, CONTROLLER_PIDS, CONTROLLER_MEMORY, CONTROLLER_CPU};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        if (slice->hierarchies[order[i]].usable) {
            return order[i];
        }
    }
    return CONTROLLER_CPU;
}

static int set_frozen(const struct leaf *leaf, bool frozen)
{
    char path[CGROUP_PATH_MAX];
    if (!leaf->slice->hierarchies[CONTROLLER_FREEZER].usable) {
        return -ENOTSUP;
    }
    leaf_path(leaf, CONTROLLER_FREEZER, "freezer.state", path);
    return kernel_file_write(path, frozen ? "FROZEN" : "THAWED");
}

static int v1_freeze(struct leaf *leaf, bool frozen, struct error *err)
{
    int rc = set_frozen(leaf, frozen);
    if (rc == -ENOTSUP) {
        return error_set(err, ENOTSUP, "%s cannot be paused: there is no freezer controller here", leaf->name);
    }
    return rc == 0 ? 0 : error_set_errno(err, -rc, "%s cannot be %s", leaf->name, frozen ? "paused" : "resumed");
}

static bool v1_frozen(const struct leaf *leaf, bool recorded)
{
    char path[CGROUP_PATH_MAX], text[16];
    (void)recorded;
    if (!leaf->slice->hierarchies[CONTROLLER_FREEZER].usable) {
        return false;
    }
    leaf_path(leaf, CONTROLLER_FREEZER, "freezer.state", path);
    return kernel_file_read(path, text, sizeof(text)) > 0 && strncmp(text, "THAWED", strlen("THAWED")) != 0;
}

/* Frozen first, so that nothing forks between the list and the signals; the signals act when it is thawed. What was in
 * the middle of a fork comes out frozen too and is met in the next round. */
static int v1_kill(struct leaf *leaf)
{
    char directory[CGROUP_PATH_MAX];
    char procs[CGROUP_PATH_MAX], text[16];
    leaf_path(leaf, member_controller(leaf->slice), "cgroup.procs", procs);
    ssize_t length = kernel_file_read(procs, text, sizeof(text));
    if (length == 0 || length == -ENOENT || length == -ENODEV) {
        return 0; /* empty, as most servers are behind their main process */
    }
    if (length < 0) {
        return (int)length;
    }
    leaf_path(leaf, member_controller(leaf->slice), "", directory);
    set_frozen(leaf, true);
    int listed = cgroup_kill_listed(directory);
    set_frozen(leaf, false);
    return listed == 0 ? 0 : -EBUSY;
}

static int v1_clean(const struct slice *slice, const struct spared *spared, struct error *err)
{
    /* The freezer first: elsewhere a frozen leftover would seem immortal. */
    static const enum controller order[] = {CONTROLLER_FREEZER, CONTROLLER_CPU,  CONTROLLER_CPUACCT,
                                            CONTROLLER_MEMORY,  CONTROLLER_PIDS, CONTROLLER_IO};
    return cgroup_clean(slice, order, ARRAY_SIZE(order), spared, NULL, err);
}

/* What is not empty stays. */
static void v1_close(struct slice *slice)
{
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        if (slice->hierarchies[c].usable) {
            rmdir(slice->hierarchies[c].directory);
        }
    }
}

const struct slice_ops slice_v1_ops = {
    .enforcement = "cgroup1",
    .stats =
        {
            [LEAF_STAT_CPU_USAGE] = {CONTROLLER_CPUACCT, "cpuacct.usage", RUNTIME_HAVE_CPU, parse_cpu_usage},
            [LEAF_STAT_CPU] = {CONTROLLER_CPU, "cpu.stat", RUNTIME_HAVE_THROTTLED, parse_cpu},
            [LEAF_STAT_MEMORY] = {CONTROLLER_MEMORY, "memory.usage_in_bytes", RUNTIME_HAVE_MEMORY, leaf_parse_memory},
            [LEAF_STAT_OOM] = {CONTROLLER_MEMORY, "memory.oom_control", RUNTIME_HAVE_OOM, leaf_parse_oom},
            [LEAF_STAT_PIDS] = {CONTROLLER_PIDS, "pids.current", RUNTIME_HAVE_PIDS, leaf_parse_pids},
            [LEAF_STAT_IO] = {CONTROLLER_IO, "blkio.throttle.io_service_bytes", RUNTIME_HAVE_IO, parse_io},
        },
    .reserves = {[RESERVED_CPU] = {CONTROLLER_CPU, "cpu.shares", SHARES_PER_CORE, SHARES_MAX}},
    .apply = v1_apply,
    .reserved = v1_reserved,
    .read_limits = v1_read_limits,
    .recognise = cgroup_recognise,
    .entry = v1_entry,
    .sample = leaf_sample_stats,
    .freeze = v1_freeze,
    .frozen = v1_frozen,
    .kill = v1_kill,
    .remove = leaf_remove,
    .clean = v1_clean,
    .close = v1_close,
};
