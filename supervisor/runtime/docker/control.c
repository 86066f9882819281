/*
 * What is done to a run, and what is measured of it. What is wanted is written down and asked of the Engine one thing after
 * another: calls on several connections would overtake each other, and a pause must not come behind the resume.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define CHANGE_MAX_MS 15000 /* nobody waits longer for one of these to be done */

static uint64_t bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

/* --- who waits for it --- */

static bool is_frozen_as_wanted(const struct runtime_process *run)
{
    return run->changing != CHANGE_FROZEN && run->changing != CHANGE_CONNECTED && run->paused == run->paused_wanted &&
           run->connected == run->connected_wanted;
}

static void tell_frozen(struct runtime_process *run, const struct error *err)
{
    if (run->frozen_until_ms == 0)
        return;
    run->frozen_until_ms = 0;
    run->runtime->events.on_changed(run->owner, RUNTIME_CHANGE_FROZEN, err);
}

static void tell_limits(struct runtime_process *run, const struct error *err)
{
    if (run->limits_until_ms == 0)
        return;
    run->limits_until_ms = 0;
    run->runtime->events.on_changed(run->owner, RUNTIME_CHANGE_LIMITS, err);
}

/* What was refused is not asked for again: it is to be as it was. */
static void take_frozen_back(struct runtime_process *run, const struct error *err)
{
    run->paused_wanted = run->paused;
    run->connected_wanted = run->connected;
    tell_frozen(run, err);
}

static void take_limits_back(struct runtime_process *run, const struct error *err)
{
    run->limits = run->limits_confirmed;
    run->limits_differ = false;
    tell_limits(run, err);
}

/* The Engine's words, and whether it is the farm's server that cannot have it (409) or the Engine that doesn't work. */
static void describe(const struct runtime_process *run, const struct engine_answer *answer, struct error *err)
{
    error_set(err, answer->status == 404 ? EBUSY : -answer->code, "%s: %s", run->name, answer->message);
}

/* What the Engine does later all the same is undone then, since nobody knows of it. */
void docker_control_overdue(struct runtime_process *run, int64_t now_ms)
{
    struct error err;

    if (run->frozen_until_ms == 0 && run->limits_until_ms == 0)
        return;
    if (docker_available(run->runtime, &err) == 0)
        error_set(&err, ETIMEDOUT, "%s: the Docker Engine has not done it within %d s; it stays as it was", run->name,
                  CHANGE_MAX_MS / 1000);
    if (run->frozen_until_ms != 0 && (err.code == ENOTCONN || now_ms >= run->frozen_until_ms))
        take_frozen_back(run, &err);
    if (run->limits_until_ms != 0 && (err.code == ENOTCONN || now_ms >= run->limits_until_ms))
        take_limits_back(run, &err);
}

/* --- asking --- */

static void on_signalled(struct runtime_process *run, const struct engine_answer *answer)
{
    run->changing = CHANGE_NONE;
    /* 404 and 409: it has ended already, which the feed tells. */
    if (answer->code < 0 && answer->status != 404 && answer->status != 409)
        log_warning("%s: %s", run->name, answer->message);
    docker_control(run);
}

static void limits_refused(struct runtime_process *run, const struct engine_answer *answer)
{
    struct runtime *runtime = run->runtime;
    struct error err;

    describe(run, answer, &err);
    if (run->limits_until_ms != 0) {
        take_limits_back(run, &err);
    } else if (answer->status != 404) {
        run->limits_refused = true;
        runtime->events.on_trouble(runtime->farm, RUNTIME_TROUBLE_LIMITS, &err);
    }
}

static void limits_set(struct runtime_process *run)
{
    struct runtime *runtime = run->runtime;

    run->limits_confirmed = run->limits_sent;
    run->limits_refused = false;
    if (run->leaf)
        run->leaf->asked = run->limits_confirmed;
    runtime->events.on_trouble(runtime->farm, RUNTIME_TROUBLE_LIMITS, NULL);
    if (run->limits_by_hand)
        runtime->events.on_put_right(run->owner, "had its limits changed through Docker: they are put back");
    if (!limits_equal(&run->limits_sent, &run->limits))
        run->limits_differ = true; /* other ones were asked for meanwhile, or these were not waited for */
    else
        tell_limits(run, NULL);
}

static void on_limits_set(struct runtime_process *run, const struct engine_answer *answer)
{
    run->changing = CHANGE_NONE;
    run->looks_stale = run->looks;
    if (run->leaf)
        run->leaf->in_force_known = false;
    if (answer->code < 0)
        limits_refused(run, answer);
    else
        limits_set(run);
    run->limits_by_hand = false;
    docker_control(run);
}

static void on_frozen(struct runtime_process *run, const struct engine_answer *answer, bool *is, bool wanted)
{
    struct error err;

    run->changing = CHANGE_NONE;
    run->looks_stale = run->looks;
    if (answer->code == 0 || answer->status == 409) { /* it is so already */
        *is = wanted;
    } else {
        describe(run, answer, &err);
        take_frozen_back(run, &err);
    }
    docker_control(run);
    if (is_frozen_as_wanted(run))
        tell_frozen(run, NULL);
}

static void on_paused(struct runtime_process *run, const struct engine_answer *answer)
{
    on_frozen(run, answer, &run->paused, true);
}

static void on_resumed(struct runtime_process *run, const struct engine_answer *answer)
{
    on_frozen(run, answer, &run->paused, false);
}

/* It has another address now. One that nobody waited for any more is taken for somebody else's doing. */
static void on_connected(struct runtime_process *run, const struct engine_answer *answer)
{
    if (run->connected_wanted)
        on_frozen(run, answer, &run->connected, true);
    else
        run->changing = CHANGE_NONE;
    docker_control(run);
    docker_run_look(run);
}

static void send_signal(struct runtime_process *run)
{
    char what[32];
    int signal = run->signals & bit(SIGKILL) ? SIGKILL : __builtin_ffsll((long long)run->signals);

    run->signals &= ~bit(signal);
    run->sent |= bit(signal);
    run->changing = CHANGE_SIGNAL;
    snprintf(what, sizeof(what), "/kill?signal=%d", signal);
    docker_call_container(run, "POST", what, NULL, on_signalled);
}

static void send_limits(struct runtime_process *run)
{
    struct buffer body = BUFFER_EMPTY;

    run->limits_differ = false;
    run->limits_sent = run->limits;
    run->changing = CHANGE_LIMITS;
    container_compose_limits(&run->limits, &body);
    docker_call_container(run, "POST", "/update", &body, on_limits_set);
    buffer_done(&body);
}

static void send_connected(struct runtime_process *run)
{
    struct buffer body = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&body);
    cleanup_free char *path = xasprintf("/networks/%s/connect", CONTAINER_NETWORK);

    run->changing = CHANGE_CONNECTED;
    json_begin_object(&w);
    json_member_string(&w, "Container", run->id);
    json_end_object(&w);
    docker_call(run, "POST", path, &body, on_connected);
    buffer_done(&body);
}

static void send_frozen(struct runtime_process *run)
{
    run->changing = CHANGE_FROZEN;
    if (run->paused_wanted)
        docker_call_container(run, "POST", "/pause", NULL, on_paused);
    else
        docker_call_container(run, "POST", "/unpause", NULL, on_resumed);
}

/* Before the container runs all of it waits. */
void docker_control(struct runtime_process *run)
{
    if (run->told || run->changing != CHANGE_NONE || run->state != RUN_RUNNING)
        return;
    if (run->signals != 0)
        send_signal(run);
    else if (run->limits_differ)
        send_limits(run);
    else if (run->connected_wanted && !run->connected)
        send_connected(run);
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

static int freeze(struct runtime_process *run, struct error *err)
{
    docker_control(run);
    if (is_frozen_as_wanted(run))
        return 0;
    run->frozen_until_ms = clock_monotonic_ms() + CHANGE_MAX_MS;
    return error_set(err, EINPROGRESS, "%s: the Docker Engine is being asked", run->name);
}

int docker_pause(struct runtime_process *run, struct error *err)
{
    bool is_held = !run->connected || (run->paused && run->paused_wanted);

    if (is_held)
        return 0; /* one that is disconnected is as good as paused */
    if (run->state != RUN_RUNNING)
        return not_yet(run, err);
    run->paused_wanted = true;
    return freeze(run, err);
}

/* One that is to end need not be reached any more. */
int docker_resume(struct runtime_process *run, struct error *err)
{
    run->paused_wanted = false;
    run->connected_wanted = run->connected || (run->signals | run->sent) == 0;
    return freeze(run, err);
}

int docker_set_limits(struct runtime_process *run, const struct limits *limits, struct error *err)
{
    if (run->state != RUN_RUNNING)
        return not_yet(run, err);
    run->limits = *limits;
    run->limits_differ = true;
    run->limits_refused = run->limits_by_hand = false;
    run->limits_until_ms = clock_monotonic_ms() + CHANGE_MAX_MS;
    docker_control(run);
    return error_set(err, EINPROGRESS, "%s: the Docker Engine is being asked", run->name);
}

/* --- figures --- */

/* Where its cgroup is not seen, the Engine's word is all there is: it made them. */
bool docker_limits_in_force(const struct runtime_process *run, struct runtime_limits_in_force *limits)
{
    const struct limits *asked = &run->limits;

    *limits = (struct runtime_limits_in_force){0};
    if (run->state != RUN_RUNNING || run->limits_refused || run->limits_differ || run->changing == CHANGE_LIMITS)
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
