/*
 * A piece of work that is done in the thread pool from time to time: one at a time, the next one set by a timer. Closing
 * waits for the work that is under way. Separate because the end of a timer and of work in a thread come in either order.
 */
#ifndef SUPERVISOR_FARM_BACKGROUND_H
#define SUPERVISOR_FARM_BACKGROUND_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct background_calls {
    void (*prepare)(void *owner); /* on the loop, when the timer is up */
    void (*work)(void *owner);    /* in a thread */
    void (*done)(void *owner);    /* on the loop, after the work; sets the next one */
    void (*freed)(void *owner);   /* after background_close, when nothing is under way: the owner may go */
};

struct background {
    uv_timer_t timer;
    uv_work_t work;
    const struct background_calls *calls;
    void *owner;
    bool working, closed, timer_closed;
};

void background_init(struct background *background, uv_loop_t *loop, const struct background_calls *calls, void *owner);
void background_set(struct background *background, uint64_t delay_ms); /* not while it works: `done` is to do it */
void background_cancel(struct background *background);                 /* the timer; work under way goes on */
bool background_is_set(const struct background *background);           /* by the timer, or at work */
void background_close(struct background *background);

#endif
