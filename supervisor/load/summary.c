/*
 * From the tallies of threads and lanes to one result, when all threads have ended.
 */
#include "supervisor/load/engine.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SATURATED_SHARE 0.9            /* of a core, from which on a thread is taken to be the limit */
#define TELLING_NS (100.0 * NS_PER_MS) /* of sending, below which a thread's share of a core says nothing */
#define LATE_SHARE 0.01 /* of the requests of an open model, from which on percentiles tell more of the engine */

static double seconds_between(int64_t from_ns, int64_t to_ns)
{
    return to_ns > from_ns ? (double)(to_ns - from_ns) / (double)NS_PER_SECOND : 0;
}

static void add_lane(struct load_result *result, const struct lane *lane, int64_t start_ns)
{
    struct load_target_result *target = &result->targets[lane->target];
    double seconds = seconds_between(start_ns, lane->last_end_ns);

    load_counts_add(&target->counts, &lane->counts);
    load_counts_add(&result->counts, &lane->counts);
    latency_merge(&target->latency, &lane->latency);
    latency_merge(&target->service, &lane->service);
    target->dropped += lane->dropped;
    result->dropped += lane->dropped;
    target->gave_up = target->gave_up || lane->gave_up;
    if (seconds > target->seconds)
        target->seconds = seconds;
    result->connections += lane->connection_count;
    result->memory_bytes += lane->connection_count * sizeof(struct load_connection) + sizeof(*lane) +
                            latency_memory(&lane->latency) + latency_memory(&lane->service);
}

static void add_targets(struct load_result *result, const struct load_run *run)
{
    const struct load_plan *plan = &run->plan;

    result->target_count = plan->target_count;
    result->targets = xcalloc(plan->target_count, sizeof(*result->targets));
    for (size_t i = 0; i < plan->target_count; i++) {
        struct load_target_result *target = &result->targets[i];
        target->id = plan->targets[i].id;
        snprintf(target->name, sizeof(target->name), "%s", plan->targets[i].name);
        latency_init(&target->latency, LATENCY_COARSE_BITS);
        latency_init(&target->service, LATENCY_COARSE_BITS);
    }
    for (size_t i = 0; i < run->lane_count; i++)
        add_lane(result, &run->lanes[i], run->start_ns);
}

/* --- the engine itself --- */

static void judge_engine(struct load_result *result, double busiest, double waiting, double late)
{
    char *why = result->saturated_why;

    result->saturated = busiest + waiting >= SATURATED_SHARE || late >= LATE_SHARE;
    if (busiest >= SATURATED_SHARE)
        snprintf(why, LOAD_WHY_MAX,
                 "a thread of the load engine used %.0f %% of a core: the targets may be faster than shown; use more "
                 "threads",
                 busiest * 100);
    else if (late >= LATE_SHARE)
        snprintf(
            why, LOAD_WHY_MAX,
            "the load engine itself sent %.0f %% of the requests over 1 ms late: this machine has too few cores for "
            "it and the targets, and latency includes that",
            late * 100);
    else if (result->saturated)
        snprintf(why, LOAD_WHY_MAX,
                 "the load engine waited for a core %.0f %% of the time: this machine has too few for it and the "
                 "targets, and latency includes that",
                 waiting * 100);
}

static void add_usage(struct load_result *result, const struct load_run *run)
{
    double busiest = 0, waiting = 0;
    uint64_t late = 0;

    for (unsigned i = 0; i < run->worker_count; i++) {
        const struct usage *first = &run->workers[i].usage_first, *last = &run->workers[i].usage_last;
        double wall = (double)(last->wall_ns - first->wall_ns);
        late += run->workers[i].late;
        if (first->wall_ns == 0 || wall <= 0)
            continue;
        /* A handful of requests is sent in one go, which tells nothing of what the thread could have borne. */
        bool telling = wall >= TELLING_NS;
        double cpu = (double)(last->cpu_ns - first->cpu_ns) / wall;
        double waited = (double)(last->waited_ns - first->waited_ns) / wall;
        result->cpu_cores += cpu;
        if (telling && cpu + waited > busiest + waiting) {
            busiest = cpu;
            waiting = waited;
        }
    }
    uint64_t requests = result->counts.requests;
    judge_engine(result, busiest, waiting, requests > 0 ? (double)late / (double)requests : 0);
}

/* --- time --- */

/* The time of sending when that was kept, else up to the end of the sending; later answers make it longer. */
static double measured_seconds(const struct load_run *run, bool time_is_over)
{
    double seconds = 0, planned = 0;

    for (size_t i = 0; i < run->lane_count; i++) {
        double answered = seconds_between(run->start_ns, run->lanes[i].last_answer_ns);
        seconds = answered > seconds ? answered : seconds;
    }
    for (unsigned i = 0; i < run->worker_count; i++) {
        double sending = seconds_between(run->start_ns, run->workers[i].usage_last.wall_ns);
        planned = sending > planned ? sending : planned;
    }
    if (time_is_over && run->plan.model == LOAD_CLOSED)
        planned = (double)run->plan.duration_ns / (double)NS_PER_SECOND;
    else if (time_is_over)
        planned = (double)schedule_length_ns(&run->schedule) / (double)NS_PER_SECOND;
    return seconds > planned ? seconds : planned;
}

static enum load_end how_it_ended(const struct load_run *run, const struct load_result *result)
{
    bool all_gave_up = true;

    if (run->stopped)
        return LOAD_END_STOPPED;
    for (size_t i = 0; i < result->target_count; i++)
        all_gave_up = all_gave_up && result->targets[i].gave_up;
    if (all_gave_up)
        return LOAD_END_GAVE_UP;
    uint64_t wanted = run->plan.requests * run->plan.target_count;
    return wanted > 0 && result->counts.requests >= wanted ? LOAD_END_COUNT : LOAD_END_TIME;
}

static void add_rates(struct load_result *result, const struct load_run *run)
{
    bool open = run->plan.model != LOAD_CLOSED;
    bool kept = result->end == LOAD_END_TIME || (open && result->end == LOAD_END_COUNT);

    result->seconds = measured_seconds(run, kept);
    if (result->seconds > 0)
        result->achieved_rate = (double)result->counts.answered / result->seconds;
    if (open) {
        int64_t length_ns = schedule_length_ns(&run->schedule);
        result->asked = result->counts.requests + result->dropped;
        result->asked_rate = (double)run->schedule.count / ((double)length_ns / (double)NS_PER_SECOND);
    } else {
        result->asked = run->plan.requests * run->plan.target_count;
    }
}

struct load_result *summary_make(struct load_run *run)
{
    struct load_result *result = xcalloc(1, sizeof(*result));

    result->model = run->plan.model;
    result->started_at_us = run->started_at_us;
    result->threads = run->worker_count;
    result->latency = run->series.latency;
    result->service = run->series.service;
    result->send_delay = run->series.send_delay;
    latency_init(&run->series.latency, LATENCY_FINE_BITS);
    latency_init(&run->series.service, LATENCY_FINE_BITS);
    latency_init(&run->series.send_delay, LATENCY_FINE_BITS);
    result->points = steal(&run->series.points);
    result->point_count = run->series.count;
    for (unsigned i = 0; i < run->worker_count; i++) {
        const struct worker *worker = &run->workers[i];
        load_counts_add(&result->warmup, &worker->warmup);
        for (unsigned status = 0; status < LOAD_STATUS_MAX; status++)
            result->status[status] += worker->status[status];
        result->memory_bytes += sizeof(*worker) + ENGINE_READ_SIZE + latency_memory(&worker->counted.latency) +
                                latency_memory(&worker->counted.service) + latency_memory(&worker->counted.send_delay);
    }
    result->memory_bytes += latency_memory(&result->latency) + latency_memory(&result->service) +
                            latency_memory(&result->send_delay) + result->point_count * sizeof(*result->points);
    add_targets(result, run);
    result->end = how_it_ended(run, result);
    add_usage(result, run);
    add_rates(result, run);
    load_result_find_outliers(result);
    load_result_judge(result, run->plan.thresholds, run->plan.threshold_count);
    return result;
}
