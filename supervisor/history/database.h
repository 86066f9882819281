/*
 * The database file of the history: opened or made, checked to be ours, set aside when it is not or when it is broken. One
 * thread at a time uses it. Only this folder knows SQLite.
 */
#ifndef SUPERVISOR_HISTORY_DATABASE_H
#define SUPERVISOR_HISTORY_DATABASE_H

#include "core/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct database;

/* `aside` is filled (its code is not 0 then) when what was there has been set aside, and a new one begun. Fails when none
 * can be opened: no room, no right, another program has it. */
int database_open(const char *path, struct database **db, struct error *aside, struct error *err);
void database_close(struct database *db); /* NULL is fine */

/* Whether an error of one says that the file is broken: to be closed, and opened again by database_replace. */
bool database_is_broken(const struct error *err);
/* Closes it, sets it aside and opens a new one, as database_open; `why` is the error. */
int database_replace(struct database *db, const struct error *why, struct database **made, struct error *aside,
                     struct error *err);

/* All or nothing. database_end: commits when `code` is 0, else rolls back and returns it. */
int database_begin(struct database *db, struct error *err);
int database_end(struct database *db, int code, struct error *err);

/* --- statements --- */

/* NULL when it fails. Its parameters are ?1, ?2, …; to be finished with sqlite3_finalize. */
sqlite3_stmt *database_prepare(struct database *db, const char *sql, struct error *err);
/* 1: a row; 0: done; negative: failed. */
int database_step(struct database *db, sqlite3_stmt *statement, struct error *err);
/* One that gives no rows, with a number for ?1. */
int database_run(struct database *db, const char *sql, int64_t number, struct error *err);
/* The number that a statement gives; 0 when it gives none. */
int database_number(struct database *db, const char *sql, int64_t *number, struct error *err);

#endif
