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

void kept_put(struct runtime *runtime, const struct container_state *state)
{
    struct kept_container *kept = xcalloc(1, sizeof(*kept));

    kept->state = *state;
    LIST_INSERT_HEAD(&runtime->kept, kept, link);
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

/* --- the end of all --- */

static void on_removed(void *data, const struct engine_answer *answer)
{
    const struct runtime *runtime = data;

    if (answer->code < 0 && answer->status != 404 && answer->status != 409)
        log_warning("a container of %s is left: %s", runtime->instance, answer->message);
}

static void remove_container(struct engine *engine, const struct kept_container *kept,
                             void (*done)(void *data, const struct engine_answer *answer), void *data)
{
    char path[CONTAINER_ID_MAX + 32];
    const struct engine_call call = {.method = "DELETE", .path = path, .done = done, .data = data};

    snprintf(path, sizeof(path), "/containers/%s?force=1&v=1", kept->state.id);
    engine_send(engine, &call);
}

static void remove_network(const struct runtime *runtime)
{
    cleanup_free char *path = xasprintf("/networks/%s", runtime->network_id);
    const struct engine_call call = {.method = "DELETE", .path = path};

    engine_ask(&runtime->address, &call, NULL, NULL); /* refused while another farm has containers in it */
}

void kept_remove_all(struct runtime *runtime)
{
    struct kept_container *kept;
    uv_loop_t loop;

    if (LIST_EMPTY(&runtime->kept) || uv_loop_init(&loop) < 0)
        return;
    struct engine *engine = engine_new(&loop, &runtime->address);
    while ((kept = LIST_FIRST(&runtime->kept))) {
        remove_container(engine, kept, on_removed, runtime);
        kept_drop(kept);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    engine_free(engine);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    if (*runtime->network_id)
        remove_network(runtime);
}

/* --- the sweep: what was left running and nobody adopted --- */

static void one_swept(struct runtime *runtime)
{
    if (--runtime->sweeping == 0)
        runtime->swept(runtime->swept_data);
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

/* Stopped ones stay: the next start may use them. */
void docker_sweep(struct runtime *runtime, const struct runtime_sweep *what)
{
    struct kept_container *kept, *next;
    uv_idle_t *later = xmalloc(sizeof(*later)); /* `done` comes from the loop, also when there is nothing to do */

    runtime->swept = what->done;
    runtime->swept_data = what->data;
    runtime->sweeping = 1;
    uv_idle_init(runtime->loop, later);
    later->data = runtime;
    uv_close((uv_handle_t *)later, on_nothing);
    for (kept = LIST_FIRST(&runtime->kept); kept; kept = next) {
        next = LIST_NEXT(kept, link);
        if (kept->state.running) {
            runtime->sweeping++;
            remove_container(runtime->engine, kept, on_swept, runtime);
            kept_drop(kept);
        }
    }
}
