/*
 * Runs that an earlier farmd began: their containers have gone on meanwhile.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"

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

int docker_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                 struct runtime_adopted *adopted, struct runtime_process **process, struct error *err)
{
    const struct runtime_leftover *leftover = &adoption->leftover;
    struct kept_container *kept = find_by_name(runtime, leftover->name);

    *adopted = (struct runtime_adopted){0};
    if (!kept || !kept->state.running || docker_start_time(&kept->state) != leftover->start_time) {
        adopted->oom_kills = kept && kept->state.oom_killed;
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
