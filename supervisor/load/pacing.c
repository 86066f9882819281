/*
 * The open model. Lanes that have both an idle connection and an arrival to come wait in a heap, the earliest first; a
 * timerfd wakes the loop for it, and every socket event looks whether something has become due meanwhile. A lane
 * without an idle connection is not in the heap: its arrivals wait in the arithmetic of the schedule.
 */
#include "supervisor/load/engine.h"

#include "core/clock.h"

#include <stddef.h>

/* --- the heap, places from 1 --- */

static void place(struct worker *worker, size_t at, struct lane *lane)
{
    worker->heap[at - 1] = lane;
    lane->heap_place = at;
}

static void sift_up(struct worker *worker, struct lane *lane)
{
    size_t at = lane->heap_place;

    for (; at > 1 && worker->heap[at / 2 - 1]->next_due_ns > lane->next_due_ns; at /= 2)
        place(worker, at, worker->heap[at / 2 - 1]);
    place(worker, at, lane);
}

static void sift_down(struct worker *worker, struct lane *lane)
{
    size_t at = lane->heap_place;

    for (size_t child = 2 * at; child <= worker->heap_count; at = child, child *= 2) {
        if (child < worker->heap_count && worker->heap[child]->next_due_ns < worker->heap[child - 1]->next_due_ns)
            child++;
        if (worker->heap[child - 1]->next_due_ns >= lane->next_due_ns)
            break;
        place(worker, at, worker->heap[child - 1]);
    }
    place(worker, at, lane);
}

static void note_first(struct worker *worker)
{
    worker->next_due_ns = worker->heap_count > 0 ? worker->heap[0]->next_due_ns : ENGINE_NEVER;
}

static void heap_insert(struct worker *worker, struct lane *lane)
{
    place(worker, ++worker->heap_count, lane);
    sift_up(worker, lane);
    note_first(worker);
}

static void heap_remove(struct worker *worker, struct lane *lane)
{
    struct lane *last = worker->heap[--worker->heap_count];

    if (last != lane) {
        place(worker, lane->heap_place, last);
        sift_up(worker, last);
        sift_down(worker, last);
    }
    lane->heap_place = 0;
    note_first(worker);
}

/* --- arrivals --- */

static bool in_warmup(const struct lane *lane)
{
    return lane->arrivals.schedule == &lane->worker->run->warmup_schedule;
}

/* Works out the lane's next arrival. After those of the warm-up come those that count. */
static void advance(struct lane *lane)
{
    const struct load_run *run = lane->worker->run;
    int64_t next = arrivals_next_ns(&lane->arrivals);

    if (next == SCHEDULE_NEVER && in_warmup(lane)) {
        arrivals_init(&lane->arrivals, &run->schedule, lane->slot, run->lane_count, run->plan.seed);
        lane->arrivals_start_ns = lane->worker->start_ns;
        next = arrivals_next_ns(&lane->arrivals);
    }
    lane->next_due_ns = next == SCHEDULE_NEVER ? ENGINE_NEVER : lane->arrivals_start_ns + next;
}

void pacing_lane_ready(struct lane *lane)
{
    if (lane->open && lane->heap_place == 0 && lane->next_due_ns != ENGINE_NEVER)
        heap_insert(lane->worker, lane);
}

/* What is still to be sent is dropped. Of a run that was stopped, only what was due by now had been asked for. */
void pacing_lane_closed(struct lane *lane)
{
    struct worker *worker = lane->worker;

    if (lane->heap_place > 0)
        heap_remove(worker, lane);
    if (!worker->started)
        return;
    if (worker->stopping) {
        for (; lane->next_due_ns <= worker->now_ns; advance(lane))
            lane->dropped += lane->next_due_ns >= worker->start_ns;
    } else {
        if (in_warmup(lane)) {
            lane->arrivals.left = 0;
            advance(lane);
        }
        lane->dropped += lane->arrivals.left + (lane->next_due_ns != ENGINE_NEVER);
    }
    lane->next_due_ns = ENGINE_NEVER;
}

static void dispatch_first(struct worker *worker)
{
    struct lane *lane = worker->heap[0];
    struct load_connection *connection = TAILQ_FIRST(&lane->idle);
    int64_t due_ns = lane->next_due_ns;

    TAILQ_REMOVE(&lane->idle, connection, link);
    connection->idle = false;
    int64_t possible_ns = due_ns > connection->sent_ns ? due_ns : connection->sent_ns;
    worker->late += due_ns >= worker->start_ns && worker->now_ns - possible_ns > ENGINE_LATE_NS;
    advance(lane);
    if (TAILQ_EMPTY(&lane->idle) || lane->next_due_ns == ENGINE_NEVER) {
        heap_remove(worker, lane);
    } else {
        sift_down(worker, lane);
        note_first(worker);
    }
    load_connection_begin(connection, due_ns, worker->now_ns);
    if (lane->next_due_ns == ENGINE_NEVER)
        lane_close(lane);
}

void pacing_dispatch(struct worker *worker)
{
    worker->now_ns = clock_monotonic_ns();
    while (worker->next_due_ns <= worker->now_ns && !worker->ended) {
        dispatch_first(worker);
        worker->now_ns = clock_monotonic_ns();
    }
}

static void on_prepare(uv_prepare_t *pacer)
{
    struct worker *worker = pacer->data;

    pacing_dispatch(worker);
    if (!worker->ended)
        worker_wake_at(worker, worker->next_due_ns);
}

void pacing_begin(struct worker *worker)
{
    const struct load_run *run = worker->run;

    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        arrivals_init(&lane->arrivals, &run->warmup_schedule, lane->slot, run->lane_count, ~run->plan.seed);
        lane->arrivals_start_ns = worker->begin_ns;
        advance(lane);
        if (lane->next_due_ns == ENGINE_NEVER)
            lane_close(lane);
        else if (!TAILQ_EMPTY(&lane->idle))
            heap_insert(worker, lane);
    }
    if (!worker->ended)
        uv_prepare_start(&worker->pacer, on_prepare);
}
