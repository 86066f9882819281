/*
 * Leaves in cgroup v2: one directory per server with all of its controllers, and the kernel's own means for killing and
 * freezing it whole. Finding the place for the slice, and farmd's way into a leaf of its own, is in delegation.c.
 */
#include "supervisor/runtime/process/slice.h"

#include "supervisor/runtime/process/delegation.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CPU_PERIOD_US 100000
#define CPU_QUOTA_MIN_US 1000 /* the kernel's own */
#define WEIGHT_PER_CORE 100   /* 100 is the kernel's default weight: what reserves a core weighs as anything else */
#define WEIGHT_MAX 10000

/* A file of the leaf whatever its controller: they share the directory. */
static void core_path(const struct leaf *leaf, const char *file, char path[CGROUP_PATH_MAX])
{
    leaf_path(leaf, CONTROLLER_CPU, file, path);
}

enum { VALUES_MAX = 8 };

static void set_memory(struct cgroup_value *value, const char *file, uint64_t bytes)
{
    if (bytes > 0) {
        cgroup_value_set(value, CONTROLLER_MEMORY, file, "%llu", (unsigned long long)bytes);
    } else {
        cgroup_value_set(value, CONTROLLER_MEMORY, file, "max");
    }
}

static int weight_of(double cores)
{
    int weight = (int)(cores * WEIGHT_PER_CORE + 0.5);
    return weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
}

/* A new cgroup has the weight of a reservation that nobody wants already. */
static size_t values_of(const struct slice *slice, const struct limits *limits, bool create,
                        struct cgroup_value values[VALUES_MAX])
{
    size_t n = 0;
    int quota = (int)(limits->cpu * CPU_PERIOD_US + 0.5);
    if (limits->cpu > 0) {
        cgroup_value_set(&values[n++], CONTROLLER_CPU, "cpu.max", "%d %d",
                         quota < CPU_QUOTA_MIN_US ? CPU_QUOTA_MIN_US : quota, CPU_PERIOD_US);
    } else {
        cgroup_value_set(&values[n++], CONTROLLER_CPU, "cpu.max", "max %d", CPU_PERIOD_US);
    }
    if (limits->cpu_reservation > 0 || !create) {
        int weight = limits->cpu_reservation > 0 ? weight_of(limits->cpu_reservation) : WEIGHT_PER_CORE;
        cgroup_value_set(&values[n++], CONTROLLER_CPU, "cpu.weight", "%d", weight);
    }
    set_memory(&values[n++], "memory.max", limits->memory);
    cgroup_value_set(&values[n++], CONTROLLER_MEMORY, "memory.low", "%llu",
                     (unsigned long long)limits->memory_reservation);
    cgroup_value_set(&values[n++], CONTROLLER_MEMORY, "memory.oom.group", "1");
    char path[CGROUP_PATH_MAX * 2];
    snprintf(path, sizeof(path), "%s/memory.swap.max", slice->hierarchies[CONTROLLER_MEMORY].directory);
    if (access(path, F_OK) == 0) { /* absent where the kernel accounts no swap */
        cgroup_value_set(&values[n++], CONTROLLER_MEMORY, "memory.swap.max", "0");
    }
    if (limits->pids > 0) {
        cgroup_value_set(&values[n++], CONTROLLER_PIDS, "pids.max", "%u", limits->pids);
    } else {
        cgroup_value_set(&values[n++], CONTROLLER_PIDS, "pids.max", "max");
    }
    return n;
}

/* The text of a limit's file, "" when it is not there. */
static const char *read_back(const struct leaf *leaf, enum controller controller, const char *file, char text[64],
                             int *rc)
{
    char path[CGROUP_PATH_MAX];
    leaf_path(leaf, controller, file, path);
    ssize_t length = leaf->slice->hierarchies[controller].usable ? kernel_file_read(path, text, 64) : -ENOENT;
    if (length <= 0) {
        text[0] = '\0';
        *rc = length < 0 && length != -ENOENT ? (int)length : *rc;
    }
    return text;
}

static int v2_read_limits(struct leaf *leaf)
{
    int rc = 0;
    const struct limits *asked = &leaf->asked;
    char text[64];
    struct runtime_limits_in_force *in_force = &leaf->in_force;
    const char *cpu = read_back(leaf, CONTROLLER_CPU, "cpu.max", text, &rc);
    const char *blank = strchr(cpu, ' ');
    uint64_t period = blank == NULL ? 0 : kernel_text_number(blank + 1, 0);
    in_force->cpu = period > 0 ? (double)kernel_text_number(cpu, 0) / (double)period : 0;
    in_force->memory = kernel_text_number(read_back(leaf, CONTROLLER_MEMORY, "memory.max", text, &rc), 0);
    in_force->memory_reservation = kernel_text_number(read_back(leaf, CONTROLLER_MEMORY, "memory.low", text, &rc), 0);
    in_force->pids = kernel_text_number(read_back(leaf, CONTROLLER_PIDS, "pids.max", text, &rc), 0);
    in_force->cpu_reservation = 0;
    if (asked->cpu_reservation > 0) {
        /* Weights are whole numbers: what was asked is in force when its rounding is. */
        uint64_t weight = kernel_text_number(read_back(leaf, CONTROLLER_CPU, "cpu.weight", text, &rc), 0);
        bool rounded = weight == (uint64_t)weight_of(asked->cpu_reservation);
        in_force->cpu_reservation = rounded ? asked->cpu_reservation : (double)weight / WEIGHT_PER_CORE;
    }
    return rc;
}

static void v2_reserved(const struct limits *limits, uint64_t figures[RESERVED_COUNT])
{
    figures[RESERVED_CPU] = limits->cpu_reservation > 0 ? (uint64_t)weight_of(limits->cpu_reservation) : 0;
    figures[RESERVED_MEMORY] = limits->memory_reservation;
}

static int memory_in_use(const struct leaf *leaf, uint64_t *bytes, struct error *err)
{
    char text[64];
    int rc = 0;
    *bytes = kernel_text_number(read_back(leaf, CONTROLLER_MEMORY, "memory.current", text, &rc), 0);
    return rc == 0 ? 0 : error_set_errno(err, -rc, "cannot see how much memory %s uses", leaf->name);
}

static void set_memory_high(const struct leaf *leaf, const char *text)
{
    char path[CGROUP_PATH_MAX];
    leaf_path(leaf, CONTROLLER_MEMORY, "memory.high", path);
    kernel_file_write(path, text);
}

/* Where v1 refuses a limit below what is in use, v2 would accept it and end the server to get there. So the kernel is
 * asked first, by memory.high, to take back what it can without harm; it stays until the limit is set, so that what the
 * server takes meanwhile is taken back too. */
static int make_room(const struct leaf *leaf, uint64_t limit, struct error *err)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)limit);
    set_memory_high(leaf, text);
    uint64_t used;
    int rc = memory_in_use(leaf, &used, err);
    return rc != 0 || used <= limit ? rc : leaf_uses_more(leaf, limit, err);
}

static int v2_apply(struct leaf *leaf, const struct limits *limits, bool create, struct error *err)
{
    struct cgroup_value values[VALUES_MAX], before[VALUES_MAX];
    uint64_t used = 0;
    size_t count = values_of(leaf->slice, limits, create, values);
    int rc = create ? leaf_make(leaf, err) : memory_in_use(leaf, &used, err);
    bool tight = rc == 0 && limits->memory > 0 && used > limits->memory;
    if (!create && !leaf->unverified) {
        values_of(leaf->slice, &leaf->asked, create, before);
        count = cgroup_values_changed(values, before, count);
    }
    rc = tight ? make_room(leaf, limits->memory, err) : rc;
    rc = rc == 0 ? leaf_write(leaf, create, values, count, err) : rc;
    if (tight) {
        set_memory_high(leaf, "max");
    }
    if (rc == 0) {
        leaf_reserve(leaf, limits);
    }
    return rc;
}

/* An earlier farmd may have been killed while it made room for a limit: the server would be slowed down for good. */
static int v2_recognise(const struct leaf *leaf, const struct runtime_leftover *leftover, struct error *err)
{
    int rc = cgroup_recognise(leaf, leftover, err);
    if (rc == 0) {
        set_memory_high(leaf, "max");
    }
    return rc;
}

static int v2_entry(struct leaf *leaf, struct leaf_entry *entry, struct error *err)
{
    char path[CGROUP_PATH_MAX];
    core_path(leaf, "", path);
    entry->cgroup_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (entry->cgroup_fd < 0) {
        return error_set_errno(err, errno, "cannot open the cgroup %s", path);
    }
    /* For a kernel whose clone3 cannot: the child joins by itself. */
    core_path(leaf, "cgroup.procs", entry->join[0]);
    entry->join_count = 1;
    return 0;
}

static void parse_cpu(const char *text, struct runtime_sample *sample)
{
    uint64_t used_us = 0, throttled_us = 0;
    kernel_text_field(text, "usage_usec", &used_us);
    kernel_text_field(text, "throttled_usec", &throttled_us);
    kernel_text_field(text, "nr_periods", &sample->periods);
    kernel_text_field(text, "nr_throttled", &sample->periods_throttled);
    sample->cpu_ns = used_us * 1000;
    sample->throttled_ns = throttled_us * 1000;
}

/* The sums over devices: "8:0 rbytes=4096 wbytes=0 rios=1 …" */
static void parse_io(const char *text, struct runtime_sample *sample)
{
    static const char read_key[] = " rbytes=", write_key[] = " wbytes=";
    for (const char *at = text; (at = strstr(at, read_key)) != NULL; at++) {
        sample->io_read += kernel_text_number(at + strlen(read_key), 0);
    }
    for (const char *at = text; (at = strstr(at, write_key)) != NULL; at++) {
        sample->io_written += kernel_text_number(at + strlen(write_key), 0);
    }
}

static int v2_freeze(struct leaf *leaf, bool frozen, struct error *err)
{
    char path[CGROUP_PATH_MAX];
    core_path(leaf, "cgroup.freeze", path);
    int rc = kernel_file_write(path, frozen ? "1" : "0");
    return rc == 0 ? 0 : error_set_errno(err, -rc, "%s cannot be %s", leaf->name, frozen ? "paused" : "resumed");
}

static bool v2_frozen(const struct leaf *leaf, bool recorded)
{
    char path[CGROUP_PATH_MAX], text[16];
    (void)recorded;
    core_path(leaf, "cgroup.freeze", path);
    return kernel_file_read(path, text, sizeof(text)) > 0 && text[0] == '1';
}

/* 1, 0 when nothing is inside, or a negative code when that cannot be seen. */
static int populated(const struct leaf *leaf)
{
    char path[CGROUP_PATH_MAX], text[128];
    uint64_t inside = 0;
    core_path(leaf, "cgroup.events", path);
    ssize_t length = kernel_file_read(path, text, sizeof(text));
    if (length < 0) {
        return length == -ENOENT || length == -ENODEV ? 0 : (int)length;
    }
    return kernel_text_field(text, "populated", &inside) && inside != 0;
}

static int v2_kill(struct leaf *leaf)
{
    int inside = populated(leaf);
    if (inside <= 0) {
        return inside;
    }
    char path[CGROUP_PATH_MAX];
    core_path(leaf, "cgroup.kill", path);
    if (kernel_file_write(path, "1") != 0) { /* Linux before 5.14: by hand, frozen so that nothing forks meanwhile */
        v2_freeze(leaf, true, NULL);
        core_path(leaf, "", path);
        cgroup_kill_listed(path);
        v2_freeze(leaf, false, NULL);
    }
    return -EBUSY;
}

static int v2_clean(const struct slice *slice, const struct spared *spared, struct error *err)
{
    static const enum controller any[] = {CONTROLLER_CPU};
    /* The supervisor's leaf may hold the shell that starts farmd anew. */
    return cgroup_clean(slice, any, 1, spared, DELEGATION_LEAF, err);
}

const struct slice_ops slice_v2_ops = {
    .enforcement = "cgroup2",
    .stats =
        {
            [LEAF_STAT_CPU] = {CONTROLLER_CPU, "cpu.stat", RUNTIME_HAVE_CPU | RUNTIME_HAVE_THROTTLED, parse_cpu},
            [LEAF_STAT_MEMORY] = {CONTROLLER_MEMORY, "memory.current", RUNTIME_HAVE_MEMORY, leaf_parse_memory},
            [LEAF_STAT_OOM] = {CONTROLLER_MEMORY, "memory.events", RUNTIME_HAVE_OOM, leaf_parse_oom},
            [LEAF_STAT_PIDS] = {CONTROLLER_PIDS, "pids.current", RUNTIME_HAVE_PIDS, leaf_parse_pids},
            [LEAF_STAT_IO] = {CONTROLLER_IO, "io.stat", RUNTIME_HAVE_IO, parse_io},
        },
    .has_pressure = true,
    .reserves =
        {
            [RESERVED_CPU] = {CONTROLLER_CPU, "cpu.weight", WEIGHT_PER_CORE, WEIGHT_MAX},
            [RESERVED_MEMORY] = {CONTROLLER_MEMORY, "memory.low", 0, UINT64_MAX},
        },
    .apply = v2_apply,
    .reserved = v2_reserved,
    .read_limits = v2_read_limits,
    .recognise = v2_recognise,
    .entry = v2_entry,
    .sample = leaf_sample_stats,
    .freeze = v2_freeze,
    .frozen = v2_frozen,
    .kill = v2_kill,
    .remove = leaf_remove,
    .clean = v2_clean,
    .close = delegation_close,
};
