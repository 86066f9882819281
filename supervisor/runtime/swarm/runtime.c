/*
 * The runtime of services: opening, closing, and the vtable.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include "core/memory.h"
#include "supervisor/runtime/process/port_holder.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static const char *text_of(const cJSON *object, const char *key)
{
    const cJSON *text = member(object, key);
    return cJSON_IsString(text) ? text->valuestring : "";
}

/* --- who is there --- */

int swarm_check_manager(const struct engine_address *address, const cJSON *info, struct error *err)
{
    const cJSON *swarm = member(info, "Swarm");
    const char *state = text_of(swarm, "LocalNodeState");

    if (cJSON_IsTrue(member(swarm, "ControlAvailable")))
        return 0;
    if (strcmp(state, "active") == 0)
        return error_set(
            err, ENOTSUP,
            "the Docker Engine at %s is a worker of a Swarm, and only a manager can be asked for services\n"
            "  fix: run farmd on a manager, or make this node one: docker node promote %s (on a manager)",
            address->socket, text_of(info, "Name"));
    return error_set(err, ENOTSUP,
                     "the Docker Engine at %s is not part of a Swarm (%s)\n"
                     "  fix: docker swarm init; on further machines: docker swarm join, as that says",
                     address->socket, *state ? state : "inactive");
}

/* By the word of this Engine. Others are asked by Swarm. */
static void note_enforcement(struct runtime *runtime, const cJSON *info)
{
    bool v2 = strcmp(text_of(info, "CgroupVersion"), "2") == 0;

    runtime->enforced = (struct runtime_enforced){.cpu = cJSON_IsTrue(member(info, "CpuCfsQuota")),
                                                  .memory = cJSON_IsTrue(member(info, "MemoryLimit")),
                                                  .pids = cJSON_IsTrue(member(info, "PidsLimit"))};
    snprintf(runtime->enforcement, sizeof(runtime->enforcement), "%s", v2 ? "cgroup2" : "cgroup1");
    if (!runtime->enforced.cpu || !runtime->enforced.memory || !runtime->enforced.pids)
        snprintf(runtime->warning, sizeof(runtime->warning),
                 "the Docker Engine of this node cannot enforce all limits:%s%s%s are not in force\n"
                 "  fix: docker info names what it lacks",
                 runtime->enforced.cpu ? "" : " CPU", runtime->enforced.memory ? "" : " memory",
                 runtime->enforced.pids ? "" : " processes");
}

static int ask_engine(struct runtime *runtime, enum enforce_mode enforce, struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = "/info"};
    cJSON *info = NULL;
    int code = engine_ask(&runtime->address, &call, &info, err);

    if (code == 0)
        code = swarm_check_manager(&runtime->address, info, err);
    if (code == 0) {
        snprintf(runtime->self, sizeof(runtime->self), "%s", text_of(member(info, "Swarm"), "NodeID"));
        note_enforcement(runtime, info);
    }
    cJSON_Delete(info);
    if (code == 0 && *runtime->warning && enforce == ENFORCE_REQUIRED)
        code = error_set(err, EPERM, "%s", runtime->warning);
    return code;
}

/* --- opening and closing --- */

static int make_ready(struct runtime *runtime, const struct runtime_options *options, struct error *err)
{
    int code = engine_find(getenv("DOCKER_HOST"), &runtime->address, err);

    if (code == 0)
        code = engine_connect(&runtime->address, err);
    if (code == 0)
        code = ask_engine(runtime, options->enforce, err);
    if (code == 0)
        code = image_ensure(&runtime->address, options->docker->image, &runtime->image, err);
    if (code == 0)
        code = swarm_look(runtime, err);
    return code;
}

static void release(struct runtime *runtime)
{
    struct swarm_service *service;

    while ((service = LIST_FIRST(&runtime->services)) != NULL)
        swarm_service_free(service);
    free(runtime->nodes);
    free(runtime);
}

static int open_runtime(struct runtime **result, const struct runtime_options *options, struct error *err)
{
    struct runtime *runtime = xcalloc(1, sizeof(*runtime));

    runtime->loop = options->loop;
    runtime->events = options->events;
    runtime->farm = options->farm;
    LIST_INIT(&runtime->services);
    LIST_INIT(&runtime->runs);
    LIST_INIT(&runtime->logs);
    snprintf(runtime->instance, sizeof(runtime->instance), "%s", options->instance);
    int code = make_ready(runtime, options, err);
    if (code < 0) {
        release(runtime);
        return code;
    }
    runtime->engine = engine_new(runtime->loop, &runtime->address);
    runtime->watch = swarm_watch_new(runtime);
    *result = runtime;
    return 0;
}

/* Runs that are left have an owner that is gone: farmd hands over, or has given up. Their services go on; and so do all when
 * this farmd never came as far as to look which are its own. */
static void close_runtime(struct runtime *runtime)
{
    struct runtime_process *run;
    bool all_ended;

    if (!runtime)
        return;
    all_ended = LIST_EMPTY(&runtime->runs) && runtime->swept != NULL;
    swarm_watch_free(runtime->watch);
    engine_free(runtime->engine);
    while ((run = LIST_FIRST(&runtime->runs)) != NULL) {
        LIST_REMOVE(run, link);
        swarm_run_free(run);
    }
    swarm_logs_close(runtime);
    if (all_ended)
        swarm_remove_all(runtime);
    release(runtime);
}

/* --- what an earlier farmd left --- */

static void one_swept(struct runtime *runtime)
{
    if (--runtime->sweeping == 0)
        runtime->swept(runtime->swept_data);
}

static void on_look_over(uv_handle_t *handle)
{
    struct runtime *runtime = handle->data;

    free(handle);
    one_swept(runtime);
}

/* Services that should run and that no server is for. Those of stopped servers wait for their next start. */
static void sweep(struct runtime *runtime, const struct runtime_sweep *what)
{
    struct swarm_service *service, *next;
    uv_idle_t *later = xcalloc(1, sizeof(*later));

    runtime->swept = what->done;
    runtime->swept_data = what->data;
    runtime->sweeping = 1; /* `done` never comes from inside this call */
    for (service = LIST_FIRST(&runtime->services); service; service = next) {
        next = LIST_NEXT(service, link);
        if (service->run || service_replicas(service->spec) == 0)
            continue;
        runtime->sweeping++;
        swarm_remove(service, one_swept);
    }
    uv_idle_init(runtime->loop, later);
    later->data = runtime;
    uv_close((uv_handle_t *)later, on_look_over);
}

/* A server has left the farm. */
static void forget(struct runtime *runtime, int server)
{
    struct swarm_service *service = swarm_service_of(runtime, server);

    if (service && !service->run)
        swarm_remove(service, NULL);
}

/* --- the vtable --- */

static int available(const struct runtime *runtime, struct error *err)
{
    if (swarm_watch_is_live(runtime->watch))
        return 0;
    return error_set(err, ENOTCONN, "the Docker Engine at %s does not answer", runtime->address.socket);
}

static const char *enforcement(const struct runtime *runtime)
{
    return runtime->enforcement;
}

static struct runtime_enforced enforced(const struct runtime *runtime)
{
    return runtime->enforced;
}

static const char *warning(const struct runtime *runtime)
{
    return *runtime->warning ? runtime->warning : NULL;
}

/* Labels find them again. */
static size_t places(const struct runtime *runtime, const char *list[RUNTIME_MAX_PLACES])
{
    (void)runtime;
    (void)list;
    return 0;
}

/* How a task ended stays known to Swarm. */
static bool ending(const struct runtime *runtime)
{
    (void)runtime;
    return false;
}

static void port_holder(struct runtime *runtime, uint16_t port, void (*tell)(const char *holder, void *data),
                        void *data)
{
    process_port_holder(runtime->loop, port, tell, data);
}

/* Of another node it means nothing here. */
static pid_t pid(const struct runtime_process *run)
{
    return run->leaf ? run->task.pid : 0;
}

/* Nothing for the state file: Swarm holds what runs. */
static uint64_t start_time(const struct runtime_process *run)
{
    (void)run;
    return 0;
}

static const struct counters *counters(const struct runtime_process *run)
{
    (void)run;
    return NULL;
}

static const char *node(const struct runtime_process *run)
{
    const struct node_state *found = swarm_node(run->runtime, run->task.node);
    return found ? found->name : NULL;
}

const struct runtime_ops runtime_swarm_ops = {
    .kind = "swarm",
    .begins_later = true,
    .finds_servers = true,
    .limits_replace = true,
    .no_kill = "Swarm cannot send a signal to a task; stop or restart it",
    .no_pause = "Swarm cannot freeze a task; stop it",
    .accepts = swarm_accepts,
    .open = open_runtime,
    .available = available,
    .close = close_runtime,
    .enforcement = enforcement,
    .enforced = enforced,
    .warning = warning,
    .adopt = swarm_adopt,
    .sweep = sweep,
    .call_off = swarm_call_off,
    .forget = forget,
    .places = places,
    .start = swarm_start,
    .port_holder = port_holder,
    .port_holder_known = process_port_holder_known,
    .ending = ending,
    .pid = pid,
    .node = node,
    .signal = swarm_signal,
    .kill = swarm_kill,
    .pause = swarm_pause,
    .resume = swarm_resume,
    .set_limits = swarm_set_limits,
    .limits_in_force = swarm_limits_in_force,
    .sample = swarm_sample,
    .pressure = swarm_pressure,
    .counters = counters,
    .start_time = start_time,
};
