/*
 * One thread of a run: it makes its connections, waits until all threads have theirs, begins at the instant that was
 * agreed on, and ends when nothing more is to be sent and nothing under way. All callbacks but load_run's own run here.
 */
#include "supervisor/load/engine.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define START_DELAY_NS (2 * NS_PER_MS) /* from "all are ready" to the beginning, for every thread to hear of it */

static uint64_t ms_until(int64_t ns, int64_t now_ns)
{
    return ns > now_ns ? (uint64_t)((ns - now_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

/* --- the end --- */

static void close_if_open(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void end(struct worker *worker)
{
    struct load_connection *connection;

    if (worker->ended)
        return;
    worker->ended = true;
    while ((connection = TAILQ_FIRST(&worker->in_flight)))
        load_connection_cut(connection);
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        for (unsigned k = 0; k < lane->connection_count; k++) {
            enum load_connection_state state = lane->connections[k].state;
            if (state != CONNECTION_CLOSED && state != CONNECTION_CLOSING)
                load_connection_close(&lane->connections[k]);
        }
    }
    close_if_open((uv_handle_t *)&worker->wake);
    close_if_open((uv_handle_t *)&worker->alarm);
    close_if_open((uv_handle_t *)&worker->pacer);
    close_if_open((uv_handle_t *)&worker->phase);
    close_if_open((uv_handle_t *)&worker->timeout);
    close_if_open((uv_handle_t *)&worker->retry);
    close_if_open((uv_handle_t *)&worker->second_over);
}

void worker_check_end(struct worker *worker)
{
    if (worker->started && worker->lanes_open == 0 && TAILQ_EMPTY(&worker->in_flight))
        end(worker);
}

static void on_drained(uv_timer_t *phase)
{
    end(phase->data);
}

/* What is under way ends by its time-out at the latest: only a shorter wait needs a timer. */
static void sending_is_over(struct worker *worker)
{
    const struct load_plan *plan = &worker->run->plan;
    int64_t wait_ns = plan->drain_ns;

    if (worker->stopping && wait_ns > ENGINE_STOP_MS * NS_PER_MS)
        wait_ns = ENGINE_STOP_MS * NS_PER_MS;
    if (worker->usage_first.wall_ns > 0)
        tally_usage(worker, &worker->usage_last);
    uv_timer_stop(&worker->phase);
    if (wait_ns < plan->timeout_ns) {
        uv_update_time(&worker->loop);
        uv_timer_start(&worker->phase, on_drained, (uint64_t)(wait_ns / NS_PER_MS) + 1, 0);
    }
}

void lane_close(struct lane *lane)
{
    struct worker *worker = lane->worker;

    if (!lane->open)
        return;
    lane->open = false;
    if (worker->run->plan.model != LOAD_CLOSED)
        pacing_lane_closed(lane);
    if (--worker->lanes_open == 0 && !worker->ended) {
        sending_is_over(worker);
        worker_check_end(worker);
    }
}

static void close_lanes(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++)
        lane_close(worker->lanes[i]);
}

/* --- timers of the run --- */

static void on_time_over(uv_timer_t *phase)
{
    struct worker *worker = phase->data;

    worker->now_ns = clock_monotonic_ns();
    if (worker->now_ns < worker->stop_ns) {
        uv_timer_start(phase, on_time_over, ms_until(worker->stop_ns, worker->now_ns), 0);
        return;
    }
    pacing_dispatch(worker); /* what has a connection waiting for it is late by this thread's fault alone */
    close_lanes(worker);
}

static void on_second_over(uv_timer_t *timer)
{
    struct worker *worker = timer->data;

    worker->now_ns = clock_monotonic_ns();
    tally_roll(worker, worker->now_ns);
    uv_timer_start(timer, on_second_over, ms_until(worker->second_end_ns, worker->now_ns), 0);
}

/* Fails what has waited too long. The loop may have been held up itself: an answer that has come meanwhile counts. */
static void on_timeout(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    int64_t timeout_ns = worker->run->plan.timeout_ns;
    struct load_connection *first;

    worker->now_ns = clock_monotonic_ns();
    while ((first = TAILQ_FIRST(&worker->in_flight)) && first->sent_ns + timeout_ns <= worker->now_ns) {
        int64_t sent_ns = first->sent_ns;
        if (first->state == CONNECTION_BUSY)
            load_connection_receive(first);
        if (first->in_flight && first->sent_ns == sent_ns)
            load_connection_fail(first, LOAD_TIMEOUT);
    }
    if (worker->ended)
        return;
    int64_t next_ns = first ? first->sent_ns + timeout_ns : worker->now_ns + timeout_ns;
    uv_timer_start(timer, on_timeout, ms_until(next_ns, worker->now_ns), 0);
}

/* --- the beginning --- */

static void begin_closed(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        struct load_connection *connection, *next;
        if (lane->connection_count == 0)
            lane_close(lane);
        for (connection = TAILQ_FIRST(&lane->idle); connection && lane->open; connection = next) {
            next = TAILQ_NEXT(connection, link);
            TAILQ_REMOVE(&lane->idle, connection, link);
            connection->idle = false;
            worker->now_ns = clock_monotonic_ns();
            load_connection_begin(connection, worker->now_ns, worker->now_ns);
        }
    }
}

/* A run by count alone has no other limit than that of all. */
static int64_t time_of_sending(const struct load_run *run)
{
    const struct load_plan *plan = &run->plan;
    int64_t duration_ns = plan->duration_ns;

    if (plan->model != LOAD_CLOSED) {
        duration_ns = plan->stages[plan->stage_count - 1].duration_ns > 0 ? ENGINE_GRACE_MS * NS_PER_MS : 0;
        for (size_t i = 0; duration_ns > 0 && i < plan->stage_count; i++)
            duration_ns += plan->stages[i].duration_ns;
    }
    return duration_ns > 0 ? duration_ns : LOAD_MAX_DURATION_NS;
}

static void begin(struct worker *worker)
{
    const struct load_run *run = worker->run;
    const struct load_plan *plan = &run->plan;

    worker->started = true;
    worker->second = -1;
    worker->second_end_ns = worker->start_ns;
    worker->stop_ns = worker->start_ns + time_of_sending(run);
    uv_update_time(&worker->loop);
    uv_timer_stop(&worker->phase);
    uv_timer_start(&worker->phase, on_time_over, ms_until(worker->stop_ns, worker->now_ns), 0);
    uv_timer_start(&worker->timeout, on_timeout, (uint64_t)(plan->timeout_ns / NS_PER_MS) + 1, 0);
    on_second_over(&worker->second_over);
    if (plan->model == LOAD_CLOSED)
        begin_closed(worker);
    else
        pacing_begin(worker);
}

void worker_wake_at(struct worker *worker, int64_t ns)
{
    if (worker->alarm_ns == ns)
        return;
    worker->alarm_ns = ns;
    /* An instant of 0 would disarm it; one that is past rings at once. */
    int64_t at = ns == ENGINE_NEVER ? 0 : ns > 0 ? ns : 1;
    struct itimerspec when = {.it_value = {.tv_sec = at / NS_PER_SECOND, .tv_nsec = at % NS_PER_SECOND}};
    timerfd_settime(worker->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void on_alarm(uv_poll_t *alarm, int status, int events)
{
    struct worker *worker = alarm->data;
    uint64_t rings;

    (void)status;
    (void)events;
    worker->alarm_ns = 0; /* to be set anew, which makes the descriptor quiet: the open model does before it polls */
    if (!worker->started) {
        ssize_t ignored = read(worker->alarm_fd, &rings, sizeof(rings));
        (void)ignored;
        worker->now_ns = clock_monotonic_ns();
        begin(worker);
    } else {
        pacing_dispatch(worker);
    }
}

static void tell_all(struct load_run *run)
{
    for (unsigned i = 0; i < run->worker_count; i++)
        uv_async_send(&run->workers[i].wake);
}

/* The last one fixes the beginning for all. */
static void become_ready(struct worker *worker)
{
    struct load_run *run = worker->run;

    if (worker->ready)
        return;
    worker->ready = true;
    uv_mutex_lock(&run->lock);
    bool last = ++run->workers_ready == run->worker_count;
    if (last) {
        run->start_ns = clock_monotonic_ns() + START_DELAY_NS + run->plan.warmup_ns;
        run->started_at_us = clock_realtime_us() + (START_DELAY_NS + run->plan.warmup_ns) / 1000;
        tell_all(run);
    }
    uv_mutex_unlock(&run->lock);
}

void worker_connect_over(struct worker *worker)
{
    if (worker->connecting > 0 && --worker->connecting == 0)
        become_ready(worker);
}

static void on_connect_time_over(uv_timer_t *phase)
{
    become_ready(phase->data);
}

static void on_wake(uv_async_t *wake)
{
    struct worker *worker = wake->data;
    struct load_run *run = worker->run;

    if (worker->ended)
        return;
    uv_mutex_lock(&run->lock);
    int64_t start_ns = run->start_ns;
    bool stopped = run->stopped, abandoned = run->abandoned;
    uv_mutex_unlock(&run->lock);

    worker->now_ns = clock_monotonic_ns();
    if (abandoned || (stopped && !worker->started)) {
        end(worker);
    } else if (stopped && !worker->stopping) {
        worker->stopping = true;
        close_lanes(worker);
    } else if (start_ns > 0 && !worker->started) {
        worker->start_ns = start_ns;
        worker->begin_ns = start_ns - run->plan.warmup_ns;
        worker_wake_at(worker, worker->begin_ns);
    }
}

static void make_connections(struct worker *worker)
{
    for (size_t i = 0; i < worker->lane_count; i++)
        worker->connecting += worker->lanes[i]->connection_count;
    worker->connecting++; /* this function, so that the last one doesn't come before all are begun */
    uv_timer_start(&worker->phase, on_connect_time_over, ENGINE_CONNECT_MS, 0);
    for (size_t i = 0; i < worker->lane_count; i++) {
        struct lane *lane = worker->lanes[i];
        for (unsigned k = 0; k < lane->connection_count; k++) {
            http_answer_init(&lane->connections[k].answer, worker->run->heads_only);
            load_connection_open(&lane->connections[k]);
        }
    }
    worker_connect_over(worker);
}

void worker_main(void *data)
{
    struct worker *worker = data;
    struct load_run *run = worker->run;

    make_connections(worker);
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    tally_finish(worker);
    uv_mutex_lock(&run->lock);
    run->workers_ended++;
    uv_mutex_unlock(&run->lock);
    uv_async_send(&run->news);
}

/* --- life --- */

static int init_loop(struct worker *worker)
{
    int rc = uv_loop_init(&worker->loop);

    if (rc < 0)
        return rc;
    rc = uv_async_init(&worker->loop, &worker->wake, on_wake);
    if (rc < 0) {
        uv_loop_close(&worker->loop);
        return rc;
    }
    rc = uv_poll_init(&worker->loop, &worker->alarm, worker->alarm_fd);
    if (rc < 0) {
        uv_close((uv_handle_t *)&worker->wake, NULL);
        uv_run(&worker->loop, UV_RUN_DEFAULT);
        uv_loop_close(&worker->loop);
    }
    return rc;
}

int worker_init(struct worker *worker, struct load_run *run, struct error *err)
{
    worker->alarm_ns = worker->next_due_ns = ENGINE_NEVER;
    worker->second = -1;
    TAILQ_INIT(&worker->in_flight);
    TAILQ_INIT(&worker->pausing);
    worker->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (worker->alarm_fd < 0)
        return error_set_errno(err, errno, "a thread of the load has no timer");
    int rc = init_loop(worker);
    if (rc < 0) {
        close(worker->alarm_fd);
        return error_set(err, -rc, "a thread of the load has no loop: %s", uv_strerror(rc));
    }
    uv_poll_start(&worker->alarm, UV_READABLE, on_alarm);
    uv_prepare_init(&worker->loop, &worker->pacer);
    uv_timer_init(&worker->loop, &worker->phase);
    uv_timer_init(&worker->loop, &worker->timeout);
    uv_timer_init(&worker->loop, &worker->retry);
    uv_timer_init(&worker->loop, &worker->second_over);
    worker->wake.data = worker->alarm.data = worker->pacer.data = worker->phase.data = worker;
    worker->timeout.data = worker->retry.data = worker->second_over.data = worker;
    worker->buffer = xmalloc(ENGINE_READ_SIZE);
    load_second_init(&worker->counted);
    worker->run = run; /* last: it says that there is something to be undone */
    return 0;
}

void worker_done(struct worker *worker)
{
    if (!worker->run)
        return;
    end(worker); /* where its thread never ran */
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_loop_close(&worker->loop);
    close(worker->alarm_fd);
    load_second_done(&worker->counted);
    free(worker->lanes);
    free(worker->heap);
    free(worker->buffer);
}
