/*
 * The questions that can be asked of the history, each a job: what it asks for, and what was found.
 */
#include "core/memory.h"
#include "supervisor/history/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a run to be kept --- */

struct put_run {
    struct history_job job;
    struct run_record record;
    history_done_fn *done;
    void *data;
};

static void free_put(struct put_run *put)
{
    run_record_done(&put->record);
    free(put);
}

static int put_run(struct database *db, struct history_job *job, struct error *err)
{
    return run_store_put(db, &((struct put_run *)job)->record, err);
}

static void on_put(struct history_job *job, const struct error *err)
{
    struct put_run *put = (struct put_run *)job;

    put->done(err, put->data);
    free_put(put);
}

int history_put_run(struct history *history, const struct run_record *record, history_done_fn *done, void *data,
                    struct error *err)
{
    struct put_run *put = xcalloc(1, sizeof(*put));

    put->job = (struct history_job){.work = put_run, .done = on_put, .writes = true};
    put->job.bytes = strlen(record->summary) + strlen(record->report);
    put->record = *record;
    put->record.summary = xstrdup(record->summary);
    put->record.report = xstrdup(record->report);
    put->done = done;
    put->data = data;
    int rc = history_enqueue(history, &put->job, err);
    if (rc < 0)
        free_put(put);
    return rc;
}

/* --- a run --- */

struct get_run {
    struct history_job job;
    char id[RUN_ID_MAX];
    struct run_record record;
    bool found;
    history_run_fn *done;
    void *data;
};

static int get_run(struct database *db, struct history_job *job, struct error *err)
{
    struct get_run *get = (struct get_run *)job;
    int rc = run_store_get(db, get->id, &get->record, err);

    get->found = rc > 0;
    return rc < 0 ? rc : 0;
}

static void on_got(struct history_job *job, const struct error *err)
{
    struct get_run *get = (struct get_run *)job;

    get->done(get->found ? &get->record : NULL, err, get->data);
    free(get);
}

int history_get_run(struct history *history, const char *id, history_run_fn *done, void *data, struct error *err)
{
    struct get_run *get = xcalloc(1, sizeof(*get));

    get->job = (struct history_job){.work = get_run, .done = on_got};
    snprintf(get->id, sizeof(get->id), "%s", id);
    get->done = done;
    get->data = data;
    int rc = history_enqueue(history, &get->job, err);
    if (rc < 0)
        free(get);
    return rc;
}

/* --- the runs --- */

struct list_runs {
    struct history_job job;
    size_t limit, count;
    struct run_record *list;
    history_runs_fn *done;
    void *data;
};

static int list_runs(struct database *db, struct history_job *job, struct error *err)
{
    struct list_runs *list = (struct list_runs *)job;

    return run_store_list(db, list->limit, &list->list, &list->count, err);
}

static void on_listed(struct history_job *job, const struct error *err)
{
    struct list_runs *list = (struct list_runs *)job;

    list->done(list->list, list->count, err, list->data);
    for (size_t i = 0; i < list->count; i++)
        run_record_done(&list->list[i]);
    free(list->list);
    free(list);
}

int history_list_runs(struct history *history, size_t limit, history_runs_fn *done, void *data, struct error *err)
{
    struct list_runs *list = xcalloc(1, sizeof(*list));

    list->job = (struct history_job){.work = list_runs, .done = on_listed};
    list->limit = limit;
    list->done = done;
    list->data = data;
    int rc = history_enqueue(history, &list->job, err);
    if (rc < 0)
        free(list);
    return rc;
}

/* --- events --- */

struct find_events {
    struct history_job job;
    struct event_query query;
    struct event *list;
    size_t count;
    struct event_span span;
    history_events_fn *done;
    void *data;
};

static int find_events(struct database *db, struct history_job *job, struct error *err)
{
    struct find_events *find = (struct find_events *)job;

    int rc = event_store_find(db, &find->query, &find->list, &find->count, err);

    return rc < 0 ? rc : event_store_span(db, &find->span, err);
}

static void on_found(struct history_job *job, const struct error *err)
{
    struct find_events *find = (struct find_events *)job;

    find->done(find->list, find->count, &find->span, err, find->data);
    free(find->list);
    free(find);
}

int history_find_events(struct history *history, const struct event_query *query, history_events_fn *done, void *data,
                        struct error *err)
{
    struct find_events *find = xcalloc(1, sizeof(*find));

    find->job = (struct history_job){.work = find_events, .done = on_found};
    find->query = *query;
    find->done = done;
    find->data = data;
    int rc = history_enqueue(history, &find->job, err);
    if (rc < 0)
        free(find);
    return rc;
}
