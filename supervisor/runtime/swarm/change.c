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

static const char *name_of(const struct swarm_service *service)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(service->spec, "Name");
    return cJSON_IsString(name) ? name->valuestring : "";
}

/* False: that is no description of this farm's service, but of somebody else's of the same name. */
static bool take_id(struct swarm_service *service, const cJSON *told)
{
    struct service_state state;

    if (service_parse(told, &state, NULL) < 0 || state.server != service->server ||
        strcmp(state.instance, service->runtime->instance) != 0)
        return false;
    snprintf(service->id, sizeof(service->id), "%s", state.id);
    return true;
}

/* `body` becomes this function's. */
static void send_call(struct swarm_service *service, const char *method, const char *path, char *body,
                      void (*done)(void *data, const struct engine_answer *answer))
{
    const struct engine_call call = {
        .method = method,
        .path = path,
        .body = body,
        .body_length = body ? strlen(body) : 0,
        .timeout_ms = SWARM_TIMEOUT_MS,
        .done = done,
        .data = service,
    };
    service->submitting = true;
    engine_send(service->runtime->engine, &call);
    cJSON_free(body);
}

static void look_up(struct swarm_service *service, const char *key,
                    void (*done)(void *data, const struct engine_answer *answer))
{
    cleanup_free char *path = xasprintf("/services/%s", key);
    send_call(service, "GET", path, NULL, done);
}

static void submit_next(struct swarm_service *service);

/* --- removing --- */

static void gone(struct swarm_service *service)
{
    struct runtime *runtime = service->runtime;
    void (*removed)(struct runtime * runtime) = service->removed;
    int server = service->server;

    swarm_service_free(service);
    struct swarm_service *next = swarm_service_of(runtime, server); /* of the same name: it had to wait */
    if (next && next->changed && !next->submitting)
        submit_next(next);
    if (removed)
        removed(runtime);
}

/* Nobody waits for the next try. */
static void not_removed(struct swarm_service *service, const char *why)
{
    void (*removed)(struct runtime * runtime) = service->removed;

    if (!service->owed)
        log_warning("service %s is not removed yet: %s", name_of(service), why);
    service->submitting = false;
    service->owed = true;
    service->removed = NULL;
    if (removed)
        removed(service->runtime);
}

static void on_removed(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;

    if (answer->code < 0 && answer->status != 404)
        not_removed(service, answer->message);
    else
        gone(service);
}

static void on_found(void *data, const struct engine_answer *answer);

static void leave(struct swarm_service *service)
{
    cleanup_free char *path = xasprintf("/services/%s", service->id);

    if (service->id[0] != '\0')
        send_call(service, "DELETE", path, NULL, on_removed);
    else if (service->unsure)
        look_up(service, name_of(service), on_found);
    else
        gone(service);
}

void swarm_remove(struct swarm_service *service, void (*done)(struct runtime *runtime))
{
    service->leaving = true;
    service->removed = done;
    if (!service->submitting) /* else its answer comes first */
        leave(service);
}

/* One whose creation was under way may be there. */
static int remove_here(struct swarm_service *service, struct error *err)
{
    const struct engine_address *address = &service->runtime->address;
    int code = 0;

    if (service->id[0] == '\0' && (service->unsure || service->submitting)) {
        cleanup_free char *by_name = xasprintf("/services/%s", name_of(service));
        const struct engine_call look = {.method = "GET", .path = by_name, .timeout_ms = SWARM_TIMEOUT_MS};
        cJSON *found = NULL;
        code = engine_ask(address, &look, &found, err);
        if (code == 0)
            take_id(service, found);
        cJSON_Delete(found);
    }
    if (service->id[0] != '\0') {
        cleanup_free char *path = xasprintf("/services/%s", service->id);
        const struct engine_call call = {.method = "DELETE", .path = path, .timeout_ms = SWARM_TIMEOUT_MS};
        code = engine_ask(address, &call, NULL, err);
    }
    return code == -ENOENT ? 0 : code;
}

/* An Engine that does not answer is asked once, not for each: it has all of them. */
void swarm_remove_all(struct runtime *runtime)
{
    struct swarm_service *service, *next;
    struct error err;
    bool away = false;

    for (service = LIST_FIRST(&runtime->services); service; service = next) {
        next = LIST_NEXT(service, link);
        int code = away ? 0 : remove_here(service, &err);
        if (code < 0)
            log_warning("service %s is left: %s", name_of(service), err.message);
        away = away || code == -ENOTCONN || code == -ETIMEDOUT;
        swarm_service_free(service);
    }
}

/* --- creating and changing --- */

static void tell_limits(struct swarm_service *service, const struct error *err)
{
    struct runtime_process *run = service->run;

    if (!run || !run->limits_asked)
        return;
    run->limits_asked = false;
    if (err)
        service_set_limits(service->spec, &run->limits_before);
    run->runtime->events.on_changed(run->owner, RUNTIME_CHANGE_LIMITS, err);
}

/* A start that fails is its run's to tell, and the farm's to try again; all else is tried again here. */
static void failed(struct swarm_service *service, int code, const char *why)
{
    struct runtime_process *run = service->run;
    struct error err;

    service->changed = false;
    if (run && run->state == RUN_WAITING && run->task.id[0] == '\0' && !run->stopping) {
        swarm_run_failed(run, why);
        return;
    }
    if (!service->owed)
        log_warning("server-%d: Swarm has not taken a change (%s); farmd keeps trying", service->server, why);
    service->owed = true;
    error_set(&err, -code, "server-%d: Swarm has not taken the limits: %s", service->server, why);
    tell_limits(service, &err);
}

static void settled(struct swarm_service *service, int code, const char *why)
{
    service->submitting = false;
    service->tries = 0;
    service->unsure = code < 0;
    if (service->leaving) {
        leave(service);
    } else if (code < 0) {
        failed(service, code, why);
    } else {
        service->owed = false;
        swarm_watch_soon(service->runtime->watch);
        if (service->changed)
            submit_next(service);
        else
            tell_limits(service, NULL);
    }
}

static void on_created(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer->json, "ID");

    if (answer->code < 0) {
        settled(service, answer->code, answer->message);
    } else if (!cJSON_IsString(id) || *id->valuestring == '\0' || strlen(id->valuestring) >= sizeof(service->id)) {
        settled(service, -EPROTO, "the Docker Engine has made a service and does not say which");
    } else {
        snprintf(service->id, sizeof(service->id), "%s", id->valuestring);
        settled(service, 0, "");
    }
}

static void on_changed(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;

    if (answer->code < 0 && strstr(answer->message, "out of sequence") && ++service->tries < MAX_TRIES)
        submit_next(service);
    else
        settled(service, answer->code, answer->message);
}

static void create(struct swarm_service *service)
{
    service->changed = false;
    send_call(service, "POST", "/services/create", cJSON_PrintUnformatted(service->spec), on_created);
}

static void on_version(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(answer->json, "Version");
    const cJSON *index = cJSON_GetObjectItemCaseSensitive(version, "Index");

    if (service->leaving) {
        settled(service, 0, "");
    } else if (answer->status == 404) { /* removed by somebody else */
        service->id[0] = '\0';
        create(service);
    } else if (answer->code < 0) {
        settled(service, answer->code, answer->message);
    } else if (!cJSON_IsNumber(index)) {
        settled(service, -EPROTO, "the Docker Engine describes the service without its version");
    } else {
        cleanup_free char *path = xasprintf("/services/%s/update?version=%.0f", service->id, index->valuedouble);
        service->changed = false; /* what goes out now has all of it */
        send_call(service, "POST", path, cJSON_PrintUnformatted(service->spec), on_changed);
    }
}

/* By name, after a creation of which nothing was heard. */
static void on_found(void *data, const struct engine_answer *answer)
{
    struct swarm_service *service = data;
    bool is_there = answer->code == 0 && take_id(service, answer->json);

    if (is_there) {
        on_version(service, answer);
    } else if (answer->code < 0 && answer->status != 404) {
        if (service->leaving)
            not_removed(service, answer->message);
        else
            settled(service, answer->code, answer->message);
    } else if (service->leaving) {
        gone(service);
    } else {
        create(service);
    }
}

static void submit_next(struct swarm_service *service)
{
    if (service->id[0] != '\0')
        look_up(service, service->id, on_version);
    else if (service->unsure)
        look_up(service, name_of(service), on_found);
    else
        create(service);
}

static bool predecessor_leaves(const struct swarm_service *service)
{
    const struct swarm_service *other;

    LIST_FOREACH(other, &service->runtime->services, link)
    {
        if (other != service && other->server == service->server && other->leaving)
            return true;
    }
    return false;
}

void swarm_submit(struct swarm_service *service)
{
    service->changed = true;
    if (!service->submitting && !predecessor_leaves(service))
        submit_next(service);
}

void swarm_submit_listed(struct swarm_service *service)
{
    if (!service->owed || service->submitting)
        return;
    if (service->leaving)
        leave(service);
    else
        submit_next(service);
}
