/*
 * The runtime of containers: opening, closing, and the vtable.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_true(const cJSON *info, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(info, key));
}

/* What a container really has is read from its cgroup. */
int docker_enforcement_of(const struct engine_address *address, struct docker_enforcement *enforcement,
                          struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = "/info"};
    cJSON *info = NULL;
    int code = engine_ask(address, &call, &info, err);

    if (code < 0)
        return code;
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(info, "CgroupVersion");
    bool v2 = cJSON_IsString(version) && strcmp(version->valuestring, "2") == 0;
    const struct runtime_enforced has = {.cpu = is_true(info, "CpuCfsQuota"),
                                         .memory = is_true(info, "MemoryLimit"),
                                         .pids = is_true(info, "PidsLimit")};
    cJSON_Delete(info);
    *enforcement = (struct docker_enforcement){.enforced = has};
    snprintf(enforcement->kind, sizeof(enforcement->kind), "%s", v2 ? "cgroup2" : "cgroup1");
    if (!has.cpu || !has.memory || !has.pids)
        snprintf(enforcement->warning, sizeof(enforcement->warning),
                 "the Docker Engine cannot enforce all limits:%s%s%s are not in force\n"
                 "  fix: docker info names what it lacks; rootless Engines need cgroup v2 and delegation",
                 has.cpu ? "" : " CPU", has.memory ? "" : " memory", has.pids ? "" : " processes");
    return 0;
}

static int find_enforcement(struct runtime *runtime, enum enforce_mode enforce, struct error *err)
{
    const struct docker_enforcement *found = &runtime->enforcement;
    int code = docker_enforcement_of(&runtime->address, &runtime->enforcement, err);

    if (code == 0 && *found->warning && enforce == ENFORCE_REQUIRED)
        code = error_set(err, EPERM, "%s", found->warning);
    return code;
}

static int make_ready(struct runtime *runtime, const struct runtime_options *options, struct error *err)
{
    int code = engine_find(getenv("DOCKER_HOST"), &runtime->address, err);

    if (code == 0)
        code = engine_connect(&runtime->address, err);
    if (code == 0)
        code = find_enforcement(runtime, options->enforce, err);
    if (code == 0)
        code = image_ensure(&runtime->address, options->docker->image, &runtime->image, err);
    if (code == 0)
        code = network_ensure(runtime, err);
    if (code == 0)
        code = compose_project_find(runtime, err);
    if (code == 0)
        code = kept_list(runtime, err);
    return code;
}

static void forget_kept(struct runtime *runtime)
{
    struct kept_container *kept;

    while ((kept = LIST_FIRST(&runtime->kept)))
        kept_drop(kept);
}

static int open_runtime(struct runtime **result, const struct runtime_options *options, struct error *err)
{
    struct runtime *runtime = xcalloc(1, sizeof(*runtime));

    runtime->loop = options->loop;
    runtime->events = options->events;
    runtime->farm = options->farm;
    runtime->in_network = options->docker->in_network;
    runtime->opened_ns = clock_realtime_us() * (NS_PER_SECOND / US_PER_SECOND);
    LIST_INIT(&runtime->kept);
    LIST_INIT(&runtime->runs);
    snprintf(runtime->instance, sizeof(runtime->instance), "%s", options->instance);
    int code = make_ready(runtime, options, err);
    if (code < 0) {
        if (LIST_EMPTY(&runtime->kept))
            network_remove(runtime);
        forget_kept(runtime);
        free(runtime);
        return code;
    }
    runtime->engine = engine_new(runtime->loop, &runtime->address);
    runtime->feed = engine_feed_new(runtime);
    docker_tick_begin(runtime);
    *result = runtime;
    return 0;
}

/* Runs that are left have an owner that is gone: farmd hands over, or has given up. */
static void on_tick_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* What an earlier farmd has left is not this one's to remove before the sweep: it may have to go on. */
static void close_runtime(struct runtime *runtime)
{
    struct runtime_process *run;

    if (!runtime)
        return;
    bool all_ended = LIST_EMPTY(&runtime->runs) && runtime->swept;
    engine_feed_free(runtime->feed);
    engine_free(runtime->engine);
    while ((run = LIST_FIRST(&runtime->runs))) {
        LIST_REMOVE(run, link);
        docker_run_free(run);
    }
    if (all_ended && !*runtime->project.name) /* else it is for docker compose down */
        kept_remove_all(runtime);
    else if (LIST_EMPTY(&runtime->kept))
        network_remove(runtime);
    forget_kept(runtime);
    uv_close((uv_handle_t *)&runtime->tick, on_tick_closed);
}

int docker_available(const struct runtime *runtime, struct error *err)
{
    if (engine_feed_is_live(runtime->feed))
        return 0;
    return error_set(err, ENOTCONN,
                     "the Docker Engine at %s does not answer; what runs may go on, and farmd goes on when it is back",
                     runtime->address.socket);
}

static const char *enforcement(const struct runtime *runtime)
{
    return runtime->enforcement.kind;
}

static struct runtime_enforced enforced(const struct runtime *runtime)
{
    return runtime->enforcement.enforced;
}

static const char *warning(const struct runtime *runtime)
{
    return *runtime->enforcement.warning ? runtime->enforcement.warning : NULL;
}

/* Labels find them again. */
static size_t places(const struct runtime *runtime, const char *list[RUNTIME_MAX_PLACES])
{
    (void)runtime;
    (void)list;
    return 0;
}

static bool ending(const struct runtime *runtime)
{
    const struct runtime_process *run;

    LIST_FOREACH(run, &runtime->runs, link)
    {
        if (run->state == RUN_ENDING || run->state == RUN_READING)
            return true;
    }
    return false;
}

static pid_t pid(const struct runtime_process *run)
{
    return run->pid;
}

void docker_address(const struct runtime_process *run, struct sockaddr_in *address)
{
    if (!run->runtime->in_network || run->address.s_addr == 0)
        return;
    address->sin_addr = run->address;
    address->sin_port = htons(CONTAINER_PORT);
}

static uint64_t start_time(const struct runtime_process *run)
{
    return run->state == RUN_RUNNING ? (uint64_t)(run->started_ns / (NS_PER_SECOND / 100)) : 0;
}

static const struct counters *counters(const struct runtime_process *run)
{
    return run->counters;
}

static int64_t counters_at_ns(const struct runtime_process *run)
{
    return run->counters_at_ns;
}

const struct runtime_ops runtime_docker_ops = {
    .kind = "docker",
    .begins_later = true,
    .open = open_runtime,
    .close = close_runtime,
    .enforcement = enforcement,
    .enforced = enforced,
    .warning = warning,
    .adopt = docker_adopt,
    .sweep = docker_sweep,
    .places = places,
    .start = docker_start,
    .available = docker_available,
    .forget = docker_forget,
    .port_holder = docker_port_holder,
    .port_holder_known = docker_port_holder_known,
    .ending = ending,
    .pid = pid,
    .address = docker_address,
    .signal = docker_signal,
    .kill = docker_kill,
    .pause = docker_pause,
    .resume = docker_resume,
    .set_limits = docker_set_limits,
    .limits_in_force = docker_limits_in_force,
    .sample = docker_sample,
    .pressure = docker_pressure,
    .counters = counters,
    .counters_at_ns = counters_at_ns,
    .start_time = start_time,
};
