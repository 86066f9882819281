/*
 * The queue in front of the thread: each turn takes the events that are new and all jobs that wait. What the thread uses
 * (the database, the batch) is the thread's while it works.
 */
#include "supervisor/history/history.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/background.h"
#include "supervisor/history/job.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_DELAY_MS 250 /* events that happen together are written together */
#define RETRY_MS 5000      /* after a write that failed */
#define STUCK_MS 2000      /* a turn that takes longer: the disk does not answer */
#define BATCH 1024         /* events of one turn; the ring has more, and must not pass them by */

struct history {
    struct background background;
    char *path;
    const struct history_calls *calls;
    void *data;
    struct events *events; /* NULL before history_follow and from history_close on */
    struct events_watcher watcher;
    uint64_t stored_id; /* the newest event that is in the database */
    struct history_jobs waiting;
    size_t waiting_count, waiting_bytes;
    int64_t turn_began_ms;
    bool closing;
    struct event *last; /* from history_close on: the events of the last turn */
    size_t last_count;

    /* of the thread while it works */
    struct database *db; /* NULL: it could not be opened */
    struct history_jobs turn;
    struct event *batch;
    size_t batch_count;
    bool final;           /* it closes the database */
    struct error written; /* of the events, or of the opening; code 0: it went well */
    struct error aside;   /* likewise; code 0: nothing was set aside */
};

/* --- in the thread --- */

static int open_database(struct history *history, struct error *err)
{
    if (history->db != NULL)
        return 0;
    int rc = database_open(history->path, &history->db, &history->aside, err);
    return rc < 0 ? rc : run_store_interrupt(history->db, err);
}

/* Once more with a new database when this one is broken. */
static void replace_if_broken(struct history *history, const struct error *why)
{
    struct error err = {0};

    if (history->db != NULL && database_is_broken(why))
        database_replace(steal(&history->db), why, &history->db, &history->aside, &err);
}

static void work_on_job(struct history *history, struct history_job *job)
{
    job->err = (struct error){0};
    if (open_database(history, &job->err) < 0 || job->work(history->db, job, &job->err) == 0 ||
        !database_is_broken(&job->err))
        return;
    replace_if_broken(history, &job->err);
    job->err = (struct error){0};
    if (open_database(history, &job->err) == 0)
        job->work(history->db, job, &job->err);
}

static void write_events(struct history *history)
{
    struct error *err = &history->written;

    if (open_database(history, err) < 0 || event_store_add(history->db, history->batch, history->batch_count, err) == 0)
        return;
    replace_if_broken(history, err);
    if (!database_is_broken(err))
        return;
    *err = (struct error){0};
    if (open_database(history, err) == 0)
        event_store_add(history->db, history->batch, history->batch_count, err);
}

static void work(void *owner)
{
    struct history *history = owner;
    struct history_job *job;

    history->written = history->aside = (struct error){0};
    if (history->batch_count > 0)
        write_events(history);
    TAILQ_FOREACH(job, &history->turn, link)
    {
        work_on_job(history, job);
    }
    if (history->final)
        database_close(steal(&history->db));
}

/* --- on the loop --- */

/* The caller frees *batch. */
static size_t collect_events(const struct history *history, size_t max, struct event **batch)
{
    cleanup_free const struct event **list = xcalloc(max, sizeof(struct event *));
    size_t count = history->events != NULL ? events_after(history->events, history->stored_id, list, max, NULL) : 0;

    *batch = xcalloc(count + 1, sizeof(**batch));
    for (size_t i = 0; i < count; i++)
        (*batch)[i] = *list[i];
    return count;
}

static void prepare(void *owner)
{
    struct history *history = owner;

    if (history->closing) {
        history->batch = steal(&history->last);
        history->batch_count = history->last_count;
        history->final = true;
    } else {
        history->batch_count = collect_events(history, BATCH, &history->batch);
    }
    TAILQ_CONCAT(&history->turn, &history->waiting, link);
    history->waiting_count = history->waiting_bytes = 0;
    history->turn_began_ms = clock_monotonic_ms();
}

static void finish_jobs(struct history *history, bool *wrote, struct error *failed)
{
    struct history_job *job;

    while ((job = TAILQ_FIRST(&history->turn)) != NULL) {
        TAILQ_REMOVE(&history->turn, job, link);
        struct error err = job->err;
        *wrote |= job->writes;
        if (job->writes && err.code != 0)
            *failed = err;
        job->done(job, err.code != 0 ? &err : NULL);
    }
}

static uint64_t events_waiting(const struct history *history)
{
    return history->events != NULL ? events_last_id(history->events) - history->stored_id : 0;
}

static void set_next(struct history *history, bool failed)
{
    uint64_t events = events_waiting(history);

    if (history->final)
        background_close(&history->background);
    else if (history->closing || !TAILQ_EMPTY(&history->waiting) || (events >= BATCH && !failed))
        background_set(&history->background, 0);
    else if (events > 0)
        background_set(&history->background, failed ? RETRY_MS : WRITE_DELAY_MS);
}

static void on_worked(void *owner)
{
    struct history *history = owner;
    struct error failed = history->written;
    bool wrote = history->batch_count > 0;

    if (wrote && failed.code == 0)
        history->stored_id = history->batch[history->batch_count - 1].id;
    free(steal(&history->batch));
    if (history->aside.code != 0 && !history->closing)
        history->calls->set_aside(&history->aside, history->data);
    finish_jobs(history, &wrote, &failed);
    if (wrote && !history->closing)
        history->calls->report(failed.code != 0 ? &failed : NULL, history->data);
    set_next(history, failed.code != 0);
}

static void on_new_events(void *data)
{
    struct history *history = data;

    if (!background_is_set(&history->background))
        background_set(&history->background, WRITE_DELAY_MS);
    else if (events_waiting(history) >= BATCH && !history->background.working)
        background_set(&history->background, 0);
}

int history_enqueue(struct history *history, struct history_job *job, struct error *err)
{
    bool working = history->background.working;

    if (working && clock_monotonic_ms() - history->turn_began_ms > STUCK_MS)
        return error_set(err, EAGAIN, "the disk with the history does not answer; try again later");
    if (history->closing || history->waiting_count >= HISTORY_WAITING_MAX ||
        history->waiting_bytes + job->bytes > HISTORY_WAITING_BYTES)
        return error_set(err, EAGAIN, "too much waits for the history; try again in a second");
    TAILQ_INSERT_TAIL(&history->waiting, job, link);
    history->waiting_count++;
    history->waiting_bytes += job->bytes;
    if (!working)
        background_set(&history->background, 0);
    return 0;
}

/* --- life --- */

static void on_freed(void *owner)
{
    struct history *history = owner;

    history->calls->closed(history->data);
    free(history->path);
    free(history);
}

/* There is none, and nothing is known that would keep one from being made. */
static bool is_to_be_made(const char *path)
{
    struct stat status;
    cleanup_free char *directory = xstrdup(path);

    return lstat(path, &status) < 0 && errno == ENOENT && access(dirname(directory), W_OK | X_OK) == 0;
}

struct history *history_new(uv_loop_t *loop, const char *path, const struct history_calls *calls, void *data)
{
    static const struct background_calls background_calls = {
        .prepare = prepare, .work = work, .done = on_worked, .freed = on_freed};
    struct history *history = xcalloc(1, sizeof(*history));
    struct event_span span = {0};

    history->path = xstrdup(path);
    history->calls = calls;
    history->data = data;
    history->watcher = (struct events_watcher){.on_new = on_new_events, .data = history};
    TAILQ_INIT(&history->waiting);
    TAILQ_INIT(&history->turn);
    background_init(&history->background, loop, &background_calls, history);
    if (is_to_be_made(path)) /* which syncs the disk several times, so the thread does it; there is nothing to read */
        return history;
    int rc = open_database(history, &history->written);
    if (rc == 0)
        rc = event_store_span(history->db, &span, &history->written);
    history->stored_id = span.last_id;
    if (history->aside.code != 0)
        calls->set_aside(&history->aside, data);
    if (rc < 0)
        calls->report(&history->written, data);
    return history;
}

void history_recall(struct history *history, struct events *events)
{
    const struct event_query query = {.limit = HISTORY_RECALL_MAX,
                                      .not_before_us = clock_realtime_us() - HISTORY_RECALL_US};
    struct event *list = NULL;
    struct error err = {0};
    size_t count = 0;

    if (history->db == NULL || event_store_find(history->db, &query, &list, &count, &err) < 0)
        return;
    events_precede(events, list, count, history->stored_id);
    free(list);
}

void history_follow(struct history *history, struct events *events)
{
    history->events = events;
    events_watch(events, &history->watcher);
    on_new_events(history);
}

void history_close(struct history *history)
{
    if (history->events != NULL) {
        history->last_count = collect_events(history, EVENTS_CAPACITY, &history->last);
        events_unwatch(&history->watcher);
    }
    history->closing = true;
    history->events = NULL;
    if (!history->background.working)
        background_set(&history->background, 0);
}
