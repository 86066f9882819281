/*
 * The life of one run: the container is made where there is none that fits, started, looked at, and asked how it ended. Every
 * step is a call whose answer begins the next one; what the Engine tells by itself comes from engine_feed.c.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/runtime/process/port.h"
#include "supervisor/runtime/process/procfs.h"
#include "supervisor/runtime/process/slice_watch.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

void docker_call(struct runtime_process *run, const char *method, const char *path, const struct buffer *body,
                 void (*done)(struct runtime_process *run, const struct engine_answer *answer))
{
    struct run_call *call = xmalloc(sizeof(*call));
    const struct engine_call what = {
        .method = method,
        .path = path,
        .body = body ? body->data : NULL,
        .body_length = body ? body->length : 0,
        .done = on_answer,
        .data = call,
    };

    *call = (struct run_call){run, done};
    run->calls++;
    engine_send(run->runtime->engine, &what);
}

static void call_container(struct runtime_process *run, const char *method, const char *what,
                           void (*done)(struct runtime_process *run, const struct engine_answer *answer))
{
    cleanup_free char *path = xasprintf("/containers/%s%s", run->id, what);
    docker_call(run, method, path, NULL, done);
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
    engine_stream_free(run->log);
    log_frames_free(run->frames);
    watched_leaf_free(run->leaf);
    buffer_done(&run->body);
    free(run->log_path);
    free(run);
}

/* --- the end --- */

/* The owner may start the server anew from within. */
static void tell_end(struct runtime_process *run, const struct runtime_exit *exit)
{
    struct runtime *runtime = run->runtime;

    run->told = true;
    LIST_REMOVE(run, link);
    if (run->ended.server != 0)
        kept_put(runtime, &run->ended);
    runtime->events.on_exit(run->owner, exit);
    if (run->calls == 0)
        docker_run_free(run);
}

static void not_started(struct runtime_process *run, const char *why)
{
    struct runtime_exit exit = {.kind = RUNTIME_EXIT_CODE, .exit_code = 127, .not_started = true};

    snprintf(exit.detail, sizeof(exit.detail), "%s", why);
    tell_end(run, &exit);
}

static void ended(struct runtime_process *run, const struct container_state *state)
{
    struct runtime_exit exit;

    container_exit(state, &exit);
    run->ended = *state;
    tell_end(run, &exit);
}

static void on_end_seen(struct runtime_process *run, const struct engine_answer *answer)
{
    struct container_state state;
    struct error err;

    if (answer->code < 0 || container_parse(answer->json, &state, &err) < 0) {
        /* Removed by somebody else, or the Engine has gone: nobody knows how it ended. */
        const struct runtime_exit exit = {.kind = RUNTIME_EXIT_UNKNOWN};
        tell_end(run, &exit);
        return;
    }
    ended(run, &state);
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
    call_container(run, "GET", "/json", on_end_seen);
}

static void on_seen_again(struct runtime_process *run, const struct engine_answer *answer)
{
    struct container_state state;
    struct error err;
    bool gone = answer->status == 404;

    if (run->state != RUN_RUNNING || (answer->code < 0 && !gone))
        return;
    /* The same container, started anew by somebody else, is no longer this run. */
    if (gone || container_parse(answer->json, &state, &err) < 0 || !state.running || state.pid != run->pid)
        docker_run_died(run, INT64_MAX);
}

void docker_run_look(struct runtime_process *run)
{
    if (run->state == RUN_RUNNING)
        call_container(run, "GET", "/json", on_seen_again);
}

/* --- the beginning --- */

static void on_log_piece(void *data, const char *piece, size_t length)
{
    struct runtime_process *run = data;
    log_frames_feed(run->frames, piece, length);
}

static void on_log_end(void *data, int status, const char *why)
{
    struct runtime_process *run = data;

    (void)status;
    (void)why;
    engine_stream_free(steal(&run->log));
}

static void follow_log(struct runtime_process *run, int64_t since_ns)
{
    static const struct engine_stream_calls calls = {on_log_piece, on_log_end};
    cleanup_free char *path = xasprintf("/containers/%s/logs?follow=1&stdout=1&stderr=1&since=%lld.%09lld", run->id,
                                        (long long)(since_ns / NS_PER_SECOND), (long long)(since_ns % NS_PER_SECOND));

    run->frames = log_frames_open(run->log_path);
    run->log = engine_stream_open(run->runtime->loop, &run->runtime->address, path, &calls, run);
}

static void watch(struct runtime_process *run, const struct container_state *state)
{
    struct error err;

    run->state = RUN_RUNNING;
    run->pid = state->pid;
    run->address = state->address;
    run->start_time = procfs_start_time(state->pid);
    run->started_ns = engine_time_ns(state->started_at);
    if (watched_leaf_open(state->pid, &run->leaf, &err) == 0)
        run->leaf->asked = run->limits;
    else
        log_debug("%s has no statistics: %s", run->name, err.message);
}

static void on_looked(struct runtime_process *run, const struct engine_answer *answer)
{
    struct container_state state;
    struct error err;

    if (answer->code < 0 || container_parse(answer->json, &state, &err) < 0) {
        not_started(run, answer->code < 0 ? answer->message : err.message);
        return;
    }
    if (!state.running) {
        ended(run, &state);
        return;
    }
    watch(run, &state);
    follow_log(run, run->started_ns);
    if (run->killed)
        docker_kill(run, NULL);
    else if (run->signalled)
        docker_signal(run, run->signal, NULL);
    if (run->died_ns >= run->started_ns)
        docker_run_died(run, run->died_ns);
}

static void on_started(struct runtime_process *run, const struct engine_answer *answer)
{
    if (answer->code < 0) {
        not_started(run, answer->message);
        return;
    }
    run->state = RUN_LOOKING;
    call_container(run, "GET", "/json", on_looked);
}

static void begin(struct runtime_process *run)
{
    run->state = RUN_STARTING;
    call_container(run, "POST", "/start", on_started);
}

static void on_created(struct runtime_process *run, const struct engine_answer *answer)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer->json, "Id");
    char why[ERROR_MESSAGE_MAX];

    if (answer->code == 0 && cJSON_IsString(id) && strlen(id->valuestring) < sizeof(run->id)) {
        snprintf(run->id, sizeof(run->id), "%s", id->valuestring);
        begin(run);
        return;
    }
    if (answer->status == 409)
        snprintf(why, sizeof(why), "a container that is not of this farm has its name; fix: docker rm -f %s",
                 run->name);
    else
        snprintf(why, sizeof(why), "%s", answer->code < 0 ? answer->message : "the Docker Engine gave it no id");
    not_started(run, why);
}

static void create(struct runtime_process *run)
{
    cleanup_free char *path = xasprintf("/containers/create?name=%s", run->name);

    run->state = RUN_CREATING;
    docker_call(run, "POST", path, &run->body, on_created);
}

static void on_removed(struct runtime_process *run, const struct engine_answer *answer)
{
    if (answer->code < 0 && answer->status != 404) {
        not_started(run, answer->message);
        return;
    }
    run->id[0] = '\0';
    create(run);
}

/* The container of the last run, when it is still what is wanted. */
static void begin_with(struct runtime_process *run, struct kept_container *kept)
{
    bool fits = kept->state.spec_hash == run->spec_hash && !kept->state.running &&
                limits_equal(&kept->state.limits, &run->limits);

    snprintf(run->id, sizeof(run->id), "%s", kept->state.id);
    kept_drop(kept);
    if (fits) {
        begin(run);
        return;
    }
    run->state = RUN_REMOVING;
    call_container(run, "DELETE", "?force=1", on_removed);
}

static struct runtime_process *run_new(struct runtime *runtime, const char *name, int server, const char *log_path,
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
    struct kept_container *kept = kept_find(runtime, spec->id);
    int rc = runtime->in_network ? 0 : port_check(spec->port, err); /* published elsewhere: the Engine tells */

    if (rc != 0)
        return rc;
    if (!engine_feed_is_live(runtime->feed))
        return error_set(err, ENOTCONN, "the Docker Engine at %s does not answer", runtime->address.socket);
    struct runtime_process *run = run_new(runtime, spec->name, spec->id, spec->log_path, owner);
    run->limits = spec->limits;
    run->spec_hash = container_hash(spec, runtime->image);
    container_compose(spec, runtime->instance, &runtime->project, runtime->image, run->spec_hash, &run->body);
    if (kept)
        begin_with(run, kept);
    else
        create(run);
    *process = run;
    return 0;
}

/* --- of an earlier farmd --- */

/* What it wrote since the log was last written to. */
static int64_t log_end_ns(const char *path, int64_t fallback_ns)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return fallback_ns;
    int64_t at_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec + 1;
    return at_ns > fallback_ns ? at_ns : fallback_ns;
}

static struct kept_container *find_by_name(struct runtime *runtime, const char *name)
{
    struct kept_container *kept;

    LIST_FOREACH(kept, &runtime->kept, link)
    {
        if (strcmp(kept->state.name, name) == 0)
            return kept;
    }
    return NULL;
}

int docker_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                 struct runtime_adopted *adopted, struct runtime_process **process, struct error *err)
{
    const struct runtime_leftover *leftover = &adoption->leftover;
    struct kept_container *kept = find_by_name(runtime, leftover->name);

    *adopted = (struct runtime_adopted){0};
    if (!kept || !kept->state.running || kept->state.pid != leftover->pid) {
        adopted->oom_kills = kept && kept->state.oom_killed;
        return error_set(err, ESRCH, "%s (pid %d) is gone", leftover->name, (int)leftover->pid);
    }
    const struct container_state state = kept->state;
    kept_drop(kept);
    struct runtime_process *run = run_new(runtime, leftover->name, state.server, leftover->log_path, owner);
    snprintf(run->id, sizeof(run->id), "%s", state.id);
    run->limits = state.limits;
    run->spec_hash = state.spec_hash;
    watch(run, &state);
    follow_log(run, log_end_ns(run->log_path, run->started_ns));
    if (!limits_equal(&state.limits, &adoption->limits))
        docker_set_limits(run, &adoption->limits, NULL);
    adopted->paused = state.paused;
    *process = run;
    return 0;
}
