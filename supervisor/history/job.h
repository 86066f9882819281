/*
 * A piece of work with the database that waits for its turn in the thread. Private to supervisor/history/.
 */
#ifndef SUPERVISOR_HISTORY_JOB_H
#define SUPERVISOR_HISTORY_JOB_H

#include "supervisor/history/history.h"

#include <sys/queue.h>

struct history_job {
    int (*work)(struct database *db, struct history_job *job, struct error *err); /* in the thread */
    void (*done)(struct history_job *job, const struct error *err);               /* on the loop; frees the job */
    size_t bytes;                                                                 /* that it holds */
    bool writes;
    struct error err; /* code 0: it went well */
    TAILQ_ENTRY(history_job) link;
};

TAILQ_HEAD(history_jobs, history_job);

/* -EAGAIN when there are too many; the job is the caller's then. */
int history_enqueue(struct history *history, struct history_job *job, struct error *err);

#endif
