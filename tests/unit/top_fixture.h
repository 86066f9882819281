/*
 * Answers of GET /api/servers, as `farmd top` gets them.
 */
#ifndef TESTS_UNIT_TOP_FIXTURE_H
#define TESTS_UNIT_TOP_FIXTURE_H

#include "supervisor/cli/top/snapshot.h"

struct top_server {
    int id;
    const char *status, *health, *error;
    const char *node;                         /* NULL: null */
    double cpu, throttled, memory, rate, p99; /* rate and p99 below 0: null */
    int restarts;
};

/* A server that runs and does nothing. */
#define TOP_IDLE(number)                                                                                               \
    {                                                                                                                  \
        .id = (number), .status = "running", .health = "healthy", .rate = 0, .p99 = -1                                 \
    }

/* Of a farm of so many servers, these in the answer. The caller frees the snapshot. */
struct snapshot *top_snapshot(const struct top_server *servers, size_t count, int total);

#endif
