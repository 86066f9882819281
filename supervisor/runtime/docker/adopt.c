/*
 * Runs that an earlier farmd began: their containers have gone on meanwhile.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What it wrote since the log was last written to. */
int64_t docker_log_end_ns(const struct runtime_process *run)
{
    struct stat status;

    if (stat(run->log_path, &status) < 0)
        return run->started_ns;
    int64_t at_ns = (int64_t)status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec + 1;
    return at_ns > run->started_ns ? at_ns : run->started_ns;
}

uint64_t docker_start_time(const struct container_state *state)
{
    return (uint64_t)(engine_time_ns(state->started_at) / (NS_PER_SECOND / 100));
}

static struct kept_container *find_by_name(struct runtime *runtime, const char *name)
{
    struct kept_container *kept;

    LIST_FOREACH(kept, &runtime->kept, link)
    {
        if (strcmp(kept->state.name, name) == 0)
            return kept;
    }
    return NULL;
}

/* A farmd that ends one notes so before, and that one is not asked about here. */
static bool was_ended_by_hand(const struct runtime *runtime, const struct container_state *state)
{
    int64_t since_ns = engine_time_ns(state->started_at), now_us = clock_realtime_us();
    cleanup_free char *path =
        xasprintf("/events?since=%lld.%09lld&until=%lld.%06lld&filters=%%7B%%22event%%22%%3A%%5B%%22"
                  "kill%%22%%5D%%2C%%22container%%22%%3A%%5B%%22%s%%22%%5D%%7D",
                  (long long)(since_ns / NS_PER_SECOND), (long long)(since_ns % NS_PER_SECOND),
                  (long long)(now_us / US_PER_SECOND), (long long)(now_us % US_PER_SECOND), state->id);
    const struct engine_call call = {.method = "GET", .path = path};
    const cJSON *event;
    cJSON *events = NULL;
    struct error err;

    if (engine_ask(&runtime->address, &call, &events, &err) < 0)
        return false; /* nobody can tell any more */
    bool ended = docker_signal_ends(docker_event_signal(events));
    cJSON_ArrayForEach(event, events) ended = ended || docker_signal_ends(docker_event_signal(event));
    cJSON_Delete(events);
    return ended;
}

/* How the run that the earlier farmd has noted ended since then. */
static void note_end(struct runtime *runtime, struct kept_container *kept, struct runtime_adopted *adopted)
{
    adopted->exit_known = true;
    container_exit(&kept->state, &adopted->exit);
    kept->by_hand = !kept->state.oom_killed && was_ended_by_hand(runtime, &kept->state);
    adopted->exit.by_hand = kept->by_hand;
}

int docker_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                 struct runtime_adopted *adopted, struct runtime_process **process, struct error *err)
{
    const struct runtime_leftover *leftover = &adoption->leftover;
    struct kept_container *kept = find_by_name(runtime, leftover->name);

    *adopted = (struct runtime_adopted){0};
    bool is_that_run = kept && docker_start_time(&kept->state) == leftover->start_time;
    if (!is_that_run || !kept->state.running) {
        adopted->oom_kills = kept && kept->state.oom_killed;
        if (is_that_run)
            note_end(runtime, kept, adopted);
        return error_set(err, ESRCH, "%s (pid %d) is gone", leftover->name, (int)leftover->pid);
    }
    const struct container_state state = kept->state;
    kept_drop(kept);
    struct runtime_process *run = docker_run_new(runtime, leftover->name, state.server, leftover->log_path, owner);
    snprintf(run->id, sizeof(run->id), "%s", state.id);
    run->limits = adoption->limits;
    run->limits_differ = !container_has_limits(&state, &run->limits);
    run->port = state.port;
    run->is_worker = adoption->has_counters;
    run->spec_hash = state.spec_hash;
    docker_run_watch(run, &state);
    docker_run_log(run, docker_log_end_ns(run));
    docker_control(run);
    adopted->paused_why = docker_held_why(&state);
    adopted->paused = adopted->paused_why != NULL;
    if (state.paused && adoption->paused)
        adopted->paused_why = NULL; /* by farmd */
    *process = run;
    return 0;
}
