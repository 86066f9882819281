/*
 * Servers for the load engine to run against, each a thread with a loop: they count what they are asked, are late on
 * purpose, and misbehave in every way that the engine must bear. And the run of a plan from start to end.
 */
#ifndef TESTS_LOAD_FIXTURE_H
#define TESTS_LOAD_FIXTURE_H

#include "supervisor/load/load.h"

#include <stdbool.h>
#include <stdint.h>

#define LOAD_TEST_DEADLINE_MS 60000
#define LOAD_TEST_TARGETS 4u

enum load_server_kind {
    SERVER_ANSWERS,
    SERVER_NEVER,          /* reads, says nothing */
    SERVER_GARBAGE,        /* answers with something that is no HTTP */
    SERVER_ENDLESS_HEAD,   /* header after header */
    SERVER_HANGS_UP,       /* closes when it has the request */
    SERVER_HANGS_UP_EARLY, /* or only its first bytes */
    SERVER_CUTS,           /* closes in the middle of the body */
    SERVER_DRIPS,          /* one byte of an answer at a time, without end */
    SERVER_HUGE,           /* a body of 1 GB */
};

struct load_server_options {
    enum load_server_kind kind;
    unsigned status;       /* 0: 200 */
    unsigned slow_from;    /* of every ten answers those from here on (0…9) are late … */
    unsigned slow_ms;      /* … so much; 0: none is */
    uint64_t closes_every; /* this many answers end with Connection: close; 0: none */
    bool leaves_silently;  /* it closes after every answer and doesn't say so */
    bool small_window;     /* it takes in little at a time */
    uint64_t dies_after;   /* answers; then nothing listens any more; 0: never */
    uint64_t freezes_at;   /* with this request the whole server stands still … */
    unsigned freeze_ms;    /* … for so long */
};

struct load_server;

struct load_server *load_server_start(const struct load_server_options *options); /* NULL: one that answers */
void load_server_stop(struct load_server *server);
uint16_t load_server_port(const struct load_server *server);
uint64_t load_server_requests(const struct load_server *server); /* received so far */
uint64_t load_server_connections(const struct load_server *server);
const char *load_server_last_request(struct load_server *server); /* after it is at rest; head and body */

/* A port on which nothing listens. */
uint16_t load_free_port(void);

/* A plan for the servers on these ports: GET /, one thread, 4 connections to each, nothing given up. Its targets are
 * valid until the next call. */
struct load_plan load_plan_for(const uint16_t *ports, size_t count);
struct load_plan load_plan_for_server(const struct load_server *server);

/* What was seen of the last run. */
struct load_seen {
    unsigned points;
    struct load_point sum;  /* of the points' counts */
    unsigned stop_at_point; /* to be set before: stops the run when it comes, counted from 1; 0: never */
    bool abandon_instead;   /* likewise */
};
extern struct load_seen load_seen;

/* Runs the plan to its end; the caller frees the result. NULL when it was abandoned. */
struct load_result *load_run_to_end(const struct load_plan *plan);

/* What must hold of every result: counts that add up, over targets, kinds, distributions and seconds. */
void load_expect_consistent(const struct load_plan *plan, const struct load_result *result);

#endif
