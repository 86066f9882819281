/*
 * See event_store.h.
 */
#include "supervisor/history/event_store.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS "id, at_us, server_id, reason, next_try_us, duration_ms, message"
#define TRIM_AT_ONCE "1000" /* of those that are too old */

/* --- adding --- */

static int insert(struct database *db, sqlite3_stmt *statement, const struct event *event, struct error *err)
{
    sqlite3_bind_int64(statement, 1, (int64_t)event->id);
    sqlite3_bind_int64(statement, 2, event->at_us);
    sqlite3_bind_int(statement, 3, event->server_id);
    sqlite3_bind_text(statement, 4, event_reason_name(event->reason), -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, event->next_try_us);
    sqlite3_bind_int64(statement, 6, event->duration_ms);
    sqlite3_bind_text(statement, 7, event->message, -1, SQLITE_STATIC);
    int rc = database_step(db, statement, err);
    sqlite3_reset(statement);
    return rc;
}

static int insert_all(struct database *db, const struct event *list, size_t count, struct error *err)
{
    sqlite3_stmt *statement =
        database_prepare(db, "INSERT INTO events (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", err);
    int rc = statement != NULL ? 0 : -err->code;

    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = insert(db, statement, &list[i], err);
    sqlite3_finalize(statement);
    return rc;
}

static int trim(struct database *db, uint64_t last_id, struct error *err)
{
    int rc = 0;

    if (last_id > EVENT_STORE_MAX)
        rc = database_run(db, "DELETE FROM events WHERE id <= ?1", (int64_t)(last_id - EVENT_STORE_MAX), err);
    if (rc == 0)
        rc = database_run(
            db,
            "DELETE FROM events WHERE at_us < ?1 AND id IN (SELECT id FROM events ORDER BY id LIMIT " TRIM_AT_ONCE ")",
            clock_realtime_us() - EVENT_STORE_AGE_US, err);
    return rc;
}

int event_store_add(struct database *db, const struct event *list, size_t count, struct error *err)
{
    if (count == 0)
        return 0;
    int rc = database_begin(db, err);
    if (rc < 0)
        return rc;
    rc = database_run(db, "DELETE FROM events WHERE id >= ?1", (int64_t)list[0].id, err);
    if (rc == 0)
        rc = insert_all(db, list, count, err);
    if (rc == 0)
        rc = trim(db, list[count - 1].id, err);
    return database_end(db, rc, err);
}

int event_store_span(struct database *db, struct event_span *span, struct error *err)
{
    int64_t first = 0, last = 0;
    int rc = database_number(db, "SELECT min(id) FROM events", &first, err);

    if (rc == 0)
        rc = database_number(db, "SELECT max(id) FROM events", &last, err);
    if (rc == 0)
        *span = (struct event_span){.first_id = (uint64_t)first, .last_id = (uint64_t)last};
    return rc;
}

/* --- finding --- */

static int compare_ids(const void *key, const void *entry)
{
    int wanted = *(const int *)key, here = *(const int *)entry;

    return (wanted > here) - (wanted < here);
}

bool event_query_matches(const struct event_query *query, const struct event *event)
{
    if (event->id <= query->since || (query->before > 0 && event->id >= query->before) ||
        event->at_us < query->not_before_us || (query->warnings && !event_reason_is_warning(event->reason)))
        return false;
    return !query->by_server ||
           (query->server_count > 0 && bsearch(&event->server_id, query->server_ids, query->server_count,
                                               sizeof(query->server_ids[0]), compare_ids) != NULL);
}

/* False for a reason that this farmd does not know. */
static bool read_row(sqlite3_stmt *statement, struct event *event)
{
    const char *reason = (const char *)sqlite3_column_text(statement, 3);
    const char *message = (const char *)sqlite3_column_text(statement, 6);

    *event = (struct event){
        .id = (uint64_t)sqlite3_column_int64(statement, 0),
        .at_us = sqlite3_column_int64(statement, 1),
        .server_id = sqlite3_column_int(statement, 2),
        .next_try_us = sqlite3_column_int64(statement, 4),
        .duration_ms = sqlite3_column_int64(statement, 5),
    };
    snprintf(event->message, sizeof(event->message), "%s", message != NULL ? message : "");
    return reason != NULL && event_reason_parse(reason, &event->reason) == 0;
}

static void reverse(struct event *list, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct event swapped = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = swapped;
    }
}

int event_store_find(struct database *db, const struct event_query *query, struct event **list, size_t *count,
                     struct error *err)
{
    sqlite3_stmt *statement = database_prepare(
        db,
        query->oldest_first ? "SELECT " COLUMNS " FROM events WHERE id > ?1 AND id < ?2 ORDER BY id"
                            : "SELECT " COLUMNS " FROM events WHERE id > ?1 AND id < ?2 ORDER BY id DESC",
        err);
    if (statement == NULL)
        return -err->code;
    struct event *found = malloc((query->limit + 1) * sizeof(*found));
    size_t kept = 0;
    sqlite3_bind_int64(statement, 1, (int64_t)query->since);
    sqlite3_bind_int64(statement, 2, query->before > 0 ? (int64_t)query->before : INT64_MAX);
    int rc = found != NULL ? 1 : error_set(err, ENOMEM, "there is no memory for so many events");
    while (rc > 0 && kept < query->limit) {
        rc = database_step(db, statement, err);
        if (rc > 0 && read_row(statement, &found[kept]) && event_query_matches(query, &found[kept]))
            kept++;
    }
    sqlite3_finalize(statement);
    if (rc < 0) {
        free(found);
        return rc;
    }
    if (!query->oldest_first)
        reverse(found, kept);
    *list = found;
    *count = kept;
    return 0;
}
