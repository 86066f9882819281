/*
 * The farm: made from settings and a runtime, started in batches, stopped all at once. What changes it later is in
 * farm_change.c and farm_batch.c; how it is made and taken apart, in farm_setup.c.
 */
#include "supervisor/farm/farm.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/log_keeper.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/selector.h"
#include "supervisor/farm/server_private.h"
#include "supervisor/farm/statefile.h"

#include <stdlib.h>
#include <string.h>

#define START_WRITE_MS                                                                                                 \
    100 /* what a start changes is written down when it is over, and meanwhile first after this time */
#define STARTS_PER_TURN 8 /* of the loop; ready messages and requests get their turn between them */

/* --- servers --- */

static size_t lower_bound(const struct farm *farm, int id)
{
    size_t low = 0, high = farm->server_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (farm->servers[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct server *farm_server(const struct farm *farm, int id)
{
    /* Most farms count from 1 without a gap. */
    if (id >= 1 && (size_t)id <= farm->server_count && farm->servers[id - 1]->id == id)
        return farm->servers[id - 1];
    size_t i = lower_bound(farm, id);
    return i < farm->server_count && farm->servers[i]->id == id ? farm->servers[i] : NULL;
}

struct server *farm_add_server(struct farm *farm, const struct group_settings *group, uint16_t port)
{
    int id = farm->server_count ? farm->servers[farm->server_count - 1]->id + 1 : 1;
    return farm_add_server_as(farm, id, group, port);
}

struct server *farm_add_server_as(struct farm *farm, int id, const struct group_settings *group, uint16_t port)
{
    if (farm->server_count == farm->server_capacity) {
        farm->server_capacity = farm->server_capacity ? farm->server_capacity * 2 : 64;
        farm->servers = xrealloc(farm->servers, farm->server_capacity * sizeof(struct server *));
    }
    struct server *server = server_new(farm, id, port, group);
    farm->servers[farm->server_count++] = server;
    log_keeper_servers_changed(farm->log_keeper);
    return server;
}

void farm_remove_server(struct farm *farm, struct server *server)
{
    size_t i = lower_bound(farm, server->id);
    memmove(&farm->servers[i], &farm->servers[i + 1], (farm->server_count - i - 1) * sizeof(struct server *));
    farm->server_count--;
    log_keeper_servers_changed(farm->log_keeper);
    if (farm->ops->forget)
        farm->ops->forget(farm->runtime, server->id);
    server_free(server);
}

void farm_server_changed(struct farm *farm, struct server *server)
{
    (void)server;
    statefile_touch(farm->statefile);
}

int farm_available(const struct farm *farm, struct error *err)
{
    return farm->ops->available ? farm->ops->available(farm->runtime, err) : 0;
}

void farm_trouble(struct farm *farm, enum trouble trouble, const struct error *err)
{
    if (err)
        trouble_struck(farm->troubles, trouble, err);
    else
        trouble_passed(farm->troubles, trouble);
}

bool farm_has_trouble(const struct farm *farm, enum trouble trouble)
{
    return trouble_is_on(farm->troubles, trouble);
}

/* --- starting --- */

static void start_next_batch(uv_idle_t *idle);
static void check_stopped(struct farm *farm);

void farm_queue_start(struct farm *farm, struct server *server)
{
    if (server->own->in_start_queue)
        return;
    server->own->in_start_queue = true;
    server->own->next_to_start = NULL;
    if (farm->start_last)
        farm->start_last->own->next_to_start = server;
    else
        farm->start_first = server;
    farm->start_last = server_ref(server);
    farm->start_count++;
    if (!farm->sweeping)
        uv_idle_start(&farm->starter, start_next_batch);
}

struct server *farm_take_queued(struct farm *farm)
{
    struct server *server = farm->start_first;
    if (!server)
        return NULL;
    farm->start_first = server->own->next_to_start;
    if (!farm->start_first)
        farm->start_last = NULL;
    farm->start_count--;
    server->own->in_start_queue = false;
    return server;
}

/* What fails and is to be tried again at once joins the queue behind the batch, so it is tried in the next turn. */
static void start_next_batch(uv_idle_t *idle)
{
    struct farm *farm = idle->data;
    size_t count = farm->start_count < STARTS_PER_TURN ? farm->start_count : STARTS_PER_TURN;
    while (count-- > 0) {
        struct server *server = farm_take_queued(farm);
        server_event(server, EVENT_TURN);
        server_unref(server);
    }
    if (farm->start_count == 0)
        uv_idle_stop(&farm->starter);
}

void farm_swept(struct farm *farm)
{
    farm->sweeping = false;
    if (farm->start_count > 0)
        uv_idle_start(&farm->starter, start_next_batch);
    statefile_release(farm->statefile, farm->start_count > 0 ? START_WRITE_MS : 0);
    if (farm->stopping)
        check_stopped(farm);
}

void farm_note_progress(struct farm *farm, unsigned settled, unsigned ready)
{
    struct farm_progress *progress = &farm->progress;
    progress->settled += settled;
    progress->ready += ready;
    progress->elapsed_ms = clock_monotonic_ms() - farm->start_began_ms;
    if (progress->settled == progress->total)
        statefile_hurry(farm->statefile);
    if (progress->settled == progress->total && !farm->stopping)
        events_add(farm->events, REASON_FARM_READY, 0, "%u of %u servers are ready after %lld ms", progress->ready,
                   progress->total, (long long)progress->elapsed_ms);
    if (farm->on_progress)
        farm->on_progress(progress, farm->progress_data);
}

static void on_first_start(struct server *server, const struct error *err, void *data)
{
    (void)server;
    farm_note_progress(data, 1, err == NULL);
}

void farm_start_server(struct farm *farm, struct server *server)
{
    farm->progress.total++;
    server_act(server, SERVER_ACTION_START, on_first_start, farm);
}

void farm_start(struct farm *farm, void (*on_progress)(const struct farm_progress *progress, void *data), void *data)
{
    farm->on_progress = on_progress;
    farm->progress_data = data;
    farm->start_began_ms = clock_monotonic_ms();
    farm->started = true;
    events_add(farm->events, REASON_FARM_STARTED, 0, "the farm starts with %u servers",
               settings_total_servers(farm->settings));
    farm_adopt(farm);
}

/* --- stopping --- */

static void on_farewell(uv_timer_t *timer)
{
    struct farm *farm = timer->data;
    if (farm->on_stopped)
        farm->on_stopped(farm->stopped_data);
}

static void check_stopped(struct farm *farm)
{
    if (farm->stops_pending == 0 && !farm->sweeping)
        uv_timer_start(&farm->farewell, on_farewell, 0, 0);
}

static void on_server_stopped(struct server *server, const struct error *err, void *data)
{
    (void)server;
    (void)err;
    struct farm *farm = data;
    farm->stops_pending--;
    check_stopped(farm);
}

static void force(struct farm *farm)
{
    for (size_t i = 0; i < farm->server_count; i++)
        server_act(farm->servers[i], SERVER_ACTION_KILL, NULL, NULL);
}

/* A stop may take a server out of the list at once (one that was leaving anyway), so the list is copied. */
static void stop_all(struct farm *farm)
{
    size_t count = farm->server_count;
    struct server **servers = xcalloc(count, sizeof(struct server *));
    for (size_t i = 0; i < count; i++)
        servers[i] = server_ref(farm->servers[i]);
    farm->stops_pending = (unsigned)count + 1;
    for (size_t i = 0; i < count; i++) {
        server_act(servers[i], SERVER_ACTION_STOP, on_server_stopped, farm);
        server_unref(servers[i]);
    }
    free(servers);
    farm->stops_pending--;
    check_stopped(farm);
}

void farm_stop(struct farm *farm, void (*on_stopped)(void *data), void *data)
{
    farm->on_stopped = on_stopped;
    farm->stopped_data = data;
    if (farm->stopping) {
        force(farm);
        return;
    }
    farm->stopping = true;
    statefile_touch(farm->statefile);
    events_add(farm->events, REASON_FARM_STOPPING, 0, "the farm is stopped");
    stop_all(farm);
}

bool farm_is_stopping(const struct farm *farm)
{
    return farm->stopping;
}

/* --- reading --- */

uv_loop_t *farm_loop(const struct farm *farm)
{
    return farm->loop;
}

const struct settings *farm_settings(const struct farm *farm)
{
    return farm->settings;
}

struct events *farm_events(const struct farm *farm)
{
    return farm->events;
}

const struct runtime_ops *farm_runtime_ops(const struct farm *farm)
{
    return farm->ops;
}

struct runtime *farm_runtime(const struct farm *farm)
{
    return farm->runtime;
}

const char *farm_enforcement(const struct farm *farm)
{
    return farm->ops->enforcement(farm->runtime);
}

struct runtime_enforced farm_enforced(const struct farm *farm)
{
    return farm->ops->enforced(farm->runtime);
}

const char *farm_enforcement_warning(const struct farm *farm)
{
    return farm->ops->warning(farm->runtime);
}

int64_t farm_started_at_us(const struct farm *farm)
{
    return farm->started_at_us;
}

const struct farm_paths *farm_paths(const struct farm *farm)
{
    return &farm->paths;
}

bool farm_is_changing(const struct farm *farm)
{
    bool changing = farm->change || farm->rolling || farm->sweeping || farm->ops->ending(farm->runtime);
    for (size_t i = 0; i < farm->server_count && !changing; i++)
        changing = farm->servers[i]->lifecycle.state == SERVER_STOPPING;
    return changing;
}

size_t farm_server_count(const struct farm *farm)
{
    return farm->server_count;
}

struct server *farm_server_at(const struct farm *farm, size_t index)
{
    return index < farm->server_count ? farm->servers[index] : NULL;
}

int farm_select(const struct farm *farm, const char *text, int *ids, bool *is_filter, struct error *err)
{
    struct selector *selector;
    int code = selector_parse(text, &selector, err);
    if (code < 0)
        return code;
    code = selector_choose(selector, farm->servers, farm->server_count, ids, err);
    if (code >= 0 && is_filter)
        *is_filter = selector_is_filter(selector);
    selector_free(selector);
    return code;
}

static void count_health(struct farm_totals *totals, enum server_health health)
{
    switch (health) {
    case HEALTH_HEALTHY:
        totals->healthy++;
        break;
    case HEALTH_DEGRADED:
        totals->degraded++;
        break;
    case HEALTH_UNHEALTHY:
        totals->unhealthy++;
        break;
    case HEALTH_UNKNOWN:
        break;
    }
}

static void add_limits_in_force(struct farm_totals *totals, const struct server *server)
{
    struct runtime_limits_in_force limits = {0};

    if (server->process)
        server->farm->ops->limits_in_force(server->process, &limits);
    totals->cpu_limit += limits.cpu;
    totals->memory_limit += limits.memory;
}

void farm_totals(const struct farm *farm, struct farm_totals *totals)
{
    *totals = (struct farm_totals){.p99_us = sampler_p99_us(farm->sampler)};
    for (size_t i = 0; i < farm->server_count; i++) {
        const struct server *server = farm->servers[i];
        totals->by_state[server->lifecycle.state]++;
        add_limits_in_force(totals, server);
        totals->cpu_cores += server->stats.cpu_cores;
        totals->memory += server->stats.memory;
        totals->requests_per_second += server->stats.requests_per_second;
        totals->errors_per_second += server->stats.errors_per_second;
        if (server_is_live(server))
            count_health(totals, server->health);
    }
}
