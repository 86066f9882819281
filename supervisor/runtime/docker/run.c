/*
 * The life of one run: a container is acquired (acquire.c), started, looked at, and asked how it ended. Every step is a call
 * whose answer begins the next one; what the Engine tells by itself comes from engine_feed.c.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "http/client.h"
#include "supervisor/runtime/process/port.h"
#include "supervisor/runtime/process/slice_watch.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_MAX_MS 1000 /* for the last lines of a log after the end */

/* --- calls --- */

struct run_call {
    struct runtime_process *run;
    void (*done)(struct runtime_process *run, const struct engine_answer *answer);
};

static void on_answer(void *data, const struct engine_answer *answer)
{
    struct run_call *call = data;
    struct runtime_process *run = call->run;

    if (!run->told)
        call->done(run, answer);
    free(call);
    if (--run->calls == 0 && run->told)
        docker_run_free(run);
}

static void send_call(struct runtime_process *run, const struct engine_call *what,
                      void (*done)(struct runtime_process *run, const struct engine_answer *answer))
{
    struct run_call *call = xmalloc(sizeof(*call));
    struct engine_call sent = *what;

    *call = (struct run_call){run, done};
    sent.done = on_answer;
    sent.data = call;
    run->calls++;
    engine_send(run->runtime->engine, &sent);
}

void docker_call(struct runtime_process *run, const char *method, const char *path, const struct buffer *body,
                 void (*done)(struct runtime_process *run, const struct engine_answer *answer))
{
    const struct engine_call what = {
        .method = method,
        .path = path,
        .body = body ? body->data : NULL,
        .body_length = body ? body->length : 0,
    };
    send_call(run, &what, done);
}

void docker_call_container(struct runtime_process *run, const char *method, const char *what, const struct buffer *body,
                           void (*done)(struct runtime_process *run, const struct engine_answer *answer))
{
    cleanup_free char *path = xasprintf("/containers/%s%s", run->id, what);
    docker_call(run, method, path, body, done);
}

struct runtime_process *docker_find_run(struct runtime *runtime, const char *id)
{
    struct runtime_process *run;

    LIST_FOREACH(run, &runtime->runs, link)
    {
        if (strcmp(run->id, id) == 0)
            return run;
    }
    return NULL;
}

void docker_run_free(struct runtime_process *run)
{
    log_follow_free(run->log);
    watched_leaf_free(run->leaf);
    http_client_free(run->metrics);
    free(run->counters);
    buffer_done(&run->body);
    free(run->log_path);
    free(run);
}

/* --- the end --- */

/* The owner may start the server anew from within. */
static void tell_end(struct runtime_process *run)
{
    struct runtime *runtime = run->runtime;

    run->told = true;
    LIST_REMOVE(run, link);
    log_follow_free(steal(&run->log));
    if (run->ended.server != 0)
        kept_put(runtime, &run->ended)->by_hand = run->exit.by_hand;
    runtime->events.on_exit(run->owner, &run->exit);
    /* Somebody has started it again, before its end was even told. */
    if (run->exit.by_hand && run->ended.running)
        runtime->events.on_wanted(runtime->farm, run->server, "was restarted through Docker");
    if (run->calls == 0)
        docker_run_free(run);
}

void docker_run_read(struct runtime_process *run)
{
    if (run->state == RUN_READING)
        tell_end(run);
    else
        log_follow_free(steal(&run->log));
}

/* What it wrote last belongs to this run. */
static void ended(struct runtime_process *run, const struct runtime_exit *exit)
{
    run->exit = *exit;
    run->state = RUN_READING;
    run->reading_until_ms = clock_monotonic_ms() + READ_MAX_MS;
    if (!run->log || !engine_feed_is_live(run->runtime->feed))
        tell_end(run);
}

/* `why` as a program would have said it through its pipe: with a name of the error in front. */
void docker_run_not_started(struct runtime_process *run, const char *error, const char *why, bool unavailable)
{
    struct runtime_exit exit = {
        .kind = RUNTIME_EXIT_CODE, .exit_code = 127, .not_started = true, .unavailable = unavailable};

    snprintf(exit.detail, sizeof(exit.detail), "error %s %s", error, why);
    run->exit = exit;
    tell_end(run);
}

/* Its start may have been done, and only the answer lost: then it runs, and has its port. */
static void keep_as_running(struct runtime_process *run)
{
    struct container_state *state = &run->ended;

    *state = (struct container_state){.server = run->server,
                                      .spec_hash = run->spec_hash,
                                      .running = true,
                                      .limits = container_limits_of(&run->limits)};
    snprintf(state->id, sizeof(state->id), "%s", run->id);
    snprintf(state->name, sizeof(state->name), "%s", run->name);
}

void docker_run_not_started_for(struct runtime_process *run, const struct engine_answer *answer)
{
    if (answer->status == 0 && *run->id)
        keep_as_running(run);
    bool port_taken =
        strstr(answer->message, "port is already allocated") || strstr(answer->message, "address already in use");

    docker_run_not_started(run, port_taken ? "EADDRINUSE" : "EIO", answer->message, answer->status == 0);
}

void docker_run_give_up(struct runtime_process *run)
{
    run->exit = (struct runtime_exit){.kind = RUNTIME_EXIT_UNKNOWN, .unavailable = true};
    tell_end(run);
}

/* By somebody's hand, unless it was the Engine's: one that goes down ends its containers with the same signals, and breaks the
 * feed after it has told of them, or is not there to be asked. */
static bool is_by_hand(const struct runtime_process *run, const struct container_state *state)
{
    return run->by_hand && !state->oom_killed && engine_feed_breaks(run->runtime->feed) == run->feed_breaks;
}

static void on_end_seen(struct runtime_process *run, const struct engine_answer *answer)
{
    struct container_state state;
    struct runtime_exit exit = {.kind = RUNTIME_EXIT_UNKNOWN};
    struct error err;
    bool known = answer->code == 0 && container_parse(answer->json, &state, &err) == 0;

    /* What was heard of was not its end. */
    if (known && state.running && state.pid == run->pid && engine_time_ns(state.started_at) == run->started_ns) {
        run->state = RUN_RUNNING;
        docker_control(run);
        return;
    }
    if (answer->status == 0)
        exit.unavailable = true; /* nobody knows how it ended */
    if (!known || state.removing) {
        if (answer->status != 0 && run->sent == 0)
            run->runtime->events.on_put_right(run->owner, "was removed through Docker: it is made anew");
        ended(run, &exit);
        return;
    }
    if (!state.running)
        container_exit(&state, &exit);
    exit.by_hand = state.running || is_by_hand(run, &state);
    run->ended = state;
    ended(run, &exit);
}

void docker_run_died(struct runtime_process *run, int64_t at_ns)
{
    if (at_ns > run->died_ns)
        run->died_ns = at_ns;
    /* Of an earlier run of the same container, or about to be seen anyhow. */
    if (run->state != RUN_RUNNING || at_ns < run->started_ns)
        return;
    if (run->leaf)
        docker_sample(run, &run->last_sample);
    run->state = RUN_ENDING;
    cleanup_free char *path = xasprintf("/containers/%s/json", run->id);
    const struct engine_call look = {.method = "GET", .path = path, .urgent = run->by_hand};
    send_call(run, &look, on_end_seen);
}

/* --- the beginning --- */

static void on_log_end(void *data)
{
    docker_run_read(data);
}

void docker_run_log(struct runtime_process *run, int64_t since_ns)
{
    log_follow_free(run->log);
    run->log_ms = clock_monotonic_ms();
    run->log = log_follow_begin(run->runtime, run->id, run->log_path, since_ns, on_log_end, run);
}

void docker_run_watch(struct runtime_process *run, const struct container_state *state)
{
    struct error err;

    run->state = RUN_RUNNING;
    run->pid = state->pid;
    run->address = state->address;
    run->started_ns = engine_time_ns(state->started_at);
    run->paused = run->paused_wanted = state->paused;
    run->connected = run->connected_wanted = state->connected;
    run->limits_confirmed = run->limits;
    if (watched_leaf_open(state->pid, state->id, &run->leaf, &err) == 0)
        run->leaf->asked = run->limits;
    else
        log_debug("%s has no statistics but the Engine's: %s", run->name, err.message);
}

static void on_looked(struct runtime_process *run, const struct engine_answer *answer)
{
    struct container_state state;
    struct runtime_exit exit;
    struct error err;

    if (answer->code < 0) {
        docker_run_not_started_for(run, answer);
        return;
    }
    if (container_parse(answer->json, &state, &err) < 0) {
        docker_run_not_started(run, "EPROTO", err.message, false);
        return;
    }
    docker_run_log(run, run->is_new ? 0 : run->asked_ns);
    if (!state.running) {
        container_exit(&state, &exit);
        run->ended = state;
        ended(run, &exit);
        return;
    }
    docker_run_watch(run, &state);
    run->runtime->events.on_begun(run->owner);
    docker_control(run);
    if (run->died_ns >= run->started_ns)
        docker_run_died(run, run->died_ns);
}

static void on_started(struct runtime_process *run, const struct engine_answer *answer)
{
    if (answer->code < 0) {
        docker_run_not_started_for(run, answer);
        return;
    }
    run->state = RUN_LOOKING;
    docker_call_container(run, "GET", "/json", NULL, on_looked);
}

/* A stop that came meanwhile is not run into first. */
void docker_run_begin(struct runtime_process *run)
{
    if (run->signals != 0) {
        run->state = RUN_ENDING;
        docker_call_container(run, "GET", "/json", NULL, on_end_seen);
        return;
    }
    run->state = RUN_STARTING;
    run->asked_ns = clock_realtime_us() * (NS_PER_SECOND / US_PER_SECOND);
    docker_call_container(run, "POST", "/start", NULL, on_started);
}

/* --- from the farm --- */

struct runtime_process *docker_run_new(struct runtime *runtime, const char *name, int server, const char *log_path,
                                       void *owner)
{
    struct runtime_process *run = xcalloc(1, sizeof(*run));

    run->runtime = runtime;
    run->owner = owner;
    run->server = server;
    run->log_path = xstrdup(log_path);
    snprintf(run->name, sizeof(run->name), "%s", name);
    LIST_INSERT_HEAD(&runtime->runs, run, link);
    return run;
}

int docker_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner,
                 struct runtime_process **process, struct error *err)
{
    const char *image = spec->image ? spec->image : runtime->image.name;
    struct kept_container *kept = kept_find(runtime, spec->id);
    int rc = docker_available(runtime, err);

    /* A running one has the port itself; where farmd is a container, ports are published elsewhere. */
    if (rc == 0 && (!kept || !kept->state.running) && !runtime->in_network)
        rc = port_check(spec->port, err);
    if (rc != 0)
        return rc;
    struct runtime_process *run = docker_run_new(runtime, spec->name, spec->id, spec->log_path, owner);
    run->limits = spec->limits;
    run->port = spec->port;
    run->is_worker = !spec->image;
    run->spec_hash = container_hash(spec, spec->image ? spec->image : runtime->image.id);
    container_compose(spec, runtime->instance, *runtime->project.name ? &runtime->project : NULL, image, run->spec_hash,
                      &run->body);
    if (kept) {
        const struct container_state state = kept->state;
        kept_drop(kept);
        docker_acquire(run, &state);
    } else {
        docker_acquire(run, NULL);
    }
    *process = run;
    return 0;
}
