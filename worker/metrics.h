/*
 * GET /metrics: the same figures as JSON and as Prometheus text.
 */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

#include "http/router.h"

void metrics_handle(struct http_request *request, const struct http_match *match);

#endif
