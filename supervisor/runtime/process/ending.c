/*
 * The end of one run, from the moment that its main process is reaped: what is left of it is killed and its cgroup removed,
 * in rounds that wait for their turn; then its owner is told. See process.h.
 */
#include "supervisor/runtime/process/process.h"

#include "core/clock.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define RETRY_FIRST_MS 1
#define RETRY_MAX_MS 50
#define ROUNDS_PER_TURN 8 /* of the loop: a round reads, kills and removes cgroups, some ms of system calls */
#define ENDING_MAX_NS (5 * NS_PER_SECOND) /* for what does not die */
#define REMOVAL_MAX_NS (100 * NS_PER_MS)  /* for an empty cgroup, which the server may as well start in again */

static void tell_exit(struct runtime_process *process)
{
    process->state = PROCESS_TOLD;
    process->runtime->ending--;
    uv_timer_stop(&process->timer);
    leaf_close(&process->leaf);
    if (process->counters_path != NULL) {
        unlink(process->counters_path);
    }
    process->runtime->events.on_exit(process->owner, &process->exit);
    process_close_handles(process);
}

static void queue_round(struct runtime_process *process);

static void on_retry(uv_timer_t *timer)
{
    queue_round(timer->data);
}

/* The kernel ends an OOM victim with SIGKILL; a shell passes that on as code 137. Anything else ended for reasons of its
 * own, and the OOM kill was another process of the same server. */
static bool ended_by_oom(struct runtime_process *process)
{
    const struct runtime_exit *exit = &process->exit;
    bool killed = (exit->kind == RUNTIME_EXIT_SIGNAL && exit->signal == SIGKILL) ||
                  (exit->kind == RUNTIME_EXIT_CODE && exit->exit_code == 128 + SIGKILL) ||
                  exit->kind == RUNTIME_EXIT_UNKNOWN;
    return killed && leaf_oom_kills(&process->leaf) > process->oom_seen;
}

/* One round of clearing up behind a dead main process. */
static void end_round(struct runtime_process *process)
{
    const struct slice_ops *ops = process->leaf.slice->ops;
    if (!process->end_seen) {
        process->end_seen = true;
        leaf_sample(&process->leaf, &process->last_sample);
        process->exit.oom_killed = ended_by_oom(process);
    }
    int rc = ops->kill(&process->leaf);
    bool is_empty = rc == 0;
    if (is_empty) {
        rc = ops->remove(&process->leaf);
    }
    if (rc == 0) {
        tell_exit(process);
        return;
    }
    if (clock_monotonic_ns() - process->ending_since_ns > (is_empty ? REMOVAL_MAX_NS : ENDING_MAX_NS)) {
        lingering_add(process->runtime->lingering, &process->leaf, rc);
        tell_exit(process);
        return;
    }
    uv_timer_start(&process->timer, on_retry, process->retry_ms, 0);
    process->retry_ms = process->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : process->retry_ms * 2;
}

/* Those that join meanwhile wait for the next turn. */
static void end_some(uv_idle_t *idle)
{
    struct runtime *runtime = idle->data;
    struct runtime_process *last = runtime->ending_last, *process = NULL;
    for (unsigned n = 0; n < ROUNDS_PER_TURN && runtime->ending_first != NULL && process != last; n++) {
        process = runtime->ending_first;
        runtime->ending_first = process->next_ending;
        if (runtime->ending_first == NULL) {
            runtime->ending_last = NULL;
        }
        end_round(process);
    }
    if (runtime->ending_first == NULL) {
        uv_idle_stop(idle);
    }
}

static void queue_round(struct runtime_process *process)
{
    struct runtime *runtime = process->runtime;
    process->next_ending = NULL;
    if (runtime->ending_last != NULL) {
        runtime->ending_last->next_ending = process;
    } else {
        runtime->ending_first = process;
    }
    runtime->ending_last = process;
    uv_idle_start(&runtime->ender, end_some);
}

void process_end(struct runtime_process *process)
{
    process->state = PROCESS_ENDING;
    process->runtime->ending++;
    process->ending_since_ns = clock_monotonic_ns();
    process->leaf.dead_ns = process->ending_since_ns;
    process->retry_ms = RETRY_FIRST_MS;
    queue_round(process);
}

void process_ender_init(struct runtime *runtime)
{
    uv_idle_init(runtime->loop, &runtime->ender);
    runtime->ender.data = runtime;
    runtime->references++;
}

static void on_ender_closed(uv_handle_t *handle)
{
    runtime_unref(handle->data);
}

void process_ender_close(struct runtime *runtime)
{
    uv_close((uv_handle_t *)&runtime->ender, on_ender_closed);
}
