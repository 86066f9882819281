/*
 * What is done to a run, and what is measured of it. A call that fails is logged: the farm asks again for what matters (a
 * forced stop), and what happened shows in the events.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/log.h"
#include "core/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

static void on_done(struct runtime_process *run, const struct engine_answer *answer)
{
    if (answer->code < 0 && answer->status != 404 && answer->status != 409)
        log_warning("%s: %s", run->name, answer->message);
}

static void post(struct runtime_process *run, const char *what, const struct buffer *body)
{
    cleanup_free char *path = xasprintf("/containers/%s/%s", run->id, what);
    docker_call(run, "POST", path, body, on_done);
}

/* Before the container runs a signal waits for it. */
static bool is_running(const struct runtime_process *run)
{
    return run->state == RUN_RUNNING;
}

int docker_signal(struct runtime_process *run, int signal, struct error *err)
{
    char what[32];

    (void)err;
    run->signalled = true;
    run->signal = signal;
    if (is_running(run)) {
        snprintf(what, sizeof(what), "kill?signal=%d", signal);
        post(run, what, NULL);
    }
    return 0;
}

/* The Engine kills a paused container too, and with its first process everything in it. */
int docker_kill(struct runtime_process *run, struct error *err)
{
    run->killed = true;
    return docker_signal(run, SIGKILL, err);
}

int docker_pause(struct runtime_process *run, struct error *err)
{
    if (!is_running(run))
        return error_set(err, EAGAIN, "%s has not begun to run", run->name);
    post(run, "pause", NULL);
    return 0;
}

int docker_resume(struct runtime_process *run, struct error *err)
{
    (void)err;
    if (is_running(run))
        post(run, "unpause", NULL);
    return 0;
}

int docker_set_limits(struct runtime_process *run, const struct limits *limits, struct error *err)
{
    struct buffer body = BUFFER_EMPTY;

    if (!is_running(run))
        return error_set(err, EAGAIN, "%s has not begun to run", run->name);
    container_compose_limits(limits, &body);
    post(run, "update", &body);
    buffer_done(&body);
    run->limits = *limits;
    if (run->leaf) {
        run->leaf->asked = *limits;
        run->leaf->in_force_known = false;
    }
    return 0;
}

bool docker_limits_in_force(const struct runtime_process *run, struct runtime_limits_in_force *limits)
{
    const struct runtime_limits_in_force *known = run->leaf ? leaf_limits(run->leaf) : NULL;

    *limits = known ? *known : (struct runtime_limits_in_force){0};
    return known != NULL;
}

void docker_sample(struct runtime_process *run, struct runtime_sample *sample)
{
    if (run->leaf && is_running(run)) {
        leaf_sample(run->leaf, sample);
        run->last_sample = *sample;
    } else {
        *sample = run->last_sample;
    }
}

void docker_pressure(const struct runtime_process *run, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT])
{
    for (int i = 0; i < RUNTIME_RESOURCE_COUNT; i++)
        figures[i] = (struct runtime_pressure){0};
    if (run->leaf && is_running(run))
        leaf_pressure(run->leaf, figures);
}
