/*
 * The worker's endpoints: one table of routes in handlers.c; what takes time or streams is in files of its own.
 */
#ifndef WORKER_HANDLERS_H
#define WORKER_HANDLERS_H

#include "http/router.h"

struct worker;

/* on_request of the HTTP server; `data` is the struct worker. */
void handlers_dispatch(struct http_request *request, void *data);

/* Requests that are only asked to watch this server: they count in no figure. */
bool handlers_is_watching(const struct http_request *request);

void handle_slow_endpoint(struct http_request *request, const struct http_match *match); /* handlers_load.c */
void handle_simulate_load(struct http_request *request, const struct http_match *match);
void handle_data(struct http_request *request, const struct http_match *match); /* handlers_stream.c */
void handle_echo(struct http_request *request, const struct http_match *match);
void handle_request(struct http_request *request, const struct http_match *match); /* handlers_request.c */

#endif
