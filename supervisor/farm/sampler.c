/*
 * The measuring of running servers. A timer goes round in slices of a second; each server belongs to the slice that its
 * place in the farm gives, so the cost is even over the second however many there are.
 */
#include "supervisor/farm/sampler.h"

#include "core/clock.h"
#include "core/histogram.h"
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#define SLICES 20

struct sampler {
    struct farm *farm;
    uv_timer_t timer;
    unsigned slice;
    uint64_t latency[HISTOGRAM_BUCKETS]; /* of all servers, in this round */
    uint64_t p99_us;                     /* in the last one */
};

/* The latest figures of a run, for the differences. */
struct base_line {
    bool valid;
    int64_t at_ns;
    struct runtime_sample sample;
    uint64_t requests, errors;
    int64_t counters_at_ns; /* when they were taken; 0: the runtime reads those of now */
};

struct sampler_slot {
    struct base_line base;
    struct runtime_limits_in_force limits; /* asked for with the first sample, off the way of a start */
    bool limits_known;
    uint64_t earlier_oom_kills; /* of the runs before this one */
    uint32_t *latency;          /* the histogram at the last sample; from the first request on */
    struct sample_history history;
};

static double machine_cpus(void)
{
    static double cpus;
    if (cpus <= 0)
        cpus = get_nprocs();
    return cpus > 0 ? cpus : 1;
}

static double machine_memory(void)
{
    static double bytes;
    struct sysinfo info;
    if (bytes <= 0 && sysinfo(&info) == 0)
        bytes = (double)info.totalram * info.mem_unit;
    return bytes > 0 ? bytes : 1;
}

static struct sampler_slot *slot_of(struct server *server)
{
    if (!server->samples)
        server->samples = xcalloc(1, sizeof(struct sampler_slot));
    return server->samples;
}

/* --- the kept points --- */

static void keep_point(struct server *server, struct sampler_slot *slot)
{
    const struct server_stats *stats = &server->stats;
    struct sample_point point = {
        .at_s = (uint32_t)(stats->at_us / US_PER_SECOND),
        .cpu_percent = (float)stats->cpu_percent,
        .throttled_percent = (float)stats->throttled_percent,
        .memory_mb = (float)((double)stats->memory / (1024.0 * 1024.0)),
        .requests_per_second = stats->have_requests ? (float)stats->requests_per_second : -1,
        .errors_per_second = (float)stats->errors_per_second,
        .p50_us = (uint32_t)stats->p50_us,
        .p99_us = (uint32_t)stats->p99_us,
        .restarts = server->restarts,
    };
    sample_history_add(&slot->history, &point);
}

size_t sampler_points(const struct server *server, const struct sample_range *range, struct sample_point *out,
                      size_t max)
{
    uint32_t now_s = (uint32_t)(clock_realtime_us() / US_PER_SECOND);

    if (!server->samples)
        return 0;
    return sample_history_get(&server->samples->history, range, now_s, server->restarts, out, max);
}

/* --- one sample --- */

/* What a program writes into its counters is its own affair: a figure that went back counts as no change. */
static uint64_t growth(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static double at_most(double value, double most)
{
    return value < most ? value : most;
}

/* The sample before, with the figures that one of the two is without made equal: what could not be read for a moment has
 * not grown, and above all not from nothing. */
static struct runtime_sample comparable(const struct runtime_sample *before, const struct runtime_sample *now)
{
    struct runtime_sample same = *before;
    unsigned lacking = ~(now->have & before->have);
    if (lacking & RUNTIME_HAVE_CPU)
        same.cpu_ns = now->cpu_ns;
    if (lacking & RUNTIME_HAVE_THROTTLED)
        same.throttled_ns = now->throttled_ns;
    if (lacking & RUNTIME_HAVE_IO) {
        same.io_read = now->io_read;
        same.io_written = now->io_written;
    }
    return same;
}

static void measure_cgroup(struct server *server, struct sampler_slot *slot, const struct runtime_sample *now,
                           double seconds)
{
    struct server_stats *stats = &server->stats;
    const struct runtime_sample earlier = comparable(&slot->base.sample, now), *before = &earlier;
    if (!slot->limits_known) {
        slot->limits_known = farm_runtime_ops(server->farm)->limits_in_force(server->process, &slot->limits);
    }
    double cpu_limit = slot->limits.cpu > 0 ? slot->limits.cpu : machine_cpus();
    double memory_limit = slot->limits.memory > 0 ? (double)slot->limits.memory : machine_memory();

    stats->have = now->have;
    stats->cpu_cores = (double)growth(now->cpu_ns, before->cpu_ns) / 1e9 / seconds;
    stats->cpu_percent = stats->cpu_cores / cpu_limit * 100;
    /* Summed over the CPUs by some kernels, so it may be more than the time that passed. */
    stats->throttled_percent =
        at_most((double)growth(now->throttled_ns, before->throttled_ns) / 1e9 / seconds * 100, 100);
    if (now->have & RUNTIME_HAVE_MEMORY)
        stats->memory = now->memory;
    stats->memory_percent = (double)stats->memory / memory_limit * 100;
    if (now->have & RUNTIME_HAVE_OOM)
        stats->oom_kills = slot->earlier_oom_kills + now->oom_kills;
    stats->pids = now->pids;
    stats->io_read_per_second = (double)growth(now->io_read, before->io_read) / seconds;
    stats->io_write_per_second = (double)growth(now->io_written, before->io_written) / seconds;
}

/* Fills the difference to the last sample and keeps the new counts. */
static void latency_difference(struct sampler_slot *slot, const struct counters *counters,
                               uint64_t difference[HISTOGRAM_BUCKETS])
{
    if (!slot->latency)
        slot->latency = xcalloc(HISTOGRAM_BUCKETS, sizeof(uint32_t));
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint32_t now = (uint32_t)atomic_load_explicit(&counters->latency[i], memory_order_relaxed);
        difference[i] = now - slot->latency[i]; /* right across a wrap, too */
        slot->latency[i] = now;
    }
}

static void measure_requests(struct server *server, struct sampler_slot *slot, const struct counters *counters,
                             double seconds)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    struct server_stats *stats = &server->stats;
    stats->have_requests = counters && counters->magic == COUNTERS_MAGIC && counters->version == COUNTERS_VERSION;
    bool is_first = !slot->base.valid;
    if (stats->have_requests && ops->counters_at_ns) {
        int64_t at_ns = ops->counters_at_ns(server->process), before_ns = slot->base.counters_at_ns;
        if (at_ns == before_ns)
            return; /* the figures are still those of the last time */
        slot->base.counters_at_ns = at_ns;
        is_first = before_ns == 0;
        seconds = is_first ? 1 : (double)(at_ns - before_ns) / (double)NS_PER_SECOND;
    }
    stats->p50_us = stats->p90_us = stats->p99_us = 0;
    if (!stats->have_requests)
        return;
    uint64_t requests = atomic_load_explicit(&counters->requests, memory_order_relaxed);
    uint64_t errors = atomic_load_explicit(&counters->responses[4], memory_order_relaxed);
    if (is_first) { /* of a run that began long before: nothing is known of the last second */
        uint64_t ignored[HISTOGRAM_BUCKETS];
        latency_difference(slot, counters, ignored);
        slot->base.requests = requests;
        slot->base.errors = errors;
    }
    uint64_t answered = growth(requests, slot->base.requests);
    stats->requests_total = requests;
    stats->requests_per_second = (double)answered / seconds;
    stats->errors_per_second = (double)growth(errors, slot->base.errors) / seconds;
    slot->base.requests = requests;
    slot->base.errors = errors;
    if (answered == 0)
        return; /* the histogram is the costly part, and an idle server's has not changed */
    uint64_t difference[HISTOGRAM_BUCKETS];
    latency_difference(slot, counters, difference);
    struct sampler *sampler = server->farm->sampler;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        sampler->latency[i] += difference[i];
    stats->p50_us = histogram_quantile_us(difference, 0.50);
    stats->p90_us = histogram_quantile_us(difference, 0.90);
    stats->p99_us = histogram_quantile_us(difference, 0.99);
}

static void sample_server(struct server *server)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    struct sampler_slot *slot = slot_of(server);
    struct runtime_sample now = {0};
    int64_t now_ns = clock_monotonic_ns();
    ops->sample(server->process, &now);
    double seconds = (double)(now_ns - slot->base.at_ns) / (double)NS_PER_SECOND;
    bool usable = slot->base.valid && seconds > 0.01;
    if (!usable)
        seconds = 1;
    if (!slot->base.valid)
        slot->base.sample = now;
    measure_cgroup(server, slot, &now, seconds);
    measure_requests(server, slot, ops->counters(server->process), seconds);
    slot->base.valid = true;
    slot->base.at_ns = now_ns;
    slot->base.sample = now;
    server->stats.at_us = farm_now_us(server->farm);
    keep_point(server, slot);
}

static void on_slice(uv_timer_t *timer)
{
    struct sampler *sampler = timer->data;
    size_t count = farm_server_count(sampler->farm);
    farm_now_us(sampler->farm); /* also while nothing runs */
    for (size_t i = sampler->slice; i < count; i += SLICES) {
        struct server *server = farm_server_at(sampler->farm, i);
        if (server->process)
            sample_server(server);
    }
    sampler->slice = (sampler->slice + 1) % SLICES;
    if (sampler->slice == 0) {
        sampler->p99_us = histogram_quantile_us(sampler->latency, 0.99);
        memset(sampler->latency, 0, sizeof(sampler->latency));
    }
}

uint64_t sampler_p99_us(const struct sampler *sampler)
{
    return sampler->p99_us;
}

/* --- runs --- */

void sampler_run_began(struct server *server)
{
    struct sampler_slot *slot = slot_of(server);
    free(steal(&slot->latency));
    slot->base = (struct base_line){.valid = true, .at_ns = clock_monotonic_ns(), .sample = {.have = ~0U}};
    slot->limits_known = false;
}

void sampler_run_adopted(struct server *server, uint64_t earlier_oom_kills)
{
    struct sampler_slot *slot = slot_of(server);
    slot->base = (struct base_line){0};
    slot->limits_known = false;
    slot->earlier_oom_kills = earlier_oom_kills;
    server->stats.oom_kills = earlier_oom_kills;
}

uint64_t sampler_earlier_oom_kills(const struct server *server)
{
    return server->samples ? server->samples->earlier_oom_kills : 0;
}

uint64_t sampler_seen_oom_kills(const struct server *server)
{
    return server->samples ? server->samples->base.sample.oom_kills : 0;
}

void sampler_limits_changed(struct server *server)
{
    slot_of(server)->limits_known = false;
}

/* The last second may have brought the OOM kill that ended it, so it is looked at once more. */
void sampler_run_ended(struct server *server)
{
    struct sampler_slot *slot = slot_of(server);
    struct runtime_sample last = {0};
    farm_runtime_ops(server->farm)->sample(server->process, &last);
    uint64_t oom_kills = slot->base.sample.oom_kills;
    if ((last.have & RUNTIME_HAVE_OOM) && last.oom_kills > oom_kills)
        oom_kills = last.oom_kills;
    if (server->last_exit.oom_killed && oom_kills == 0)
        oom_kills = 1;
    slot->earlier_oom_kills += oom_kills;
    slot->base = (struct base_line){0};
    server->stats = (struct server_stats){.oom_kills = slot->earlier_oom_kills};
}

void sampler_clock_moved(struct server *server, int64_t step_us)
{
    if (server->samples)
        sample_history_move(&server->samples->history, step_us / US_PER_SECOND);
}

void sampler_slot_free(struct server *server)
{
    if (!server->samples)
        return;
    sample_history_done(&server->samples->history);
    free(server->samples->latency);
    free(server->samples);
    server->samples = NULL;
}

struct sampler *sampler_new(struct farm *farm)
{
    struct sampler *sampler = xcalloc(1, sizeof(*sampler));
    sampler->farm = farm;
    uv_timer_init(farm_loop(farm), &sampler->timer);
    sampler->timer.data = sampler;
    uv_timer_start(&sampler->timer, on_slice, MS_PER_SECOND / SLICES, MS_PER_SECOND / SLICES);
    return sampler;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void sampler_free(struct sampler *sampler)
{
    if (sampler)
        uv_close((uv_handle_t *)&sampler->timer, on_closed);
}
