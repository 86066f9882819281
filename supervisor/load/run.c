/*
 * The run as its caller sees it. The caller's loop and the threads meet in async handles and under one lock: `wake`
 * tells a thread that something was decided, `news` tells the caller's loop that a second is over or a thread has ended.
 */
#include "supervisor/load/engine.h"

#include "core/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static void run_free(uv_handle_t *news)
{
    struct load_run *run = news->data;

    for (unsigned i = 0; i < run->worker_count; i++)
        worker_done(&run->workers[i]);
    free(run->workers);
    lanes_free(run);
    series_done(&run->series);
    uv_mutex_destroy(&run->lock);
    load_plan_free(run->copy);
    free(run);
}

/* Hands on the seconds that are over. The callback may stop or abandon the run. */
static void tell_points(struct load_run *run)
{
    struct load_progress so_far = {0};

    if (!run->events.on_point)
        return;
    uv_mutex_lock(&run->lock);
    size_t count = run->series.count - run->points_told;
    cleanup_free struct load_point *points = xcalloc(count + 1, sizeof(*points));
    if (count > 0)
        memcpy(points, run->series.points + run->points_told, count * sizeof(*points));
    run->points_told += count;
    so_far.seconds = (double)run->series.count;
    if (count > 0)
        series_total(&run->series, &so_far.total);
    uv_mutex_unlock(&run->lock);
    for (size_t i = 0; i < count && !run->abandoned; i++)
        run->events.on_point(run->events.data, &points[i], &so_far);
}

static void on_news(uv_async_t *news)
{
    struct load_run *run = news->data;

    if (!run->abandoned)
        tell_points(run);
    uv_mutex_lock(&run->lock);
    bool over = run->workers_ended == run->worker_count;
    uv_mutex_unlock(&run->lock);
    if (!over)
        return;
    for (unsigned i = 0; i < run->worker_count; i++)
        uv_thread_join(&run->workers[i].thread);
    if (!run->abandoned)
        run->events.on_done(run->events.data, summary_make(run));
    uv_close((uv_handle_t *)news, run_free);
}

static void make_schedules(struct load_run *run)
{
    const struct load_plan *plan = &run->plan;

    run->warmup_stage.rate = plan->stages[0].rate;
    run->warmup_stage.duration_ns = plan->warmup_ns;
    schedule_init(&run->warmup_schedule, &run->warmup_stage, plan->warmup_ns > 0, 0, plan->model == LOAD_OPEN_POISSON);
    schedule_init(&run->schedule, plan->stages, plan->stage_count, plan->requests * plan->target_count,
                  plan->model == LOAD_OPEN_POISSON);
}

static struct load_run *run_new(const struct load_plan *plan, const struct load_events *events)
{
    struct load_run *run = xcalloc(1, sizeof(*run));

    run->copy = load_plan_copy(plan);
    run->plan = *run->copy;
    run->heads_only = strcmp(plan->method, "HEAD") == 0;
    run->events = *events;
    if (plan->model != LOAD_CLOSED)
        make_schedules(run);
    run->worker_count = load_plan_threads(plan);
    run->workers = xcalloc(run->worker_count, sizeof(*run->workers));
    series_init(&run->series, run->worker_count);
    uv_mutex_init(&run->lock);
    run->news.data = run;
    return run;
}

/* Those that run already are told to end, the others never begin. */
static void give_up(struct load_run *run, unsigned running)
{
    for (unsigned i = running; i < run->worker_count; i++)
        worker_done(&run->workers[i]);
    uv_mutex_lock(&run->lock);
    run->worker_count = running;
    uv_mutex_unlock(&run->lock);
    load_run_abandon(run);
    uv_async_send(&run->news);
}

/* Signals are for the program's own loop; a thread that took one would only hand it on late. */
static int start_thread(struct worker *worker)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread begins with its maker's */
    int rc = uv_thread_create(&worker->thread, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int load_run_start(uv_loop_t *loop, const struct load_plan *plan, const struct load_events *events,
                   struct load_run **run, struct error *err)
{
    struct load_run *made = run_new(plan, events);
    int rc = uv_async_init(loop, &made->news, on_news);

    if (rc < 0) {
        made->worker_count = 0;
        free(made->workers);
        made->workers = NULL;
        run_free((uv_handle_t *)&made->news);
        return error_set(err, -rc, "the load cannot be started: %s", uv_strerror(rc));
    }
    for (unsigned i = 0; i < made->worker_count && rc == 0; i++)
        rc = worker_init(&made->workers[i], made, err);
    if (rc < 0) {
        give_up(made, 0);
        return rc;
    }
    lanes_make(made);
    for (unsigned i = 0; i < made->worker_count; i++) {
        rc = start_thread(&made->workers[i]);
        if (rc < 0) {
            give_up(made, i);
            return error_set(err, -rc, "a thread of the load cannot be started: %s", uv_strerror(rc));
        }
    }
    *run = made;
    return 0;
}

static void tell_threads(struct load_run *run, bool *what)
{
    uv_mutex_lock(&run->lock);
    *what = true;
    uv_mutex_unlock(&run->lock);
    for (unsigned i = 0; i < run->worker_count; i++)
        uv_async_send(&run->workers[i].wake);
}

void load_run_stop(struct load_run *run)
{
    tell_threads(run, &run->stopped);
}

void load_run_abandon(struct load_run *run)
{
    tell_threads(run, &run->abandoned);
}
