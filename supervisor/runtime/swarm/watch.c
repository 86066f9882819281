/*
 * What Swarm has: nodes and the tasks that it wants to run, listed every second, and at once when the Engine tells that
 * something happened. It tells of its own containers, of nodes and of services, but of no task, so the listing is what
 * counts and the events only hasten it. The more there is to list, the rarer it is listed.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALM_MS 1000
#define BUSY_MS 250 /* while tasks come and go */
#define SOON_MS 50
#define SHARE 20 /* of the time at most one part in so many goes into reading listings */
#define RETRY_MS 1000
#define GIVE_UP_MS 5000 /* without an answer: then nobody waits any longer for what was to be killed */

#define NO_LIST "it answers with no list"

#define LIST_NODES "/nodes"
#define LABEL_FILTER "%%22label%%22%%3A%%5B%%22" SERVICE_LABEL_INSTANCE "%%3D%s%%22%%5D"
#define LIST_SERVICES "/services?filters=%%7B" LABEL_FILTER "%%7D"
#define LIST_TASKS                                                                                                     \
    "/tasks?filters=%%7B" LABEL_FILTER                                                                                 \
    "%%2C%%22desired-state%%22%%3A%%5B%%22accepted%%22%%2C%%22ready%%22%%2C%%22running%%22%%5D%%7D"
#define EVENTS                                                                                                         \
    "/events?filters=%7B%22type%22%3A%5B%22container%22%2C%22node%22%2C%22service%22%5D%2C%22event%22%3A%5B%22die%22"  \
    "%2C%22start%22%2C%22create%22%2C%22update%22%2C%22remove%22%5D%7D"

struct swarm_watch {
    struct runtime *runtime;
    uv_timer_t timer;
    struct engine_stream *events;
    bool listing, again, live;
    int64_t lost_ms;  /* monotonic: when it ceased to be live */
    int64_t least_ms; /* from one listing to the next */
};

/* --- taking what was listed --- */

static void take_nodes(struct runtime *runtime, const cJSON *list)
{
    int count = cJSON_GetArraySize(list);
    struct node_state *nodes = xcalloc((size_t)count + 1, sizeof(*nodes));
    size_t taken = 0;
    const cJSON *entry;

    cJSON_ArrayForEach(entry, list)
    {
        if (node_parse(entry, &nodes[taken], NULL) == 0)
            taken++;
    }
    free(runtime->nodes);
    runtime->nodes = nodes;
    runtime->node_count = taken;
}

/* Of two that are wanted, one is on its way out: the younger one counts. */
static void take_task(struct runtime *runtime, const cJSON *entry)
{
    struct task_state task;
    struct swarm_service *service;

    if (task_parse(entry, &task, NULL) < 0 || !task_is_wanted(&task))
        return;
    service = swarm_service_by_id(runtime, task.service);
    if (service && task_is_newer(&task, &service->live))
        service->live = task;
}

static void take_tasks(struct runtime *runtime, const cJSON *list)
{
    struct swarm_service *service;
    const cJSON *entry;

    LIST_FOREACH(service, &runtime->services, link)
    {
        service->live = (struct task_state){0};
    }
    cJSON_ArrayForEach(entry, list) take_task(runtime, entry);
}

static void take_services(struct runtime *runtime, const cJSON *list)
{
    struct service_state state;
    const cJSON *entry;

    cJSON_ArrayForEach(entry, list)
    {
        if (service_parse(entry, &state, NULL) < 0 || state.server == 0)
            continue;
        struct swarm_service *service = swarm_service_new(runtime, state.server, cJSON_Duplicate(state.spec, true));
        snprintf(service->id, sizeof(service->id), "%s", state.id);
    }
}

/* --- before the loop runs --- */

static int list(struct runtime *runtime, const char *path, void (*take)(struct runtime *runtime, const cJSON *list),
                struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = path, .timeout_ms = SWARM_TIMEOUT_MS};
    cJSON *json = NULL;
    int code = engine_ask(&runtime->address, &call, &json, err);

    if (code == 0 && !cJSON_IsArray(json))
        code = error_set(err, EPROTO, "%s", NO_LIST);
    if (code == 0)
        take(runtime, json);
    cJSON_Delete(json);
    return code;
}

int swarm_look(struct runtime *runtime, struct error *err)
{
    cleanup_free char *services = xasprintf(LIST_SERVICES, runtime->instance);
    cleanup_free char *tasks = xasprintf(LIST_TASKS, runtime->instance);
    int code = list(runtime, services, take_services, err);

    if (code == 0)
        code = list(runtime, LIST_NODES, take_nodes, err);
    if (code == 0)
        code = list(runtime, tasks, take_tasks, err);
    return code;
}

/* --- listing --- */

static void on_timer(uv_timer_t *timer);

static bool is_busy(const struct runtime *runtime)
{
    const struct runtime_process *run;

    LIST_FOREACH(run, &runtime->runs, link)
    {
        if (run->state != RUN_RUNNING)
            return true;
    }
    return false;
}

static void list_later(struct swarm_watch *watch, int64_t wait_ms)
{
    if (wait_ms < watch->least_ms)
        wait_ms = watch->least_ms;
    watch->again = false;
    uv_timer_start(&watch->timer, on_timer, (uint64_t)wait_ms, 0);
}

static void tell_runs(struct runtime *runtime)
{
    struct runtime_process *run, *next;

    for (run = LIST_FIRST(&runtime->runs); run; run = next) {
        next = LIST_NEXT(run, link); /* one that ends may begin anew, at the head */
        swarm_run_listed(run);
    }
}

static void tell_services(struct runtime *runtime)
{
    struct swarm_service *service, *next;

    for (service = LIST_FIRST(&runtime->services); service; service = next) {
        next = LIST_NEXT(service, link);
        swarm_submit_listed(service);
        swarm_rest_listed(service);
    }
}

/* Swarm will end them when it is told, which is tried on. */
static void give_up(struct runtime *runtime)
{
    const struct runtime_exit exit = {.kind = RUNTIME_EXIT_UNKNOWN, .unavailable = true};
    struct runtime_process *run, *next;

    for (run = LIST_FIRST(&runtime->runs); run; run = next) {
        next = LIST_NEXT(run, link);
        if (run->stopping && run->killed && !run->asking)
            swarm_end_tell(run, &exit);
    }
}

static void lost(struct swarm_watch *watch, const char *why)
{
    if (watch->live) {
        watch->lost_ms = clock_monotonic_ms();
        log_warning("Swarm cannot be asked at %s (%s); its servers go on, farmd keeps trying",
                    watch->runtime->address.socket, why);
    }
    watch->live = false;
    list_later(watch, RETRY_MS);
    if (clock_monotonic_ms() - watch->lost_ms >= GIVE_UP_MS)
        give_up(watch->runtime);
}

static void open_events(struct swarm_watch *watch);

/* Half a list would end the servers of the other half: none is taken but a whole one. */
static bool take_list(struct swarm_watch *watch, const struct engine_answer *answer,
                      void (*take)(struct runtime *runtime, const cJSON *list))
{
    bool is_list = answer->code == 0 && cJSON_IsArray(answer->json);

    if (is_list) {
        take(watch->runtime, answer->json);
        return true;
    }
    watch->listing = false;
    lost(watch, answer->code < 0 ? answer->message : NO_LIST);
    return false;
}

static void list_now(struct swarm_watch *watch, const char *path,
                     void (*done)(void *data, const struct engine_answer *answer))
{
    const struct engine_call call = {
        .method = "GET", .path = path, .timeout_ms = SWARM_TIMEOUT_MS, .done = done, .data = watch};
    engine_send(watch->runtime->engine, &call);
}

static void on_tasks(void *data, const struct engine_answer *answer)
{
    struct swarm_watch *watch = data;
    int64_t began_ns = clock_monotonic_ns();

    if (!take_list(watch, answer, take_tasks))
        return;
    bool was_away = !watch->live;
    watch->listing = false;
    watch->live = true;
    if (!watch->events)
        open_events(watch);
    tell_runs(watch->runtime);
    tell_services(watch->runtime);
    if (was_away) {
        log_info("Swarm answers again at %s", watch->runtime->address.socket);
        watch->runtime->events.on_available(watch->runtime->farm);
    }
    watch->least_ms = (clock_monotonic_ns() - began_ns) / NS_PER_MS * SHARE;
    list_later(watch, watch->again ? SOON_MS : is_busy(watch->runtime) ? BUSY_MS : CALM_MS);
}

static void on_nodes(void *data, const struct engine_answer *answer)
{
    struct swarm_watch *watch = data;
    cleanup_free char *path = xasprintf(LIST_TASKS, watch->runtime->instance);

    if (take_list(watch, answer, take_nodes))
        list_now(watch, path, on_tasks);
}

static void on_timer(uv_timer_t *timer)
{
    struct swarm_watch *watch = timer->data;

    watch->listing = true;
    list_now(watch, LIST_NODES, on_nodes);
}

void swarm_watch_soon(struct swarm_watch *watch)
{
    watch->again = true;
    if (!watch->listing && watch->live)
        list_later(watch, SOON_MS);
}

/* --- events --- */

static void on_piece(void *data, const char *piece, size_t length)
{
    struct swarm_watch *watch = data;

    (void)piece;
    (void)length;
    if (!watch->again)
        swarm_watch_soon(watch);
}

static void on_end(void *data, int status, const char *why)
{
    struct swarm_watch *watch = data;

    (void)status;
    (void)why;
    engine_stream_free(steal(&watch->events)); /* opened again with the next listing that is answered */
}

static void open_events(struct swarm_watch *watch)
{
    static const struct engine_stream_calls calls = {on_piece, on_end};

    watch->events = engine_stream_open(watch->runtime->loop, &watch->runtime->address, EVENTS, &calls, watch);
}

struct swarm_watch *swarm_watch_new(struct runtime *runtime)
{
    struct swarm_watch *watch = xcalloc(1, sizeof(*watch));

    watch->runtime = runtime;
    watch->live = true; /* it has just been spoken with */
    uv_timer_init(runtime->loop, &watch->timer);
    uv_unref((uv_handle_t *)&watch->timer);
    watch->timer.data = watch;
    open_events(watch);
    list_later(watch, SOON_MS);
    return watch;
}

bool swarm_watch_is_live(const struct swarm_watch *watch)
{
    return watch->live;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void swarm_watch_free(struct swarm_watch *watch)
{
    if (!watch)
        return;
    engine_stream_free(steal(&watch->events));
    uv_close((uv_handle_t *)&watch->timer, on_closed);
}
