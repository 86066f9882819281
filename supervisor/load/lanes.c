/*
 * Deals targets out to threads. A lane is one target on one thread; a target has several where there are few of them for
 * the threads, and its connections and requests are divided among these.
 */
#include "supervisor/load/engine.h"

#include "core/memory.h"

#include <stdlib.h>

#define TARGETS_PER_THREAD_ENOUGH 4u /* from here on whole targets are spread evenly enough */

/* As few as give every thread the same number of lanes. */
static unsigned lanes_per_target(const struct load_plan *plan, unsigned threads, unsigned connections)
{
    unsigned lanes = 1;

    if (plan->target_count >= (size_t)TARGETS_PER_THREAD_ENOUGH * threads)
        return 1;
    while (lanes < connections && lanes * plan->target_count % threads != 0)
        lanes++;
    return lanes;
}

static uint64_t share(uint64_t whole, unsigned part, unsigned parts)
{
    return whole / parts + (part < whole % parts);
}

static void lane_init(struct lane *lane, const struct load_plan *plan, size_t target)
{
    const struct load_target *where = &plan->targets[target];

    lane->target = target;
    lane->open = true;
    lane->address = (const struct sockaddr *)&where->address;
    lane->address_length = where->address_length;
    lane->request = load_plan_compose(plan, where, &lane->request_length);
    lane->next_due_ns = ENGINE_NEVER;
    latency_init(&lane->latency, LATENCY_COARSE_BITS);
    latency_init(&lane->service, LATENCY_COARSE_BITS);
    TAILQ_INIT(&lane->idle);
    lane->connections = xcalloc(lane->connection_count, sizeof(*lane->connections));
    for (unsigned i = 0; i < lane->connection_count; i++) {
        struct load_connection *connection = &lane->connections[i];
        connection->lane = lane;
        connection->fd = -1;
        connection->poll.data = connection;
        connection->counts = &lane->counts;
    }
}

void lanes_make(struct load_run *run)
{
    const struct load_plan *plan = &run->plan;
    unsigned connections = (unsigned)(load_plan_connections(plan) / plan->target_count);
    unsigned parts = lanes_per_target(plan, run->worker_count, connections);
    unsigned turn = 0;

    run->lane_count = plan->target_count * parts;
    run->lanes = xcalloc(run->lane_count, sizeof(*run->lanes));
    for (unsigned i = 0; i < run->worker_count; i++)
        run->workers[i].lanes = xcalloc(run->lane_count / run->worker_count + 1, sizeof(struct lane *));
    for (size_t i = 0; i < run->lane_count; i++) {
        struct lane *lane = &run->lanes[i];
        struct worker *worker = &run->workers[turn];
        unsigned part = (unsigned)(i / plan->target_count);
        lane->worker = worker;
        lane->slot = i;
        lane->connection_count = (unsigned)share(connections, part, parts);
        lane->quota = UINT64_MAX;
        if (plan->model == LOAD_CLOSED && plan->requests > 0)
            lane->quota = share(plan->requests, part, parts);
        lane_init(lane, plan, i % plan->target_count);
        worker->lanes[worker->lane_count++] = lane;
        worker->lanes_open++;
        turn = turn + 1 < run->worker_count ? turn + 1 : 0;
    }
    for (unsigned i = 0; i < run->worker_count; i++)
        run->workers[i].heap = xcalloc(run->workers[i].lane_count + 1, sizeof(struct lane *));
}

void lanes_free(struct load_run *run)
{
    for (size_t i = 0; i < run->lane_count; i++) {
        struct lane *lane = &run->lanes[i];
        free(lane->request);
        free(lane->connections);
        latency_done(&lane->latency);
        latency_done(&lane->service);
    }
    free(run->lanes);
}
