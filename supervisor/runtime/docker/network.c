/*
 * The network in which servers know each other by name.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/json.h"
#include "core/log.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int look(const struct runtime *runtime, const char *path, cJSON **json, struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = path};
    return engine_ask(&runtime->address, &call, json, err);
}

static void compose_network(const struct runtime *runtime, struct buffer *body)
{
    struct json_writer w = json_writer_to(body);

    json_begin_object(&w);
    json_member_string(&w, "Name", CONTAINER_NETWORK);
    json_member_bool(&w, "CheckDuplicate", true);
    json_key(&w, "Labels");
    json_begin_object(&w);
    json_member_string(&w, CONTAINER_LABEL_INSTANCE, runtime->instance);
    json_end_object(&w);
    json_end_object(&w);
}

static int make_network(const struct runtime *runtime, struct error *err)
{
    struct buffer body = BUFFER_EMPTY;

    compose_network(runtime, &body);
    const struct engine_call call = {
        .method = "POST", .path = "/networks/create", .body = body.data, .body_length = body.length};
    struct error why;
    int code = engine_ask(&runtime->address, &call, NULL, &why);
    buffer_done(&body);
    return code == 0
               ? 0
               : error_set(err, -code,
                           "the Docker Engine does not make the network " CONTAINER_NETWORK ": %s\n"
                           "  fix: docker network ls shows those that are there, docker network prune removes what "
                           "nobody uses",
                           why.message);
}

/* One that no farmd has made stays when the farm ends. */
static void note_network(struct runtime *runtime, const cJSON *json)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(json, "Id");
    const cJSON *owner =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "Labels"), CONTAINER_LABEL_INSTANCE);

    if (cJSON_IsString(id))
        snprintf(runtime->network_id, sizeof(runtime->network_id), "%s", id->valuestring);
    runtime->network_is_ours = cJSON_IsString(owner);
}

int network_ensure(struct runtime *runtime, struct error *err)
{
    static const char path[] = "/networks/" CONTAINER_NETWORK;
    cJSON *json = NULL;
    int code = look(runtime, path, &json, err);

    if (code == -ENOENT) {
        code = make_network(runtime, err);
        if (code == 0)
            code = look(runtime, path, &json, err);
    }
    if (code == 0)
        note_network(runtime, json);
    cJSON_Delete(json);
    return code;
}

/* Those that stand still need it too, and the Engine would not say so: another farm's, or a person's. */
static bool is_network_used(const struct runtime *runtime)
{
    cleanup_free char *path =
        xasprintf("/containers/json?all=1&filters=%%7B%%22network%%22%%3A%%5B%%22%s%%22%%5D%%7D", runtime->network_id);
    cJSON *list = NULL;
    bool used = look(runtime, path, &list, NULL) < 0 || cJSON_GetArraySize(list) > 0;

    cJSON_Delete(list);
    return used;
}

void network_remove(const struct runtime *runtime)
{
    cleanup_free char *path = xasprintf("/networks/%s", runtime->network_id);
    const struct engine_call call = {.method = "DELETE", .path = path};

    if (runtime->network_is_ours && *runtime->network_id && !is_network_used(runtime))
        engine_ask(&runtime->address, &call, NULL, NULL);
}

/* --- removed while the farm runs --- */

static void on_looked(void *data, const struct engine_answer *answer);

static void look_later(struct runtime *runtime)
{
    const struct engine_call call = {
        .method = "GET", .path = "/networks/" CONTAINER_NETWORK, .done = on_looked, .data = runtime};

    engine_send(runtime->engine, &call);
}

/* 409: another farm has been quicker. */
static void on_made(void *data, const struct engine_answer *answer)
{
    struct runtime *runtime = data;

    if (answer->code == 0 || answer->status == 409) {
        look_later(runtime);
        return;
    }
    runtime->network_asked = false; /* the tick tries again */
    log_warning("the network " CONTAINER_NETWORK " was removed, and cannot be made anew: %s", answer->message);
}

static void make_later(struct runtime *runtime)
{
    struct buffer body = BUFFER_EMPTY;

    compose_network(runtime, &body);
    const struct engine_call call = {.method = "POST",
                                     .path = "/networks/create",
                                     .body = body.data,
                                     .body_length = body.length,
                                     .done = on_made,
                                     .data = runtime};
    engine_send(runtime->engine, &call);
    buffer_done(&body);
}

static void on_looked(void *data, const struct engine_answer *answer)
{
    struct runtime *runtime = data;
    bool was_lost = !*runtime->network_id;

    if (answer->status == 404) {
        runtime->network_id[0] = '\0';
        make_later(runtime);
        return;
    }
    runtime->network_asked = false;
    if (answer->code < 0)
        return;
    note_network(runtime, answer->json);
    if (was_lost)
        runtime->events.on_farm_put_right(runtime->farm, "the network " CONTAINER_NETWORK
                                                         " was removed through Docker: it is made anew");
}

void network_look_again(struct runtime *runtime)
{
    if (runtime->network_asked)
        return;
    runtime->network_asked = true;
    look_later(runtime);
}

void network_was_removed(struct runtime *runtime, const char *id)
{
    if (strcmp(id, runtime->network_id) != 0)
        return;
    runtime->network_id[0] = '\0';
    network_look_again(runtime);
}
