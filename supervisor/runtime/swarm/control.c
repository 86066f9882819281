/*
 * What is done to a run, which is always a change of its service, and what is measured of it.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include <errno.h>

/* SIGTERM, the grace period and SIGKILL are Swarm's then; it is the only signal that the farm sends. */
int swarm_signal(struct runtime_process *run, int signal, struct error *err)
{
    (void)signal;
    (void)err;
    if (run->stopping)
        return 0;
    run->stopping = true;
    service_set_replicas(run->service->spec, 0);
    swarm_submit(run->service);
    return 0;
}

/* It is replaced: a health probe has failed, or it was not ready in time. One that is being stopped is killed by Swarm. */
int swarm_kill(struct runtime_process *run, struct error *err)
{
    bool is_under_way = run->stopping || run->killed;

    run->killed = true;
    if (is_under_way)
        return 0;
    if (run->task.id[0] == '\0') /* there is nothing to replace */
        return swarm_signal(run, 0, err);
    service_force(run->service->spec);
    swarm_submit(run->service);
    return 0;
}

int swarm_pause(struct runtime_process *run, struct error *err)
{
    return error_set(err, ENOTSUP, "%s: %s", run->name, runtime_swarm_ops.no_pause);
}

int swarm_resume(struct runtime_process *run, struct error *err)
{
    return error_set(err, ENOTSUP, "%s: %s", run->name, runtime_swarm_ops.no_pause);
}

/* Swarm changes the limits of no task: it starts another one with them. What it answers is whether it will. */
int swarm_set_limits(struct runtime_process *run, const struct limits *limits, struct error *err)
{
    if (!run->limits_asked)
        service_limits(run->service->spec, &run->limits_before);
    run->limits_asked = true;
    service_set_limits(run->service->spec, limits);
    swarm_submit(run->service);
    return error_set(err, EINPROGRESS, "%s: Swarm is being asked", run->name);
}

/* On other nodes by Swarm's word, which has refused the task where it cannot be kept: those of the task that runs, whatever
 * the next one is to have. */
bool swarm_limits_in_force(const struct runtime_process *run, struct runtime_limits_in_force *limits)
{
    const struct runtime_limits_in_force *known = run->leaf ? leaf_limits(run->leaf) : NULL;
    const struct limits *has = &run->task.limits;

    *limits = (struct runtime_limits_in_force){0};
    if (known)
        *limits = *known;
    else if (run->state == RUN_RUNNING && !run->leaf)
        *limits = (struct runtime_limits_in_force){has->cpu, has->memory, has->cpu_reservation, has->memory_reservation,
                                                   has->pids};
    else
        return false;
    return true;
}

void swarm_sample(struct runtime_process *run, struct runtime_sample *sample)
{
    if (run->leaf && run->state == RUN_RUNNING) {
        leaf_sample(run->leaf, sample);
        run->last_sample = *sample;
    } else {
        swarm_figures_ask(run);
        *sample = run->last_sample;
    }
}

void swarm_pressure(const struct runtime_process *run, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT])
{
    for (int i = 0; i < RUNTIME_RESOURCE_COUNT; i++)
        figures[i] = (struct runtime_pressure){0};
    if (run->leaf && run->state == RUN_RUNNING)
        leaf_pressure(run->leaf, figures);
}
