/*
 * The end of a run: how its task ended is asked, and what follows, which is Swarm's to say unless the farm has stopped it or
 * somebody has changed the service by Docker's own means.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ALONE_LISTINGS 2 /* in a row without another task: then Swarm makes none */
#define SEEN_LISTINGS 2  /* in a row with a task where none should be */

/* The owner may start the server anew from within. */
void swarm_end_tell(struct runtime_process *run, const struct runtime_exit *exit)
{
    struct runtime *runtime = run->runtime;

    LIST_REMOVE(run, link);
    swarm_run_let_go(run);
    run->service->run = NULL;
    run->service->rests = run->stopping || exit->follow_up == RUNTIME_LEAVES_IT;
    if (exit->follow_up == RUNTIME_RESTARTS_IT)
        run->service->promised = run->service->live;
    run->service = NULL; /* a server that leaves the farm with this takes it along */
    runtime->events.on_exit(run->owner, exit);
    swarm_run_free(run);
}

static bool has_successor(const struct runtime_process *run)
{
    const struct task_state *live = &run->service->live;
    return live->id[0] != '\0' && strcmp(live->id, run->task.id) != 0;
}

/* Swarm counts the delay from when it made the next task, which it does at once. */
static int64_t delay_left_ms(const struct runtime_process *run)
{
    const struct task_state *next = &run->service->live;
    int64_t made_us = engine_time_ns(next->created_at) / (NS_PER_SECOND / US_PER_SECOND);
    int64_t left_ms = service_delay_ms(run->service->spec) - (clock_realtime_us() - made_us) / (US_PER_SECOND / 1000);

    return strcmp(next->desired, "ready") == 0 && left_ms > 0 ? left_ms : 0;
}

/* --- what follows --- */

static void conclude(struct runtime_process *run)
{
    struct runtime_exit *exit = &run->exit;

    if (run->stopping) { /* that came from the farm */
        exit->follow_up = RUNTIME_FOLLOW_POLICY;
    } else if (has_successor(run)) {
        exit->follow_up = RUNTIME_RESTARTS_IT;
        exit->restart_in_ms = delay_left_ms(run);
    } else {
        exit->follow_up = RUNTIME_LEAVES_IT;
    }
    swarm_end_tell(run, exit);
}

static void removed_by_hand(struct runtime_process *run)
{
    run->service->id[0] = '\0'; /* the next start creates it */
    run->runtime->events.on_put_right(run->owner, "was removed through Docker: it is made anew");
    run->exit.follow_up = RUNTIME_FOLLOW_POLICY;
    swarm_end_tell(run, &run->exit);
}

/* Replicas taken away are a stop, to be kept; other limits than the farm's are not. */
static void compare(struct runtime_process *run, const cJSON *told)
{
    struct swarm_service *service = run->service;
    struct limits wanted, found;

    service_limits(service->spec, &wanted);
    service_limits(told, &found);
    if (service_replicas(told) == 0) {
        service_set_replicas(service->spec, 0);
        run->exit.by_hand = true;
    } else if (!limits_equal(&wanted, &found)) {
        run->runtime->events.on_put_right(run->owner, "had its limits changed through Docker: put back");
        swarm_submit(service);
    }
}

static void on_service(struct runtime_process *run, const struct engine_answer *answer)
{
    struct service_state state;
    struct error err;

    if (answer->status == 404) {
        removed_by_hand(run);
        return;
    }
    if (answer->code < 0)
        return; /* the next listing asks again */
    bool settled = !run->service->submitting && !run->service->unsure;
    if (settled && service_parse(answer->json, &state, &err) == 0)
        compare(run, state.spec);
    conclude(run);
}

/* An end that Swarm wanted without being asked by the farm, and one after which it makes no other task, may be somebody's
 * doing: the service tells. */
static void settle(struct runtime_process *run)
{
    if (run->stopping || run->service->submitting || (has_successor(run) && !run->exit.replaced)) {
        conclude(run);
        return;
    }
    cleanup_free char *path = xasprintf("/services/%s", run->service->id);
    swarm_ask(run, path, on_service);
}

static void ended(struct runtime_process *run, const struct runtime_exit *exit)
{
    run->exit = *exit;
    run->state = RUN_ENDED;
    settle(run);
}

/* --- how it ended --- */

void swarm_run_failed(struct runtime_process *run, const char *reason)
{
    struct runtime_exit exit = {.kind = RUNTIME_EXIT_CODE, .exit_code = 127, .not_started = true};

    snprintf(exit.detail, sizeof(exit.detail), "%s", reason);
    swarm_end_tell(run, &exit);
}

static void on_container(struct runtime_process *run, const struct engine_answer *answer)
{
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(answer->json, "State");
    struct runtime_exit exit;

    task_exit(&run->task, &exit);
    exit.oom_killed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(state, "OOMKilled"));
    ended(run, &exit);
}

/* An OOM kill looks like any SIGKILL to Swarm; the Engine that ran it knows better, and only this one can be asked. */
static void task_over(struct runtime_process *run)
{
    struct runtime_exit exit;

    task_exit(&run->task, &exit);
    if (exit.kind == RUNTIME_EXIT_SIGNAL && exit.signal == SIGKILL && swarm_run_is_here(run) &&
        run->task.container[0]) {
        cleanup_free char *path = xasprintf("/containers/%s/json", run->task.container);
        swarm_ask(run, path, on_container);
        return;
    }
    ended(run, &exit);
}

static void task_vanished(struct runtime_process *run, const char *why)
{
    struct runtime_exit exit = {.kind = RUNTIME_EXIT_UNKNOWN};

    snprintf(exit.detail, sizeof(exit.detail), "%s", why);
    ended(run, &exit);
}

/* A listing was without it, which a manager that has just come up may give: it goes on. */
static void take_back(struct runtime_process *run)
{
    run->alone = 0;
    if (run->started_ns == 0) {
        run->state = RUN_WAITING;
        return;
    }
    run->state = RUN_RUNNING;
    relay_close(steal(&run->relay)); /* which has given up its port */
    swarm_run_open_way(run);
}

static void on_asked(struct runtime_process *run, const struct engine_answer *answer)
{
    struct task_state now;
    struct error err;
    char why[128];

    if (answer->code < 0 && answer->status != 404)
        return; /* the next listing asks again */
    bool is_there = answer->code == 0 && task_parse(answer->json, &now, &err) == 0;
    if (!run->stopping && !has_successor(run)) {
        if (is_there && task_is_wanted(&now) && !task_is_over(&now)) {
            take_back(run);
            return;
        }
        if (run->alone++ < ALONE_LISTINGS)
            return;
    }
    if (!is_there) {
        task_vanished(run, "");
        return;
    }
    const struct node_state *node = swarm_node(run->runtime, now.node);
    run->task = now;
    if (task_is_over(&now)) {
        task_over(run);
    } else if (node && node->down) {
        snprintf(why, sizeof(why), "node %s is down", node->name);
        task_vanished(run, why);
    }
}

static void ask_how_it_ended(struct runtime_process *run)
{
    cleanup_free char *path = xasprintf("/tasks/%s", run->task.id);

    if (run->state == RUN_RUNNING && run->leaf)
        swarm_sample(run, &run->last_sample);
    if (run->state != RUN_ENDING)
        swarm_run_retire(run);
    run->state = RUN_ENDING;
    if (!run->asking)
        swarm_ask(run, path, on_asked);
}

void swarm_end(struct runtime_process *run)
{
    if (run->state != RUN_ENDED)
        ask_how_it_ended(run);
    else if (!run->asking)
        settle(run);
}

void swarm_end_unseen(struct runtime_process *run)
{
    task_vanished(run, "");
}

/* --- a server that does not run --- */

/* Twice, since a listing may be from before its stop. */
void swarm_rest_listed(struct swarm_service *service)
{
    struct runtime *runtime = service->runtime;

    bool settled = !service->submitting && !service->owed && !service->leaving;

    if (!service->rests || !settled || service->run || service->live.id[0] == '\0') {
        service->seen = 0;
        return;
    }
    if (++service->seen < SEEN_LISTINGS)
        return;
    service->rests = false;
    service_set_replicas(service->spec, 1); /* which is what somebody has done there */
    runtime->events.on_wanted(runtime->farm, service->server, "was started through Docker");
}

void swarm_call_off(struct runtime *runtime, int server)
{
    struct swarm_service *service = swarm_service_of(runtime, server);

    if (!service || service->run || service->promised.id[0] == '\0')
        return;
    service->promised = (struct task_state){0};
    service->rests = true;
    service_set_replicas(service->spec, 0);
    swarm_submit(service);
}
