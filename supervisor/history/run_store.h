/*
 * Load-test runs in the database, each as the JSON that the API gave of it.
 */
#ifndef SUPERVISOR_HISTORY_RUN_STORE_H
#define SUPERVISOR_HISTORY_RUN_STORE_H

#include "supervisor/history/database.h"

#include <stddef.h>
#include <stdint.h>

#define RUN_STORE_MAX 500                                    /* runs, … */
#define RUN_STORE_BYTES (INT64_C(64) << 20)                  /* … of so much in all, but for the newest … */
#define RUN_STORE_AGE_US (INT64_C(90) * 24 * 3600 * 1000000) /* … and none older than 90 days */
#define RUN_ID_MAX 32

struct run_record {
    char id[RUN_ID_MAX]; /* ids sort as runs do in time */
    int64_t started_us;
    const char *status; /* "running" until another one is put in its place */
    char *summary;      /* JSON objects with a member `status` */
    char *report;
};

void run_record_done(struct run_record *record);

/* Puts it in, or in the place of one with its id; runs out of bounds go. */
int run_store_put(struct database *db, const struct run_record *record, struct error *err);
/* Those that were running when their farmd ended: their status becomes "interrupted". */
int run_store_interrupt(struct database *db, struct error *err);

/* 1: found, and the caller is done with it by run_record_done; 0: there is none. */
int run_store_get(struct database *db, const char *id, struct run_record *record, struct error *err);
/* The newest `limit` without their reports, newest first; the caller frees *list and what is in it. */
int run_store_list(struct database *db, size_t limit, struct run_record **list, size_t *count, struct error *err);

#endif
