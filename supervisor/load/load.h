/*
 * The load engine: runs a plan on threads of its own and tells how it went. It knows HTTP servers and their addresses,
 * nothing of farms. The caller's loop hears of each second that is over and of the end.
 */
#ifndef SUPERVISOR_LOAD_LOAD_H
#define SUPERVISOR_LOAD_LOAD_H

#include "core/error.h"
#include "supervisor/load/result.h"

#include <uv.h>

struct load_run;

struct load_events {
    /* A second of the measured time is over; the point is valid during the call, points come in order. May be NULL. */
    void (*on_point)(void *data, const struct load_point *point, const struct load_progress *so_far);
    /* The end, exactly once; the result is the caller's to free. The run is gone when the call returns. */
    void (*on_done)(void *data, struct load_result *result);
    void *data;
};

/* Starts a plan that load_plan_check has passed. The plan and all that it points to is copied. Fails when threads or
 * descriptors are not to be had. */
int load_run_start(uv_loop_t *loop, const struct load_plan *plan, const struct load_events *events,
                   struct load_run **run, struct error *err);

/* Ends it early: nothing new is sent, answers under way are waited for shortly, then on_done comes with what was
 * counted so far. */
void load_run_stop(struct load_run *run);

/* Ends it at once; no callback comes any more. The memory is freed when the threads have ended. */
void load_run_abandon(struct load_run *run);

#endif
