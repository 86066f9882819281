/*
 * What others do to a container through Docker itself. An event says only that something happened, and may come late: a look
 * at the container as it is now decides. What was removed, renamed or given other limits is put right; what somebody has
 * stopped, paused or disconnected stays so.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/memory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void on_renamed(struct runtime_process *run, const struct engine_answer *answer)
{
    char text[160];

    run->renaming = false;
    if (answer->code == 0)
        run->runtime->events.on_put_right(run->owner, "was renamed through Docker: it has its name again");
    else if (answer->status != 404) {
        snprintf(text, sizeof(text), "was renamed through Docker, and cannot be named back: %s", answer->message);
        run->runtime->events.on_put_right(run->owner, text);
    }
}

static void put_name_right(struct runtime_process *run, const struct container_state *state)
{
    cleanup_free char *what = xasprintf("/rename?name=%s", run->name);

    if (run->renaming || strcmp(state->name, run->name) == 0)
        return;
    run->renaming = true;
    docker_call_container(run, "POST", what, NULL, on_renamed);
}

static void put_limits_right(struct runtime_process *run, const struct container_state *state)
{
    if (run->changing != CHANGE_NONE || run->limits_differ || run->limits_refused ||
        container_has_limits(state, &run->limits))
        return;
    run->limits_differ = run->limits_by_hand = true;
    docker_control(run);
}

const char *docker_held_why(const struct container_state *state)
{
    if (!state->connected)
        return "through Docker: disconnected from " CONTAINER_NETWORK;
    return state->paused ? "through Docker" : NULL;
}

/* One that others do not reach any more is as good as paused: asking how it does, and restarting it for that, would undo
 * what somebody wanted. */
static void take_hold(struct runtime_process *run, const struct container_state *state)
{
    bool was_held = run->paused || !run->connected;
    const char *why = docker_held_why(state);

    if (run->changing != CHANGE_NONE || run->paused != run->paused_wanted || run->connected != run->connected_wanted)
        return;
    run->paused = run->paused_wanted = state->paused;
    run->connected = run->connected_wanted = state->connected;
    run->address = state->address;
    if (was_held != (why != NULL))
        run->runtime->events.on_frozen(run->owner, why != NULL, why ? why : "through Docker");
}

static void on_seen(struct runtime_process *run, const struct engine_answer *answer)
{
    struct container_state state;
    struct error err;
    bool gone = answer->status == 404, stale = run->looks_stale > 0;

    run->looks--;
    run->looks_stale -= stale;
    if (stale && !gone) {
        docker_run_look(run);
        return;
    }
    if (run->state != RUN_RUNNING || (answer->code < 0 && !gone))
        return;
    /* The same container, started anew by somebody else, is no longer this run. */
    if (gone || container_parse(answer->json, &state, &err) < 0 || !state.running || state.pid != run->pid) {
        docker_run_died(run, INT64_MAX);
        return;
    }
    take_hold(run, &state);
    put_limits_right(run, &state);
    put_name_right(run, &state);
}

void docker_run_look(struct runtime_process *run)
{
    if (run->state != RUN_RUNNING)
        return;
    run->looks++;
    docker_call_container(run, "GET", "/json", NULL, on_seen);
}

bool docker_signal_ends(int signal)
{
    return signal == SIGTERM || signal == SIGKILL || signal == SIGINT || signal == SIGQUIT;
}

/* One that farmd has sent as well is taken for its own: the server is ending by its will anyhow. One of the time in which the
 * Engine was away is the Engine's: when it comes up after a crash it ends what it finds, and tells of it like of a person's. */
void docker_saw_signal(struct runtime_process *run, int signal, int64_t at_ns)
{
    if (run->state != RUN_RUNNING || !docker_signal_ends(signal) || run->sent != 0 ||
        !engine_feed_was_live(run->runtime->feed, at_ns))
        return;
    run->by_hand = true;
    run->feed_breaks = engine_feed_breaks(run->runtime->feed);
}

void docker_saw_start(struct runtime *runtime, const char *id)
{
    struct kept_container *kept = kept_find_id(runtime, id);

    if (!kept || kept->state.running)
        return;
    kept->state.running = true;
    kept->by_hand = false;
    runtime->events.on_wanted(runtime->farm, kept->state.server, "was started through Docker");
}

void docker_saw_removal(struct runtime *runtime, const char *id)
{
    struct kept_container *kept = kept_find_id(runtime, id);

    if (!kept)
        return;
    int server = kept->state.server;
    bool by_hand = kept->by_hand;
    kept_drop(kept);
    if (by_hand)
        runtime->events.on_wanted(runtime->farm, server, "was removed through Docker: it is made anew");
}
