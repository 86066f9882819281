/*
 * The container of a run: that of the last one where it is still what is wanted, one of this farm's that has the name, or
 * a new one. Nobody else's is ever touched.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define CREATES_MAX 50 /* of one run, while its name is being given up by a container that is being removed */

static void on_removed(struct runtime_process *run, const struct engine_answer *answer)
{
    /* 409: somebody is removing it already. */
    if (answer->code < 0 && answer->status != 404 && answer->status != 409) {
        docker_run_not_started_for(run, answer);
        return;
    }
    run->id[0] = '\0';
    docker_run_create(run);
}

/* The Engine remembers which network it was made for, and would not start it after another was made under that name. */
static bool has_network(const struct runtime *runtime, const struct container_state *state)
{
    return state->connected && (!*state->network_id || strcmp(state->network_id, runtime->network_id) == 0);
}

/* Of an exported one the limits, and who restarts it, are changed live. */
static bool fits(const struct runtime_process *run, const struct container_state *state)
{
    if (state->paused || !has_network(run->runtime, state))
        return false;
    return state->exported ? state->port == run->port
                           : state->spec_hash == run->spec_hash && container_has_limits(state, &run->limits);
}

/* The container of the last run, when it is still what is wanted; a start of one that runs already is none. */
static void begin_with(struct runtime_process *run, const struct container_state *state)
{
    snprintf(run->id, sizeof(run->id), "%s", state->id);
    if (fits(run, state)) {
        run->limits_differ = state->exported;
        docker_run_begin(run);
        return;
    }
    run->state = RUN_REMOVING;
    docker_call_container(run, "DELETE", "?force=1&v=1", NULL, on_removed);
}

/* Nobody else's container is ever touched. */
static void name_is_taken(struct runtime_process *run, const struct container_state *state)
{
    char why[ERROR_MESSAGE_MAX];

    if (*state->instance)
        snprintf(why, sizeof(why), "the container %s is another farm's (%s); fix: end that one, or: docker rm -f %s",
                 run->name, state->instance, run->name);
    else
        snprintf(why, sizeof(why),
                 "a container of that name (%.12s, of image %.40s) is not this farm's; fix: docker rename %s OTHER",
                 state->id, state->image, run->name);
    docker_run_not_started(run, "EEXIST", why, false);
}

static void on_name_found(struct runtime_process *run, const struct engine_answer *answer)
{
    struct container_state state;
    struct error err;

    if (answer->status == 404) {
        docker_run_create(run);
    } else if (answer->code < 0) {
        docker_run_not_started_for(run, answer);
    } else if (container_parse(answer->json, &state, &err) < 0) {
        docker_run_not_started(run, "EPROTO", err.message, false);
    } else if (state.removing) {
        run->state = RUN_WAITING; /* the tick creates it when the name may be free */
    } else if (strcmp(state.instance, run->runtime->instance) == 0 && state.server == run->server) {
        begin_with(run, &state);
    } else {
        name_is_taken(run, &state);
    }
}

static void on_created(struct runtime_process *run, const struct engine_answer *answer)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer->json, "Id");

    if (answer->code == 0 && cJSON_IsString(id) && strlen(id->valuestring) < sizeof(run->id)) {
        snprintf(run->id, sizeof(run->id), "%s", id->valuestring);
        run->is_new = true;
        docker_run_begin(run);
    } else if (answer->status == 409 && run->creates < CREATES_MAX) {
        cleanup_free char *path = xasprintf("/containers/%s/json", run->name);
        run->state = RUN_FINDING;
        docker_call(run, "GET", path, NULL, on_name_found);
    } else if (answer->code < 0) {
        docker_run_not_started_for(run, answer);
    } else {
        docker_run_not_started(run, "EPROTO", "the Docker Engine gave it no id", false);
    }
}

void docker_run_create(struct runtime_process *run)
{
    cleanup_free char *path = xasprintf("/containers/create?name=%s", run->name);

    run->state = RUN_CREATING;
    run->creates++;
    docker_call(run, "POST", path, &run->body, on_created);
}

void docker_acquire(struct runtime_process *run, const struct container_state *last)
{
    if (last)
        begin_with(run, last);
    else
        docker_run_create(run);
}
