/*
 * Services are created, changed and removed. A change needs the service's present version, so it is two calls; while they are
 * under way further wishes are collected, and the last state is what goes out next.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include "core/log.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TRIES 5 /* Swarm itself changes services too, and the version with them */

struct swarm_service *swarm_service_of(struct runtime *runtime, int server)
{
    struct swarm_service *service;

    LIST_FOREACH(service, &runtime->services, link)
    {
        if (service->server == server && !service->leaving)
            return service;
    }
    return NULL;
}

struct swarm_service *swarm_service_by_id(struct runtime *runtime, const char *id)
{
    struct swarm_service *service;

    LIST_FOREACH(service, &runtime->services, link)
    {
        if (strcmp(service->id, id) == 0)
            return service;
    }
    return NULL;
}

struct swarm_service *swarm_service_new(struct runtime *runtime, int server, cJSON *spec)
{
    struct swarm_service *service = xcalloc(1, sizeof(*service));

    service->runtime = runtime;
    service->server = server;
    service->spec = spec;
    LIST_INSERT_HEAD(&runtime->services, service, link);
    return service;
}

void swarm_service_free(struct swarm_service *service)
{
    LIST_REMOVE(service, link);
    cJSON_Delete(service->spec);
    free(service);
}

static void send_call(struct swarm_service *service, const char *method, const char *path, char *body,
                      void (*done)(void *data, const struct engine_answer *answer))
{
    const struct engine_call call = {
        .method = method,
        .path = path,
        .body = body,
        .body_length = body ? strlen(body) : 0,
        .done = done,
        .data = service,
    };
    engine_send(service->runtime->engine, &call);
}

/* --- removing --- */

struct removal {
    struct runtime *runtime;
    void (*done)(struct runtime *runtime);
    char name[SWARM_NAME_MAX];
};

static void on_removed(void *data, const struct engine_answer *answer)
{
    struct removal *removal = data;

    if (answer->code < 0 && answer->status != 404)
        log_warning("service %s is left: %s", removal->name, answer->message);
    if (removal->done)
        removal->done(removal->runtime);
    free(removal);
}

static void remove_now(struct swarm_service *service, void (*done)(struct runtime *runtime))
{
    struct removal *removal = xcalloc(1, sizeof(*removal));
    cleanup_free char *path = xasprintf("/services/%s", service->id);
    const struct engine_call call = {.method = "DELETE", .path = path, .done = on_removed, .data = removal};
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(service->spec, "Name");

    removal->runtime = service->runtime;
    removal->done = done;
    snprintf(removal->name, sizeof(removal->name), "%s", cJSON_IsString(name) ? name->valuestring : service->id);
    engine_send(service->runtime->engine, &call);
    swarm_service_free(service);
}

void swarm_remove(struct swarm_service *service, void (*done)(struct runtime *runtime))
{
    service->leaving = true;
    if (service->submitting)
        return; /* its answer comes first */
    if (service->id[0] != '\0')
        remove_now(service, done);
    else
        swarm_service_free(service);
}

void swarm_remove_all(struct runtime *runtime)
{
    struct swarm_service *service, *next;

    for (service = LIST_FIRST(&runtime->services); service; service = next) {
        cleanup_free char *path = xasprintf("/services/%s", service->id);
        const struct engine_call call = {.method = "DELETE", .path = path};
        struct error err;
        next = LIST_NEXT(service, link);
        if (service->id[0] != '\0' && engine_ask(&runtime->address, &call, NULL, &err) < 0 && err.code != ENOENT)
            log_warning("service server-%d is left: %s", service->server, err.message);
        swarm_service_free(service);
    }
}

/* --- creating and changing --- */

static void submit_next(struct swarm_service *service);

static void settled(struct swarm_service *service, const struct engine_answer *answer)
{
    service->submitting = false;
    service->tries = 0;
    if (service->leaving) {
        swarm_remove(service, NULL);
        return;
    }
    if (answer->code < 0) {
        service->changed = false;
        if (service->run)
            swarm_run_failed(service->run, answer->message);
        else
            log_warning("server-%d: %s", service->server, answer->message);
        return;
    }
    swarm_watch_soon(service->runtime->watch);
    if (service->changed)
        submit_next(service);
}

static void on_created(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer->json, "ID");

    if (answer->code == 0 && cJSON_IsString(id))
        snprintf(service->id, sizeof(service->id), "%s", id->valuestring);
    settled(service, answer);
}

static void on_changed(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;

    if (answer->code < 0 && strstr(answer->message, "out of sequence") && ++service->tries < MAX_TRIES) {
        submit_next(service);
        return;
    }
    settled(service, answer);
}

static void create(struct swarm_service *service)
{
    char *body = cJSON_PrintUnformatted(service->spec);

    send_call(service, "POST", "/services/create", body, on_created);
    cJSON_free(body);
}

static void on_version(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(answer->json, "Version");
    const cJSON *index = cJSON_GetObjectItemCaseSensitive(version, "Index");

    service->changed = false;    /* what goes out now has all of it */
    if (answer->status == 404) { /* removed by somebody else */
        service->id[0] = '\0';
        create(service);
        return;
    }
    if (answer->code < 0 || !cJSON_IsNumber(index)) {
        settled(service, answer);
        return;
    }
    cleanup_free char *path = xasprintf("/services/%s/update?version=%.0f", service->id, index->valuedouble);
    char *body = cJSON_PrintUnformatted(service->spec);
    send_call(service, "POST", path, body, on_changed);
    cJSON_free(body);
}

static void submit_next(struct swarm_service *service)
{
    service->submitting = true;
    if (service->id[0] == '\0') {
        service->changed = false;
        create(service);
        return;
    }
    cleanup_free char *path = xasprintf("/services/%s", service->id);
    send_call(service, "GET", path, NULL, on_version);
}

void swarm_submit(struct swarm_service *service)
{
    service->changed = true;
    if (!service->submitting)
        submit_next(service);
}
