/*
 * What outlives farmd: events and load-test runs, in an SQLite database of the state directory. Written and read in the
 * thread pool, one piece of work at a time; nobody waits for it but who asks for what is only there. Without a database
 * (a full disk, no right) farmd goes on and tries again.
 */
#ifndef SUPERVISOR_HISTORY_HISTORY_H
#define SUPERVISOR_HISTORY_HISTORY_H

#include "core/error.h"
#include "supervisor/farm/events.h"
#include "supervisor/history/event_store.h"
#include "supervisor/history/run_store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HISTORY_WAITING_MAX 64                      /* questions and runs that wait for the thread, … */
#define HISTORY_WAITING_BYTES ((size_t)32 << 20)    /* … and what such runs may have together */
#define HISTORY_RECALL_US (INT64_C(3600) * 1000000) /* how far back the ring of events is filled at the start, … */
#define HISTORY_RECALL_MAX 1000                     /* … and with how many */

struct history;

struct history_calls {
    void (*set_aside)(const struct error *err, void *data); /* what was there is no use; a new one has been begun */
    void (*report)(const struct error *err, void *data);    /* after each try to write: NULL, or what went wrong */
    void (*closed)(void *data);                             /* after history_close: it is gone */
};

/* Opens the database that an earlier farmd left, which is read now and then before anybody is served; set_aside and report
 * may be called at once. Where there is none, one is made with the first events. */
struct history *history_new(uv_loop_t *loop, const char *path, const struct history_calls *calls, void *data);

/* Puts the latest events of an earlier farmd in front of those in the ring, whose ids then follow. Before history_follow. */
void history_recall(struct history *history, struct events *events);
/* From now on the events of the ring are written down, a moment after they happen. The ring must outlive history_close. */
void history_follow(struct history *history, struct events *events);

/* Writes what is left, then frees; until `closed` the state directory must stay locked. NULL is not allowed. */
void history_close(struct history *history);

/* --- asking and telling; `done` comes once, from the loop, `err` NULL when it went well. Each fails at once, with
 * -EAGAIN and without `done`, when too much waits or the disk does not answer. --- */

typedef void history_done_fn(const struct error *err, void *data);
/* Copies the record. */
int history_put_run(struct history *history, const struct run_record *record, history_done_fn *done, void *data,
                    struct error *err);

/* `record` NULL: there is none. What it points to is the callee's. */
typedef void history_run_fn(struct run_record *record, const struct error *err, void *data);
int history_get_run(struct history *history, const char *id, history_run_fn *done, void *data, struct error *err);

/* The list is the history's, valid during the call. */
typedef void history_runs_fn(const struct run_record *list, size_t count, const struct error *err, void *data);
int history_list_runs(struct history *history, size_t limit, history_runs_fn *done, void *data, struct error *err);

/* Likewise; server_ids of the query must live until then. */
typedef void history_events_fn(const struct event *list, size_t count, const struct event_span *stored,
                               const struct error *err, void *data);
int history_find_events(struct history *history, const struct event_query *query, history_events_fn *done, void *data,
                        struct error *err);

#endif
