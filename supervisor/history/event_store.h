/*
 * The events of this farmd and of those before it, in the database: ids only grow, also from one farmd to the next.
 */
#ifndef SUPERVISOR_HISTORY_EVENT_STORE_H
#define SUPERVISOR_HISTORY_EVENT_STORE_H

#include "supervisor/farm/events.h"
#include "supervisor/history/database.h"

#include <stddef.h>
#include <stdint.h>

#define EVENT_STORE_MAX 100000                                 /* events, … */
#define EVENT_STORE_AGE_US (INT64_C(30) * 24 * 3600 * 1000000) /* … and none older than 30 days */

/* Which ones are wanted. */
struct event_query {
    uint64_t since, before; /* ids between them; before 0: no bound */
    bool oldest_first;      /* the first `limit` behind `since`; else the newest `limit` */
    size_t limit;
    int64_t not_before_us;
    bool warnings; /* only these */
    bool by_server;
    const int *server_ids; /* of these only, ascending; borrowed */
    size_t server_count;
};

bool event_query_matches(const struct event_query *query, const struct event *event);

/* In ascending order of ids, and those out of bounds go. Ids that are there already belong to numbers that have begun
 * anew: they and all beyond are replaced. */
int event_store_add(struct database *db, const struct event *list, size_t count, struct error *err);

/* What is stored: the first and last ids; 0 and 0: nothing. */
struct event_span {
    uint64_t first_id, last_id;
};
int event_store_span(struct database *db, struct event_span *span, struct error *err);

/* Fills *list (the caller frees it) in ascending order. */
int event_store_find(struct database *db, const struct event_query *query, struct event **list, size_t *count,
                     struct error *err);

#endif
