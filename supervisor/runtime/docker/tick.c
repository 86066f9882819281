/*
 * What no event tells, and what must not wait for one for ever: looked at four times a second.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"

#include <signal.h>

#define TICK_MS 250
#define OOM_SETTLES_MS 500  /* after the OOM kill of a process its container has ended, or lives on */
#define GIVE_UP_MS 5000     /* a farm that ends does not wait longer for an Engine that is away */
#define PING_EVERY_MS 5000  /* an Engine that hangs breaks no connection */
#define STATS_EVERY_MS 5000 /* each costs the Engine a walk through a container's cgroup */
#define METRICS_EVERY_MS 2000
#define LOG_AGAIN_MS 1000
#define METRICS_PARALLEL 16

static bool is_due(int64_t *last_ms, int64_t now_ms, int64_t every_ms)
{
    if (now_ms - *last_ms < every_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

static void tell_oom(struct runtime_process *run, int64_t now_ms)
{
    if (run->oom_ms == 0 || now_ms - run->oom_ms < OOM_SETTLES_MS || run->state != RUN_RUNNING)
        return;
    run->oom_ms = 0;
    run->runtime->events.on_oom(run->owner);
}

static void ask_figures(struct runtime_process *run, int64_t now_ms, unsigned *asking)
{
    if (run->state != RUN_RUNNING || run->paused || !run->connected)
        return;
    if (run->is_worker && !run->metrics_asked && *asking < METRICS_PARALLEL &&
        is_due(&run->metrics_ms, now_ms, METRICS_EVERY_MS))
        worker_metrics_ask(run);
    *asking += run->metrics_asked;
    if (!run->leaf && !run->stats_asked && is_due(&run->stats_ms, now_ms, STATS_EVERY_MS))
        docker_stats_ask(run);
}

/* It ends with the container, and when the Engine or its connection does. */
static void follow_log(struct runtime_process *run, int64_t now_ms)
{
    if (run->state == RUN_RUNNING && !run->log && engine_feed_is_live(run->runtime->feed) &&
        is_due(&run->log_ms, now_ms, LOG_AGAIN_MS))
        docker_run_log(run, docker_log_end_ns(run));
}

/* Either may end the run. */
static void settle(struct runtime_process *run, int64_t now_ms, int64_t away_ms)
{
    bool is_to_die = (run->signals | run->sent) >> (SIGKILL - 1) & 1;

    if (run->state == RUN_READING && now_ms >= run->reading_until_ms)
        docker_run_read(run);
    else if (is_to_die && away_ms >= GIVE_UP_MS)
        docker_run_give_up(run);
    else if (run->state == RUN_WAITING)
        docker_run_create(run);
}

static void on_tick(uv_timer_t *timer)
{
    struct runtime *runtime = timer->data;
    struct runtime_process *run, *next;
    int64_t now_ms = clock_monotonic_ms(), away_ms = engine_feed_away_ms(runtime->feed);
    unsigned asking = 0;

    if (is_due(&runtime->pinged_ms, now_ms, PING_EVERY_MS)) {
        engine_feed_ping(runtime->feed);
        if (!*runtime->network_id)
            network_look_again(runtime);
    }
    for (run = LIST_FIRST(&runtime->runs); run; run = next) {
        next = LIST_NEXT(run, link);
        tell_oom(run, now_ms);
        ask_figures(run, now_ms, &asking);
        docker_control_overdue(run, now_ms);
        follow_log(run, now_ms);
        settle(run, now_ms, away_ms);
    }
}

void docker_tick_begin(struct runtime *runtime)
{
    runtime->tick.data = runtime;
    uv_timer_init(runtime->loop, &runtime->tick);
    uv_timer_start(&runtime->tick, on_tick, TICK_MS, TICK_MS);
    uv_unref((uv_handle_t *)&runtime->tick);
}
