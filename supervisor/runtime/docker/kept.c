/*
 * Containers of this farm that no run has: those of stopped servers, and what an earlier farmd left.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/log.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_LIST_MS 10000

struct kept_container *kept_find(struct runtime *runtime, int server)
{
    struct kept_container *kept;

    LIST_FOREACH(kept, &runtime->kept, link)
    {
        if (kept->state.server == server)
            return kept;
    }
    return NULL;
}

struct kept_container *kept_find_id(struct runtime *runtime, const char *id)
{
    struct kept_container *kept;

    LIST_FOREACH(kept, &runtime->kept, link)
    {
        if (strcmp(kept->state.id, id) == 0)
            return kept;
    }
    return NULL;
}

struct kept_container *kept_put(struct runtime *runtime, const struct container_state *state)
{
    struct kept_container *kept = xcalloc(1, sizeof(*kept));

    kept->state = *state;
    LIST_INSERT_HEAD(&runtime->kept, kept, link);
    return kept;
}

void kept_drop(struct kept_container *kept)
{
    LIST_REMOVE(kept, link);
    free(kept);
}

/* --- before the loop runs --- */

static char *list_path(const struct runtime *runtime)
{
    return xasprintf("/containers/json?all=1&filters=%%7B%%22label%%22%%3A%%5B%%22" CONTAINER_LABEL_INSTANCE
                     "%%3D%s%%22%%5D%%7D",
                     runtime->instance);
}

static int look_at(struct runtime *runtime, const char *id, struct error *err)
{
    cleanup_free char *path = xasprintf("/containers/%s/json", id);
    const struct engine_call call = {.method = "GET", .path = path};
    struct container_state state;
    cJSON *json = NULL;

    int code = engine_ask(&runtime->address, &call, &json, err);
    if (code == 0)
        code = container_parse(json, &state, err);
    cJSON_Delete(json);
    if (code == 0)
        kept_put(runtime, &state);
    return code;
}

int kept_list(struct runtime *runtime, struct error *err)
{
    cleanup_free char *path = list_path(runtime);
    const struct engine_call call = {.method = "GET", .path = path};
    const cJSON *entry;
    cJSON *list = NULL;

    int code = engine_ask(&runtime->address, &call, &list, err);
    cJSON_ArrayForEach(entry, list)
    {
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(entry, "Id");
        if (code == 0 && cJSON_IsString(id) && strlen(id->valuestring) < CONTAINER_ID_MAX)
            code = look_at(runtime, id->valuestring, err);
    }
    cJSON_Delete(list);
    return code;
}

/* --- removing --- */

static void on_removed(void *data, const struct engine_answer *answer)
{
    const struct runtime *runtime = data;

    if (answer->code < 0 && answer->status != 404 && answer->status != 409)
        log_warning("a container of %s is left: %s", runtime->instance, answer->message);
}

static void remove_container(struct engine *engine, const char *id,
                             void (*done)(void *data, const struct engine_answer *answer), void *data)
{
    char path[CONTAINER_ID_MAX + 32];
    const struct engine_call call = {.method = "DELETE", .path = path, .done = done, .data = data};

    snprintf(path, sizeof(path), "/containers/%s?force=1&v=1", id);
    engine_send(engine, &call);
}

void docker_forget(struct runtime *runtime, int server)
{
    struct kept_container *kept = kept_find(runtime, server);

    if (!kept)
        return;
    remove_container(runtime->engine, kept->state.id, on_removed, runtime);
    kept_drop(kept);
}

/* --- the end of all --- */

/* By the Engine's own list: one whose making was never answered is in it, too. */
void kept_remove_all(struct runtime *runtime)
{
    cleanup_free char *path = list_path(runtime);
    const struct engine_call call = {.method = "GET", .path = path, .timeout_ms = LAST_LIST_MS};
    const cJSON *entry;
    cJSON *list = NULL;
    struct error err;
    uv_loop_t loop;

    if (engine_ask(&runtime->address, &call, &list, &err) < 0 || uv_loop_init(&loop) < 0) {
        log_warning("containers of the farm may be left: %s; farmd down removes them", err.message);
        cJSON_Delete(list);
        return;
    }
    struct engine *engine = engine_new(&loop, &runtime->address);
    cJSON_ArrayForEach(entry, list)
    {
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(entry, "Id");
        if (cJSON_IsString(id) && strlen(id->valuestring) < CONTAINER_ID_MAX)
            remove_container(engine, id->valuestring, on_removed, runtime);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    cJSON_Delete(list);
    network_remove(runtime);
}

/* --- the sweep: what was left running and nobody adopted --- */

static void one_swept(struct runtime *runtime)
{
    if (--runtime->sweeping > 0)
        return;
    runtime->swept = true;
    runtime->on_swept(runtime->swept_data);
}

static void on_swept(void *data, const struct engine_answer *answer)
{
    on_removed(data, answer);
    one_swept(data);
}

static void on_nothing(uv_handle_t *handle)
{
    struct runtime *runtime = handle->data;

    free(handle);
    one_swept(runtime);
}

/* Stopped ones stay, and those of servers that are started next: they serve for that. A farmd that died before it could note
 * what it had started has left them, or they are exported. */
void docker_sweep(struct runtime *runtime, const struct runtime_sweep *what)
{
    struct kept_container *kept, *next;
    uv_idle_t *later = xmalloc(sizeof(*later)); /* `done` comes from the loop, also when there is nothing to do */

    runtime->on_swept = what->done;
    runtime->swept_data = what->data;
    runtime->sweeping = 1;
    uv_idle_init(runtime->loop, later);
    later->data = runtime;
    uv_close((uv_handle_t *)later, on_nothing);
    for (kept = LIST_FIRST(&runtime->kept); kept; kept = next) {
        next = LIST_NEXT(kept, link);
        if (kept->state.running && !what->is_starting(what->data, kept->state.server)) {
            runtime->sweeping++;
            remove_container(runtime->engine, kept->state.id, on_swept, runtime);
            kept_drop(kept);
        }
    }
}

/* --- the Engine is back --- */

/* What has come up while nobody was told: started by somebody, or by a start whose answer was lost. */
static void on_seen(void *data, const struct engine_answer *answer)
{
    struct runtime *runtime = data;
    struct container_state state;
    struct error err;

    if (answer->code < 0 || container_parse(answer->json, &state, &err) < 0 || docker_find_run(runtime, state.id))
        return;
    struct kept_container *kept = kept_find_id(runtime, state.id);
    if (!kept)
        kept = kept_put(runtime, &state);
    else if (state.running == kept->state.running)
        return;
    kept->state = state;
    kept->state.running = false;
    if (state.running)
        docker_saw_start(runtime, state.id);
}

static void on_listed(void *data, const struct engine_answer *answer)
{
    struct runtime *runtime = data;
    const cJSON *entry;

    if (answer->code < 0)
        return;
    cJSON_ArrayForEach(entry, answer->json)
    {
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(entry, "Id");
        char path[CONTAINER_ID_MAX + 32];
        const struct engine_call call = {.method = "GET", .path = path, .done = on_seen, .data = runtime};

        if (!cJSON_IsString(id) || strlen(id->valuestring) >= CONTAINER_ID_MAX ||
            docker_find_run(runtime, id->valuestring))
            continue;
        snprintf(path, sizeof(path), "/containers/%s/json", id->valuestring);
        engine_send(runtime->engine, &call);
    }
}

void kept_list_again(struct runtime *runtime)
{
    cleanup_free char *path = list_path(runtime);
    const struct engine_call call = {.method = "GET", .path = path, .done = on_listed, .data = runtime};

    engine_send(runtime->engine, &call);
}
