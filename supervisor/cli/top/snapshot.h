/*
 * The farm at one moment, as an answer of GET /api/servers tells it: what a list of servers shows and sorts by, and the
 * totals. Pure; made in a thread of the pool, since five thousand servers are megabytes of JSON.
 */
#ifndef SUPERVISOR_CLI_TOP_SNAPSHOT_H
#define SUPERVISOR_CLI_TOP_SNAPSHOT_H

#include "supervisor/cli/frame/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

struct snapshot_row {
    int id;
    char name[24];
    char node[64];              /* of a cluster; "" elsewhere */
    char state[12], health[12]; /* health "-" unless it runs */
    enum paint state_paint, health_paint;
    unsigned trouble;              /* 0: none; the higher, the more it needs a person */
    double health_trouble;         /* of its health alone, NaN: it has none */
    double cpu, throttled, memory; /* per cent of its limits, NaN: not known */
    double memory_mb, memory_limit_mb;
    double rate, errors, p99_ms; /* requests and errors a second */
    int restarts;
    double uptime_seconds;
    char since[96]; /* how long it runs, or why it doesn't and what comes next */
    char brief[48]; /* the same in fewer words */
};

struct snapshot {
    struct snapshot_row *rows; /* ascending by id */
    size_t count, room;
    int total;      /* servers of the farm, which may be more than were asked for */
    bool has_nodes; /* some row has one */
    int64_t at_us;

    struct view_count counts[VIEW_COUNTS];
    size_t count_count;
    double cpu_cores, cpu_limit, memory_mb, memory_limit_mb; /* limits NaN: none in force */
    double rate, errors;
    char enforcement[24];
    struct cJSON *single; /* the entry of the only row, whole; NULL when there are more */
};

/* NULL when the text is no such answer. Free with snapshot_free. */
struct snapshot *snapshot_parse(const char *text, size_t length);
void snapshot_free(struct snapshot *snapshot); /* NULL is fine */

const struct snapshot_row *snapshot_find(const struct snapshot *snapshot, int id); /* NULL: it has none */

#endif
