/*
 * What a load run is asked to do: where, how much, in which model, and what counts as passed. Plain data, borrowed by
 * those who get it; load_plan_check is the one place that knows what is allowed.
 */
#ifndef SUPERVISOR_LOAD_PLAN_H
#define SUPERVISOR_LOAD_PLAN_H

#include "core/error.h"
#include "supervisor/load/schedule.h"
#include "supervisor/load/threshold.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LOAD_MAX_TARGETS 10000u
#define LOAD_MAX_RUN_CONNECTIONS 100000u /* of one run, all targets together */
#define LOAD_MAX_THREADS 64u
#define LOAD_MAX_RUN_REQUESTS UINT64_C(1000000000000) /* of all targets together */
#define LOAD_MIN_RATE 0.01
#define LOAD_MAX_RATE 10000000.0
#define LOAD_MAX_DURATION_NS (INT64_C(24) * 3600 * 1000000000)
#define LOAD_MAX_TIMEOUT_NS (INT64_C(3600) * 1000000000)
#define LOAD_MAX_PATH 4096u
#define LOAD_MAX_HEADERS 16384u
#define LOAD_MAX_BODY (1u << 20)

#define LOAD_DEFAULT_TIMEOUT_NS (INT64_C(10) * 1000000000)
#define LOAD_DEFAULT_GIVE_UP_NS (INT64_C(30) * 1000000000)

enum load_model {
    LOAD_CLOSED,        /* each connection sends the next request when the last one was answered */
    LOAD_OPEN_CONSTANT, /* requests are due at even distances, whatever is answered */
    LOAD_OPEN_POISSON,  /* requests are due at random instants, as from many people who don't know of each other */
};

struct load_target {
    int id;           /* takes the place of {server_id} in a path */
    const char *name; /* "server-7", for people */
    const char *host; /* of the header Host: "127.0.0.1:8007" */
    struct sockaddr_storage address;
    socklen_t address_length;
};

struct load_plan {
    const struct load_target *targets;
    size_t target_count;
    enum load_model model;
    unsigned connections; /* to each target */
    unsigned threads;     /* 0: as many as do this machine good */

    /* By count, by time, or both: what is reached first ends it. */
    uint64_t requests;   /* to each target; 0: by time alone */
    int64_t duration_ns; /* of the closed model; 0: by count alone, at most LOAD_MAX_DURATION_NS */
    int64_t warmup_ns;   /* before it, not counted */

    const struct load_stage *stages; /* of the open models: they make up the duration */
    size_t stage_count;
    uint64_t seed; /* of Poisson's randomness */

    const char *method;  /* "GET" */
    const char *path;    /* "/", with a query if you like */
    const char *headers; /* further lines, each "Name: value\r\n", or NULL */
    const void *body;
    size_t body_length;
    bool close; /* a connection of its own for every request */

    int64_t timeout_ns; /* of a request, from its sending to the end of its answer */
    int64_t drain_ns;   /* how long answers under way are waited for in the end; 0: as long as the timeout */
    int64_t give_up_ns; /* a target that answers nothing for so long is not asked any more; 0: never */

    const struct threshold *thresholds;
    size_t threshold_count;
};

/* With the defaults: GET /, 10 connections, closed. */
struct load_plan load_plan_defaults(void);

/* Whether it can be done: ranges, what may not be combined, descriptors. The message names the field and its range. */
int load_plan_check(const struct load_plan *plan, struct error *err);

/* A copy with all that it points to; free with load_plan_free, NULL is fine. */
struct load_plan *load_plan_copy(const struct load_plan *plan);
void load_plan_free(struct load_plan *plan);

size_t load_plan_connections(const struct load_plan *plan);
unsigned load_plan_threads(const struct load_plan *plan);
const char *load_model_name(enum load_model model); /* "closed", "constant", "poisson" */

/* The bytes of a request to one target; {server_id} in the path becomes its id. The caller frees them. */
char *load_plan_compose(const struct load_plan *plan, const struct load_target *target, size_t *length);

#endif
