/*
 * CPU and memory load on demand. Each load has a thread of its own, so that the loop goes on answering, and the least
 * priority beside the loop's.
 */
#ifndef WORKER_BURN_H
#define WORKER_BURN_H

#include "core/error.h"

#include <stdint.h>
#include <uv.h>

#define BURN_MAX 64 /* loads at once */

struct burn;

struct burn_pool {
    uv_async_t finished_async;
    _Atomic(struct burn *) finished; /* whose threads are done, for the loop to collect */
    unsigned running;
};

void burn_pool_init(struct burn_pool *pool, uv_loop_t *loop);

/* Keeps a processor busy for `seconds` of wall time while holding `bytes` of touched memory, then calls on_end from the
 * loop: `error` is 0, or a positive errno value when the memory could not be had.
 * -EBUSY with BURN_MAX running, -EAGAIN when there can be no thread. */
int burn_start(struct burn_pool *pool, double seconds, uint64_t bytes, void (*on_end)(void *data, int error),
               void *data, struct burn **burn, struct error *err);

/* Ends it within milliseconds; on_end is not called any more and `burn` may not be used again. */
void burn_cancel(struct burn *burn);

#endif
