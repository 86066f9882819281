/*
 * See run_store.h.
 */
#include "supervisor/history/run_store.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void run_record_done(struct run_record *record)
{
    free(record->summary);
    free(record->report);
    *record = (struct run_record){0};
}

/* --- writing --- */

static int insert(struct database *db, const struct run_record *record, struct error *err)
{
    sqlite3_stmt *statement = database_prepare(
        db,
        "INSERT OR REPLACE INTO runs (id, started_us, status, bytes, summary, report) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        err);

    if (statement == NULL)
        return -err->code;
    sqlite3_bind_text(statement, 1, record->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, record->started_us);
    sqlite3_bind_text(statement, 3, record->status, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, (int64_t)(strlen(record->summary) + strlen(record->report)));
    sqlite3_bind_text(statement, 5, record->summary, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 6, record->report, -1, SQLITE_STATIC);
    int rc = database_step(db, statement, err);
    sqlite3_finalize(statement);
    return rc;
}

static int trim(struct database *db, struct error *err)
{
    int rc = database_run(db,
                          "DELETE FROM runs WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER newest AS place,"
                          " sum(bytes) OVER newest AS total FROM runs WINDOW newest AS (ORDER BY id DESC))"
                          " WHERE place > 1 AND (place > ?1 OR total > 67108864))",
                          RUN_STORE_MAX, err);
    _Static_assert(RUN_STORE_BYTES == 67108864, "as in the statement");

    if (rc == 0)
        rc = database_run(db, "DELETE FROM runs WHERE started_us < ?1", clock_realtime_us() - RUN_STORE_AGE_US, err);
    return rc;
}

int run_store_put(struct database *db, const struct run_record *record, struct error *err)
{
    int rc = database_begin(db, err);

    if (rc < 0)
        return rc;
    rc = insert(db, record, err);
    if (rc == 0)
        rc = trim(db, err);
    return database_end(db, rc, err);
}

int run_store_interrupt(struct database *db, struct error *err)
{
    return database_run(
        db,
        "UPDATE runs SET status = 'interrupted', summary = json_set(summary, '$.status', 'interrupted'),"
        " report = json_set(report, '$.status', 'interrupted') WHERE status = 'running' AND ?1",
        1, err);
}

/* --- reading --- */

static char *column_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return xstrdup(text != NULL ? text : "");
}

static void read_row(sqlite3_stmt *statement, struct run_record *record)
{
    const char *id = (const char *)sqlite3_column_text(statement, 0);

    *record = (struct run_record){.started_us = sqlite3_column_int64(statement, 1)};
    snprintf(record->id, sizeof(record->id), "%s", id != NULL ? id : "");
    record->summary = column_text(statement, 2);
}

int run_store_get(struct database *db, const char *id, struct run_record *record, struct error *err)
{
    sqlite3_stmt *statement =
        database_prepare(db, "SELECT id, started_us, summary, report FROM runs WHERE id = ?1", err);

    if (statement == NULL)
        return -err->code;
    sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    int rc = database_step(db, statement, err);
    if (rc > 0) {
        read_row(statement, record);
        record->report = column_text(statement, 3);
    }
    sqlite3_finalize(statement);
    return rc;
}

int run_store_list(struct database *db, size_t limit, struct run_record **list, size_t *count, struct error *err)
{
    sqlite3_stmt *statement =
        database_prepare(db, "SELECT id, started_us, summary FROM runs ORDER BY id DESC LIMIT ?1", err);
    size_t found = 0;
    int rc = 1;

    if (statement == NULL)
        return -err->code;
    struct run_record *records = xcalloc(limit + 1, sizeof(*records));
    sqlite3_bind_int64(statement, 1, (int64_t)limit);
    while (rc > 0 && found < limit) {
        rc = database_step(db, statement, err);
        if (rc > 0)
            read_row(statement, &records[found++]);
    }
    sqlite3_finalize(statement);
    if (rc < 0) {
        for (size_t i = 0; i < found; i++)
            run_record_done(&records[i]);
        free(records);
        return rc;
    }
    *list = records;
    *count = found;
    return 0;
}
