/*
 * A load test: `concurrency` keep-alive connections to each of its servers, each sending the next request as soon as
 * the last one was answered. It runs on a thread and a loop of its own, so that nothing of the supervisor waits for it.
 */
#ifndef SUPERVISOR_LOAD_LOAD_TEST_H
#define SUPERVISOR_LOAD_LOAD_TEST_H

#include "core/error.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define LOAD_MAX_SECONDS 3600.0
#define LOAD_MAX_CONNECTIONS 10000u /* of all tests together */

#define LOAD_REQUEST_TIMEOUT_MS 10000 /* a request without an answer for so long has failed */
#define LOAD_GIVE_UP_MS 30000         /* a server that has answered nothing for so long is not asked any more */
#define LOAD_LAST_ANSWERS_MS 1000     /* for what is in flight when the time is over */

struct load_target {
    int server_id;
    uint16_t port; /* 0: it does not run, so every request fails without being sent */
};

struct load_test_options {
    const struct load_target *targets; /* copied */
    size_t target_count;
    uint64_t requests; /* per server; 0: by time alone */
    unsigned concurrency;
    int64_t duration_ms; /* 0: until all requests are done */
};

struct load_result {
    int server_id;
    uint64_t successful; /* answered with status 200 */
    uint64_t failed;     /* any other status, and no answer */
    double seconds;      /* from the first request to the last answer */
    const char *error;   /* what stood in the way of the requests that failed without an answer; NULL: nothing */
};

struct load_test;

/* How many connections a test opens. */
size_t load_test_connections(const struct load_test_options *options);

/* `on_done` exactly once on `loop`, unless cancelled, with the results in the order of the targets; they are valid
 * during the call. 0, or a negative code when no thread could be started. */
int load_test_start(uv_loop_t *loop, const struct load_test_options *options,
                    void (*on_done)(const struct load_result *results, size_t count, void *data), void *data,
                    struct load_test **test, struct error *err);

/* Ends it early, as if its time were over: on_done comes with what was counted so far. */
void load_test_stop(struct load_test *test);

/* Ends it soon; on_done is not called any more. */
void load_test_cancel(struct load_test *test);

#endif
