/*
 * Making a farm and taking it apart: directories, lock, leftovers of an earlier run, runtime, servers, loop handles.
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

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_STATE_DIR "/var/lib/farmd"

static int make_directory(const char *path, const char *flag, struct error *err)
{
    cleanup_free char *partial = xstrdup(path);
    for (char *slash = partial;;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(partial, 0755) < 0 && errno != EEXIST) {
            int code = errno;
            struct stat st;
            if (code != EROFS || stat(partial, &st) < 0) /* an existing one on a read-only parent is fine */
                return error_set_errno(err, code, "making the directory %s (another one can be given with %s)", partial,
                                       flag);
        }
        if (!slash)
            break;
        *slash = '/';
    }
    if (access(path, W_OK | X_OK) < 0)
        return error_set_errno(err, errno, "writing to the directory %s (another one can be given with %s)", path,
                               flag);
    return 0;
}

static void default_state_dir(char out[PATH_MAX])
{
    const char *state_home = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (geteuid() == 0)
        snprintf(out, PATH_MAX, ROOT_STATE_DIR);
    else if (state_home && state_home[0] == '/')
        snprintf(out, PATH_MAX, "%s/farmd", state_home);
    else
        snprintf(out, PATH_MAX, "%s/.local/state/farmd", home ? home : "");
}

/* Farms with state directories of their own can run side by side; each knows its cgroups and files by this name. */
static char *instance_name(const char *state_dir)
{
    char wanted[PATH_MAX], real[PATH_MAX], real_default[PATH_MAX];
    default_state_dir(wanted);
    if (!realpath(state_dir, real))
        snprintf(real, sizeof(real), "%s", state_dir);
    if (realpath(wanted, real_default) && strcmp(real, real_default) == 0)
        return xstrdup("farmd");
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *p = real; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return xasprintf("farmd-%08x", hash);
}

static int make_directories(struct farm *farm, const char *instance, struct error *err)
{
    const struct settings *settings = farm->settings;
    cleanup_free char *logs = xasprintf("%s/logs", settings->state_dir);
    farm->runtime_dir = xasprintf("%s/%s", settings->runtime_dir, instance);
    farm->state_path = xasprintf("%s/state", settings->state_dir);
    farm->lock_path = xasprintf("%s/lock", settings->state_dir);
    int code = make_directory(logs, "--state-dir", err);
    return code < 0 ? code : make_directory(farm->runtime_dir, "--runtime-dir", err);
}

static int open_runtime(struct farm *farm, const char *instance, struct error *err)
{
    struct runtime_leftover *leftovers = NULL;
    size_t count = 0;
    struct error why;
    if (statefile_load(farm->state_path, &leftovers, &count, &why) < 0)
        log_warning("%s", why.message);
    struct runtime_options options = {
        .loop = farm->loop,
        .instance = instance,
        .runtime_dir = farm->runtime_dir,
        .enforce = farm->settings->enforce,
        .servers = settings_total_servers(farm->settings),
        .leftovers = leftovers,
        .leftover_count = count,
        .events = server_runtime_events,
    };
    int code = farm->ops->open(&farm->runtime, &options, err);
    free(leftovers);
    return code;
}

static void compose_state(struct buffer *out, void *data)
{
    struct farm *farm = data;
    for (size_t i = 0; i < farm->server_count; i++) {
        const struct server *server = farm->servers[i];
        if (server->process)
            statefile_add(out, server->id, farm->ops->pid(server->process), farm->ops->start_time(server->process));
    }
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
    farm->open_handles = 3;
    farm->flusher.data = farm->starter.data = farm->farewell.data = farm;
    uv_prepare_start(&farm->flusher, flush_events);
    uv_unref((uv_handle_t *)&farm->flusher);
}

static void add_all_servers(struct farm *farm)
{
    for (size_t g = 0; g < farm->settings->group_count; g++) {
        const struct group_settings *group = &farm->settings->groups[g];
        for (unsigned i = 0; i < group->count; i++)
            farm_add_server(farm, group, (uint16_t)(group->base_port + i));
    }
}

static void free_memory(struct farm *farm)
{
    events_free(farm->events);
    settings_free(farm->settings);
    free(farm->servers);
    free(farm->runtime_dir);
    free(farm->state_path);
    free(farm->lock_path);
    free(farm);
}

int farm_new(uv_loop_t *loop, struct settings *settings, const struct runtime_ops *ops, struct farm **farm,
             struct error *err)
{
    struct farm *made = xcalloc(1, sizeof(*made));
    made->loop = loop;
    made->settings = settings;
    made->ops = ops;
    made->lock_fd = -1;
    made->started_at_us = clock_realtime_us();

    cleanup_free char *instance = NULL;
    int code = make_directory(settings->state_dir, "--state-dir", err);
    if (code == 0) {
        instance = instance_name(settings->state_dir);
        code = make_directories(made, instance, err);
    }
    if (code == 0)
        code = made->lock_fd = lock_take(made->lock_path, err);
    if (code >= 0)
        code = open_runtime(made, instance, err);
    if (code < 0) {
        if (made->lock_fd >= 0)
            lock_release(made->lock_path, made->lock_fd);
        made->settings = NULL; /* still the caller's */
        free_memory(made);
        return code;
    }

    made->events = events_new();
    init_handles(made);
    made->statefile = statefile_new(loop, made->state_path, compose_state, made);
    made->log_keeper = log_keeper_new(made);
    made->sampler = sampler_new(made);
    add_all_servers(made);
    *farm = made;
    return 0;
}

/* --- taking it apart --- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct farm *farm = handle->data;
    if (--farm->open_handles == 0)
        free_memory(farm);
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
    statefile_free(farm->statefile);
    rmdir(farm->runtime_dir);
    rmdir(farm->settings->runtime_dir); /* unless another farm has files there */
    lock_release(farm->lock_path, farm->lock_fd);

    uv_close((uv_handle_t *)&farm->flusher, on_handle_closed);
    uv_close((uv_handle_t *)&farm->starter, on_handle_closed);
    uv_close((uv_handle_t *)&farm->farewell, on_handle_closed);
}
