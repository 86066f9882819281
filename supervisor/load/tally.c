/*
 * Counting. What belongs to one target is counted in its lane, what belongs to one second in the worker; the second is
 * handed to the run when it is over. A request counts for the warm-up when it was due before the measured time.
 */
#include "supervisor/load/engine.h"

#include "core/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_measured(const struct load_connection *connection)
{
    return connection->counts == &connection->lane->counts;
}

void tally_begun(struct load_connection *connection)
{
    struct lane *lane = connection->lane;
    struct worker *worker = lane->worker;

    if (connection->due_ns < worker->start_ns) {
        connection->counts = &worker->warmup;
    } else {
        connection->counts = &lane->counts;
        worker->counted.counts.requests++;
        if (--lane->quota == 0)
            lane_close(lane);
    }
    connection->counts->requests++;
}

/* In the closed model a request is meant to be sent when it is: one distribution says it all. */
static void add_times(const struct load_connection *connection, int64_t now_ns)
{
    struct lane *lane = connection->lane;
    struct worker *worker = lane->worker;
    int64_t latency = now_ns - connection->due_ns;

    latency_add(&worker->counted.latency, latency);
    latency_add(&lane->latency, latency);
    if (worker->run->plan.model == LOAD_CLOSED)
        return;
    int64_t service = now_ns - connection->sent_ns;
    latency_add(&worker->counted.service, service);
    latency_add(&worker->counted.send_delay, connection->sent_ns - connection->due_ns);
    latency_add(&lane->service, service);
}

void tally_answered(struct load_connection *connection, int64_t now_ns)
{
    struct lane *lane = connection->lane;
    struct worker *worker = lane->worker;
    struct load_counts *counts = connection->counts;
    unsigned status = connection->answer.status;

    lane->last_answer_ns = lane->last_end_ns = now_ns;
    counts->answered++;
    counts->status_200 += status == 200;
    if (status >= 100 && status < LOAD_STATUS_MAX)
        counts->status_class[status / 100 - 1]++;
    if (!is_measured(connection))
        return;
    if (now_ns >= worker->second_end_ns)
        tally_roll(worker, now_ns);
    worker->status[status < LOAD_STATUS_MAX ? status : 0]++;
    worker->counted.counts.answered++;
    worker->counted.counts.failed += status >= 400;
    worker->counted.counts.bytes_received += connection->received;
    add_times(connection, now_ns);
}

void tally_broken(struct load_connection *connection, enum load_error error, int64_t now_ns)
{
    struct lane *lane = connection->lane;
    struct worker *worker = lane->worker;
    int64_t give_up_ns = worker->run->plan.give_up_ns;

    lane->last_end_ns = now_ns;
    connection->counts->errors[error]++;
    if (is_measured(connection)) {
        if (now_ns >= worker->second_end_ns)
            tally_roll(worker, now_ns);
        worker->counted.counts.failed++;
        /* It took at least so long: left out, the slowest would be missing. The other errors say nothing of times. */
        if (error == LOAD_TIMEOUT)
            add_times(connection, now_ns);
    }
    int64_t alive_ns = lane->last_answer_ns > worker->begin_ns ? lane->last_answer_ns : worker->begin_ns;
    if (give_up_ns > 0 && now_ns - alive_ns >= give_up_ns) {
        lane->gave_up = true;
        lane_close(lane);
    }
}

void tally_unfinished(struct load_connection *connection)
{
    connection->counts->unfinished++;
}

/* --- seconds --- */

static int64_t thread_cpu_ns(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * NS_PER_SECOND + used.tv_nsec;
}

/* How long this thread could have run and was not let; 0 where the kernel doesn't tell. */
static int64_t thread_waited_ns(void)
{
    char text[128];
    FILE *file = fopen("/proc/thread-self/schedstat", "re");

    if (!file)
        return 0;
    const char *line = fgets(text, sizeof(text), file);
    fclose(file);
    const char *second = line ? strchr(line, ' ') : NULL;
    return second ? strtoll(second, NULL, 10) : 0;
}

void tally_usage(struct worker *worker, struct usage *usage)
{
    usage->wall_ns = worker->now_ns;
    usage->cpu_ns = thread_cpu_ns();
    usage->waited_ns = thread_waited_ns();
}

static void hand_over(struct worker *worker)
{
    struct load_run *run = worker->run;

    uv_mutex_lock(&run->lock);
    series_add(&run->series, (unsigned)worker->second, &worker->counted);
    uv_mutex_unlock(&run->lock);
    load_second_clear(&worker->counted);
    uv_async_send(&run->news);
}

void tally_roll(struct worker *worker, int64_t now_ns)
{
    while (now_ns >= worker->second_end_ns) {
        if (worker->second >= 0)
            hand_over(worker);
        else
            tally_usage(worker, &worker->usage_first);
        worker->second++;
        worker->second_end_ns += NS_PER_SECOND;
    }
}

void tally_finish(struct worker *worker)
{
    struct load_run *run = worker->run;
    bool has_more =
        worker->second >= 0 &&
        worker->counted.counts.requests + worker->counted.counts.answered + worker->counted.counts.failed > 0;

    if (has_more)
        hand_over(worker);
    uv_mutex_lock(&run->lock);
    series_leave(&run->series, (unsigned)(worker->second + has_more));
    uv_mutex_unlock(&run->lock);
}
