/*
 * What the handlers of a worker share. One per process, filled by main.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "core/buffer.h"
#include "core/counters.h"
#include "core/json.h"
#include "http/cors.h"
#include "http/server.h"
#include "worker/access_log.h"
#include "worker/burn.h"
#include "worker/cpu_meter.h"
#include "worker/options.h"
#include "worker/traffic.h"

#include <stdint.h>
#include <uv.h>

#define JSON_CONTENT_TYPE "application/json"

struct worker {
    struct worker_options options;
    char hostname[65];
    uint16_t port;
    int64_t started_ns; /* monotonic */
    uint64_t requests;  /* without /health and /metrics; those that the server refused count too */

    uv_loop_t *loop;
    struct http_server *server;
    struct http_cors cors;
    struct counters *counters;
    struct cpu_meter cpu;
    struct burn_pool burns;
    struct traffic traffic;
    struct access_log access_log;

    struct buffer identity; /* `{"server_id":…,"hostname":…,"port":…`, with which several answers begin */
    struct buffer answer;   /* the answer being written; kept from request to request */
};

double worker_uptime_seconds(const struct worker *worker);

/* Begins an answer in worker->answer with an open object: with the identity in it, or with nothing. */
struct json_writer worker_begin_identified(struct worker *worker);
struct json_writer worker_begin_answer(struct worker *worker);

/* Closes the object and sends it with status 200. */
void worker_end_answer(struct worker *worker, struct json_writer *w, struct http_request *request);

#endif
