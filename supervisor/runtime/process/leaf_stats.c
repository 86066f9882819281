/*
 * The statistics of a leaf: files that are held open and read in one piece, which needs no look-up of a path. Apart from
 * the limits, which are written and read back by path.
 */
#include "supervisor/runtime/process/slice.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/descriptors.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATS_RETRY_NS (2 * NS_PER_SECOND)
#define CACHE_MATTERS_FROM (32U << 20) /* bytes, where there is no limit to compare with */

void leaf_close(struct leaf *leaf)
{
    for (size_t i = 0; leaf->stats_open && i < LEAF_STAT_COUNT; i++) {
        cleanup_close_impl(&leaf->stats[i]);
        leaf->stats[i] = -1;
    }
    leaf->stats_open = false;
    leaf->slice->leaves_without_stats -= leaf->stats_retry_ns != 0;
    leaf->stats_retry_ns = 0;
}

/* Opens those that are not open. 0 also when one is not there; or why it could not be opened now. */
static int open_missing(struct leaf *leaf, struct error *err)
{
    const struct slice *slice = leaf->slice;
    int rc = descriptors_check(DESCRIPTORS_KEPT_BY_STATS, err);
    for (size_t i = 0; rc == 0 && i < LEAF_STAT_COUNT; i++) {
        char path[CGROUP_PATH_MAX];
        const struct leaf_stat_row *row = &slice->ops->stats[i];
        if (leaf->stats[i] >= 0 || row->file == NULL || !slice->hierarchies[row->controller].usable) {
            continue;
        }
        leaf_path(leaf, row->controller, row->file, path);
        leaf->stats[i] = open(path, O_RDONLY | O_CLOEXEC);
        if (leaf->stats[i] < 0 && errno != ENOENT) {
            rc = error_set_errno(err, errno, "opening %s", path);
        }
    }
    return rc;
}

/* A leaf that goes without for a while gets them later. */
static void open_stats(struct leaf *leaf)
{
    struct slice *slice = leaf->slice;
    int64_t now_ns = clock_monotonic_ns();
    struct error err;
    if (leaf->stats_open && (leaf->stats_retry_ns == 0 || now_ns < leaf->stats_retry_ns)) {
        return;
    }
    for (size_t i = 0; !leaf->stats_open && i < LEAF_STAT_COUNT; i++) {
        leaf->stats[i] = -1;
    }
    leaf->stats_open = true;
    bool lacked = leaf->stats_retry_ns != 0, lacks = open_missing(leaf, &err) != 0;
    leaf->stats_retry_ns = lacks ? now_ns + STATS_RETRY_NS : 0;
    slice->leaves_without_stats += lacks;
    slice->leaves_without_stats -= lacked;
    if (lacks) {
        slice_trouble(slice, RUNTIME_TROUBLE_STATISTICS, &err);
    } else if (lacked && slice->leaves_without_stats == 0) {
        slice_trouble(slice, RUNTIME_TROUBLE_STATISTICS, NULL);
    }
}

/* `charged` bytes without the page cache that the kernel would drop first. Reading memory.stat makes the kernel add up the
 * figures of all CPUs, which for every server in every second would be most of what sampling costs; and a server far below
 * its limit is in no danger however much of its memory is cache. */
static uint64_t memory_used(const struct leaf *leaf, uint64_t charged)
{
    const char *cache_key = leaf->slice->version == CGROUP_VERSION_1 ? "total_inactive_file" : "inactive_file";
    uint64_t limit = leaf->asked.memory, cache = 0;
    char path[CGROUP_PATH_MAX], text[8192];
    if (charged <= (limit > 0 ? limit / 8 : CACHE_MATTERS_FROM)) {
        return charged;
    }
    leaf_path(leaf, CONTROLLER_MEMORY, "memory.stat", path);
    if (kernel_file_read(path, text, sizeof(text)) > 0) {
        kernel_text_field(text, cache_key, &cache);
    }
    return charged > cache ? charged - cache : 0;
}

void leaf_sample(struct leaf *leaf, struct runtime_sample *sample)
{
    open_stats(leaf);
    leaf->slice->ops->sample(leaf, sample);
    if (leaf->slice->hierarchies[CONTROLLER_MEMORY].usable) {
        sample->memory = memory_used(leaf, sample->memory);
    }
}

uint64_t cgroup_oom_kills(const char *text)
{
    uint64_t kills = 0, group_kills = 0;
    kernel_text_field(text, "oom_kill", &kills); /* the same word in v2's memory.events and v1's oom_control */
    kernel_text_field(text, "oom_group_kill", &group_kills);
    return group_kills > 0 ? group_kills : kills;
}

uint64_t leaf_oom_kills(struct leaf *leaf)
{
    const struct slice *slice = leaf->slice;
    enum controller controller = slice->ops->stats[LEAF_STAT_OOM].controller;
    const char *file = slice->ops->stats[LEAF_STAT_OOM].file;
    char text[512], path[CGROUP_PATH_MAX];
    ssize_t length = 0;
    if (leaf->stats_open && leaf->stats[LEAF_STAT_OOM] >= 0) {
        length = kernel_file_pread(leaf->stats[LEAF_STAT_OOM], text, sizeof(text));
    } else if (file != NULL && slice->hierarchies[controller].usable) {
        /* No sample was taken yet, or there are no descriptors for them; why a server ended should be known all the same. */
        leaf_path(leaf, controller, file, path);
        length = kernel_file_read(path, text, sizeof(text));
    }
    return length > 0 ? cgroup_oom_kills(text) : 0;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static void parse_stall(const char *text, const char *kind, struct runtime_stall *stall)
{
    static const char total_key[] = " total=";
    struct runtime_stall found = {.known = true};
    const struct {
        const char *key;
        double *figure;
    } averages[] = {{" avg10=", &found.avg10}, {" avg60=", &found.avg60}, {" avg300=", &found.avg300}};
    const char *at = strstr(text, kind); /* older kernels have no "full" for the CPU */
    for (size_t i = 0; at != NULL && i < ARRAY_SIZE(averages); i++) {
        at = strstr(at, averages[i].key);
        *averages[i].figure = at == NULL ? 0 : strtod(at + strlen(averages[i].key), NULL);
    }
    at = at == NULL ? NULL : strstr(at, total_key);
    if (at != NULL) {
        found.total_us = kernel_text_number(at + strlen(total_key), 0);
        *stall = found;
    }
}

void leaf_pressure(const struct leaf *leaf, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT])
{
    static const char *const files[RUNTIME_RESOURCE_COUNT] = {
        [RUNTIME_CPU] = "cpu.pressure", [RUNTIME_MEMORY] = "memory.pressure", [RUNTIME_IO] = "io.pressure"};
    for (int i = 0; leaf->slice->ops->has_pressure && i < RUNTIME_RESOURCE_COUNT; i++) {
        char path[CGROUP_PATH_MAX], text[256];
        /* These files are of the leaf itself, whichever controllers it has. */
        leaf_path(leaf, CONTROLLER_CPU, files[i], path);
        if (kernel_file_read(path, text, sizeof(text)) > 0) {
            parse_stall(text, "some", &figures[i].some);
            parse_stall(text, "full", &figures[i].full);
        }
    }
}

void leaf_sample_stats(const struct leaf *leaf, struct runtime_sample *sample)
{
    *sample = (struct runtime_sample){0};
    for (size_t i = 0; i < LEAF_STAT_COUNT; i++) {
        const struct leaf_stat_row *row = &leaf->slice->ops->stats[i];
        char text[4096]; /* I/O has lines for every device, and in v2 none before the first */
        if (leaf->stats[i] >= 0 && kernel_file_pread(leaf->stats[i], text, sizeof(text)) >= 0) {
            sample->have |= row->have;
            row->parse(text, sample);
        }
    }
}

void leaf_parse_memory(const char *text, struct runtime_sample *sample)
{
    sample->memory = kernel_text_number(text, 0);
}

void leaf_parse_oom(const char *text, struct runtime_sample *sample)
{
    sample->oom_kills = cgroup_oom_kills(text);
}

void leaf_parse_pids(const char *text, struct runtime_sample *sample)
{
    sample->pids = kernel_text_number(text, 0);
}
