/*
 * What is done to a run, and what is measured of it. What is wanted is written down and asked of the Engine one thing after
 * another: calls on several connections would overtake each other, and a pause must not come behind the resume.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/log.h"
#include "core/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static uint64_t bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

/* --- asking --- */

static void on_signalled(struct runtime_process *run, const struct engine_answer *answer)
{
    run->changing = false;
    /* 404 and 409: it has ended already, which the feed tells. */
    if (answer->code < 0 && answer->status != 404 && answer->status != 409)
        log_warning("%s: %s", run->name, answer->message);
    docker_control(run);
}

static void on_limits_set(struct runtime_process *run, const struct engine_answer *answer)
{
    struct runtime *runtime = run->runtime;
    struct error err;

    run->changing = false;
    if (run->leaf)
        run->leaf->in_force_known = false;
    if (answer->code < 0 && answer->status != 404) {
        run->limits_refused = true;
        error_set(&err, -answer->code, "%s: %s", run->name, answer->message);
        runtime->events.on_trouble(runtime->farm, RUNTIME_TROUBLE_LIMITS, &err);
    } else if (answer->code == 0) {
        runtime->events.on_trouble(runtime->farm, RUNTIME_TROUBLE_LIMITS, NULL);
        if (run->limits_by_hand)
            runtime->events.on_put_right(run->owner, "had its limits changed through Docker: they are put back");
    }
    run->limits_by_hand = false;
    docker_control(run);
}

static void on_frozen(struct runtime_process *run, const struct engine_answer *answer, bool frozen)
{
    run->changing = false;
    if (answer->code == 0 || answer->status == 409) { /* it is so already */
        run->paused = frozen;
    } else if (run->paused_wanted == frozen && answer->status != 404) {
        run->paused_wanted = run->paused;
        run->runtime->events.on_frozen(run->owner, run->paused, answer->message);
    }
    docker_control(run);
}

static void on_paused(struct runtime_process *run, const struct engine_answer *answer)
{
    on_frozen(run, answer, true);
}

static void on_resumed(struct runtime_process *run, const struct engine_answer *answer)
{
    on_frozen(run, answer, false);
}

static void send_signal(struct runtime_process *run)
{
    char what[32];
    int signal = run->signals & bit(SIGKILL) ? SIGKILL : __builtin_ffsll((long long)run->signals);

    run->signals &= ~bit(signal);
    run->sent |= bit(signal);
    run->changing = true;
    snprintf(what, sizeof(what), "/kill?signal=%d", signal);
    docker_call_container(run, "POST", what, NULL, on_signalled);
}

static void send_limits(struct runtime_process *run)
{
    struct buffer body = BUFFER_EMPTY;

    run->limits_differ = false;
    run->changing = true;
    container_compose_limits(&run->limits, &body);
    docker_call_container(run, "POST", "/update", &body, on_limits_set);
    buffer_done(&body);
}

static void send_frozen(struct runtime_process *run)
{
    run->changing = true;
    if (run->paused_wanted)
        docker_call_container(run, "POST", "/pause", NULL, on_paused);
    else
        docker_call_container(run, "POST", "/unpause", NULL, on_resumed);
}

/* Before the container runs all of it waits. */
void docker_control(struct runtime_process *run)
{
    if (run->told || run->changing || run->state != RUN_RUNNING)
        return;
    if (run->signals != 0)
        send_signal(run);
    else if (run->limits_differ)
        send_limits(run);
    else if (run->paused != run->paused_wanted)
        send_frozen(run);
}

/* --- wishes --- */

int docker_signal(struct runtime_process *run, int signal, struct error *err)
{
    (void)err;
    run->signals |= bit(signal);
    docker_control(run);
    return 0;
}

/* The Engine kills a paused container too, and with its first process everything in it. */
int docker_kill(struct runtime_process *run, struct error *err)
{
    return docker_signal(run, SIGKILL, err);
}

static int not_yet(const struct runtime_process *run, struct error *err)
{
    return error_set(err, EAGAIN, "%s is just beginning or ending; try again", run->name);
}

int docker_pause(struct runtime_process *run, struct error *err)
{
    if (run->state != RUN_RUNNING)
        return not_yet(run, err);
    run->paused_wanted = true;
    docker_control(run);
    return 0;
}

int docker_resume(struct runtime_process *run, struct error *err)
{
    (void)err;
    run->paused_wanted = false;
    docker_control(run);
    return 0;
}

int docker_set_limits(struct runtime_process *run, const struct limits *limits, struct error *err)
{
    if (run->state != RUN_RUNNING)
        return not_yet(run, err);
    run->limits = *limits;
    run->limits_differ = true;
    run->limits_refused = run->limits_by_hand = false;
    docker_control(run);
    return 0;
}

/* --- figures --- */

/* Where its cgroup is not seen, the Engine's word is all there is: it made them. */
bool docker_limits_in_force(const struct runtime_process *run, struct runtime_limits_in_force *limits)
{
    const struct limits *asked = &run->limits;

    *limits = (struct runtime_limits_in_force){0};
    if (run->state != RUN_RUNNING || run->limits_refused || run->limits_differ || run->changing)
        return false;
    if (run->leaf) {
        const struct runtime_limits_in_force *known = leaf_limits(run->leaf);
        if (known)
            *limits = *known;
        return known != NULL;
    }
    *limits = (struct runtime_limits_in_force){asked->cpu, asked->memory, asked->cpu_reservation,
                                               asked->memory_reservation, asked->pids};
    return true;
}

void docker_sample(struct runtime_process *run, struct runtime_sample *sample)
{
    if (run->leaf && run->state == RUN_RUNNING)
        leaf_sample(run->leaf, &run->last_sample);
    *sample = run->last_sample;
}

void docker_pressure(const struct runtime_process *run, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT])
{
    for (int i = 0; i < RUNTIME_RESOURCE_COUNT; i++)
        figures[i] = (struct runtime_pressure){0};
    if (run->leaf && run->state == RUN_RUNNING)
        leaf_pressure(run->leaf, figures);
}
