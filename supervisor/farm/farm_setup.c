/*
 * Making a farm and taking it apart: lock, leftovers of an earlier run, runtime, servers, loop handles.
 * Everything that can fail comes before the first handle, so that a failure needs no turn of the loop.
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/lock.h"
#include "supervisor/farm/log_keeper.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/server_private.h"
#include "supervisor/farm/statefile.h"

#include <stdlib.h>
#include <unistd.h>

static int open_runtime(struct farm *farm, struct error *err)
{
    struct runtime_options options = {
        .loop = farm->loop,
        .instance = farm->paths.instance,
        .runtime_dir = farm->paths.runtime_dir,
        .enforce = farm->settings->enforce,
        .docker = &farm->settings->docker,
        .servers = settings_total_servers(farm->settings),
        .places = farm->earlier ? farm->earlier->places : NULL,
        .place_count = farm->earlier ? farm->earlier->place_count : 0,
        .events = server_runtime_events,
        .farm = farm,
    };
    return farm->ops->open(&farm->runtime, &options, err);
}

static void report_state(const struct error *err, void *data)
{
    farm_trouble(data, TROUBLE_STATE, err);
}

static void flush_events(uv_prepare_t *prepare)
{
    struct farm *farm = prepare->data;
    events_flush(farm->events);
}

static void init_handles(struct farm *farm)
{
    uv_prepare_init(farm->loop, &farm->flusher);
    uv_idle_init(farm->loop, &farm->starter);
    uv_timer_init(farm->loop, &farm->farewell);
    farm->open_handles = 3 + 1; /* and the state file */
    farm->flusher.data = farm->starter.data = farm->farewell.data = farm;
    uv_prepare_start(&farm->flusher, flush_events);
    uv_unref((uv_handle_t *)&farm->flusher);
}

static void free_memory(struct farm *farm)
{
    events_free(farm->events);
    state_free(farm->earlier);
    settings_free(farm->settings);
    free(farm->servers);
    farm_paths_done(&farm->paths);
    free(farm);
}

/* Those of what runs, unless something is in them: another farm's files, or what servers go on with. */
static void remove_directories(const struct farm *farm)
{
    rmdir(farm->paths.runtime_dir);
    rmdir(farm->settings->runtime_dir);
}

/* Locked until the last write of the state file is over. */
static void one_closed(struct farm *farm)
{
    if (--farm->open_handles > 0)
        return;
    lock_release(farm->paths.lock, farm->lock_fd);
    free_memory(farm);
}

static void on_statefile_closed(void *farm)
{
    one_closed(farm);
}

static const struct statefile_calls statefile_calls = {
    .compose = farm_compose_state, .report = report_state, .closed = on_statefile_closed};

int farm_new(uv_loop_t *loop, struct settings *settings, const struct runtime_ops *ops, int lock_fd, struct farm **farm,
             struct error *err)
{
    struct farm *made = xcalloc(1, sizeof(*made));
    made->loop = loop;
    made->settings = settings;
    made->ops = ops;
    made->lock_fd = -1;
    made->started_at_us = clock_realtime_us();

    int code = farm_paths_make(&made->paths, settings, err);
    if (code == 0)
        code = made->lock_fd =
            lock_fd >= 0 ? lock_inherit(made->paths.lock, lock_fd, err) : lock_take(made->paths.lock, err);
    if (code >= 0) {
        made->events = events_new();
        farm_load_state(made);
        code = open_runtime(made, err);
    }
    if (code < 0) {
        if (made->lock_fd >= 0) { /* else they may be another farmd's */
            remove_directories(made);
            lock_release(made->paths.lock, made->lock_fd);
        }
        made->settings = NULL; /* still the caller's */
        free_memory(made);
        return code;
    }

    made->troubles = troubles_new(loop, made->events);
    init_handles(made);
    made->statefile = statefile_new(loop, made->paths.state, &statefile_calls, made);
    made->log_keeper = log_keeper_new(made);
    made->sampler = sampler_new(made);
    farm_add_servers(made);
    *farm = made;
    return 0;
}

/* --- handing it over --- */

int farm_hand_over(struct farm *farm, int *lock_fd, struct error *err)
{
    int code = statefile_save(farm->statefile, err);
    if (code == 0)
        *lock_fd = farm->lock_fd;
    return code;
}

/* --- taking it apart --- */

static void on_handle_closed(uv_handle_t *handle)
{
    one_closed(handle->data);
}

static void drop_start_queue(struct farm *farm)
{
    struct server *server;
    while ((server = farm_take_queued(farm)) != NULL)
        server_unref(server);
}

void farm_free(struct farm *farm)
{
    if (!farm)
        return;
    drop_start_queue(farm);
    sampler_free(farm->sampler);
    log_keeper_free(farm->log_keeper);
    for (size_t i = 0; i < farm->server_count; i++)
        server_free(farm->servers[i]);
    farm->server_count = 0;
    events_flush(farm->events);
    farm->ops->close(farm->runtime);
    statefile_close(farm->statefile, !farm->started);
    troubles_free(farm->troubles);
    remove_directories(farm);

    uv_close((uv_handle_t *)&farm->flusher, on_handle_closed);
    uv_close((uv_handle_t *)&farm->starter, on_handle_closed);
    uv_close((uv_handle_t *)&farm->farewell, on_handle_closed);
}
