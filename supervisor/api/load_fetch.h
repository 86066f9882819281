/*
 * A load test by its id, from memory or from the history, as JSON.
 */
#ifndef SUPERVISOR_API_LOAD_FETCH_H
#define SUPERVISOR_API_LOAD_FETCH_H

#include "core/buffer.h"
#include "core/error.h"

#include <stdbool.h>

struct api;
struct http_request;

/* The buffers are the callee's to take; what is left of them goes when it returns. */
struct load_found {
    bool running;
    struct buffer summary, report;
};

/* `found` NULL: there is none, or `err` says why it cannot be had. */
typedef void load_fetch_fn(struct load_found *found, const struct error *err, void *data);

/* Calls `done` once: at once, or when the history has answered. `id` as it stands in a path. */
void load_fetch(struct api *api, const char *id, load_fetch_fn *done, void *data);

/* 404; `field` (may be NULL) names the parameter. */
void respond_no_load_test(struct http_request *request, const char *field, const char *id);

#endif
