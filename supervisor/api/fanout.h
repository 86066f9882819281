/*
 * One HTTP request to many workers in parallel, with a bound on how many are in flight: what metrics, broadcast,
 * simulated load and a single server's metrics have in common.
 */
#ifndef SUPERVISOR_API_FANOUT_H
#define SUPERVISOR_API_FANOUT_H

#include "http/client.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define FANOUT_PARALLEL 1024

struct fanout;

struct fanout_handlers {
    /* For each target, in the order of the answers. */
    void (*on_answer)(void *data, size_t index, const struct http_client_response *response);
    /* Once, behind the last answer; the fanout is freed when it returns. */
    void (*on_done)(void *data);
};

/* Sends `request` (its strings and body must live until the end) to every address. One with port 0 is skipped: no on_answer.
 * Neither handler is called from inside this call; with nothing to ask it returns NULL and on_done is not called. */
struct fanout *fanout_start(uv_loop_t *loop, const struct http_client_request *request,
                            const struct sockaddr_in *addresses, size_t count, size_t parallel,
                            const struct fanout_handlers *handlers, void *data);

/* Drops what is in flight; no handler is called any more. NULL is fine; not from inside a handler. */
void fanout_cancel(struct fanout *fanout);

#endif
