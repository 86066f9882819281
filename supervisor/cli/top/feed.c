/*
 * See feed.h.
 */
#include "supervisor/cli/top/feed.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/top/asker.h"
#include "supervisor/cli/top/tail.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_MS 1000
#define ANSWER_MS 10000u              /* within which a question that only looks is answered */
#define MAX_LIST ((size_t)64 << 20)   /* ten thousand servers are 12 MB */
#define MAX_ANSWER ((size_t)16 << 20) /* any other answer */
#define JOBS 2    /* lists that are read at once: an old one that nobody wants any more, and the new one */
#define ERRANDS 8 /* things that are done at once */

/* Reads a list in a thread of the pool. */
struct job {
    uv_work_t work;
    struct feed *feed; /* NULL: gone */
    unsigned generation;
    bool single;
    char *text;
    size_t length;
    struct snapshot *snapshot;
};

struct errand {
    struct asker asker;
    struct feed *feed;
};

struct feed {
    struct asked_farm farm;
    const struct feed_listener *listener;
    void *data;
    uv_timer_t timer;

    char *selector;      /* of the list */
    int opened;          /* 0: the list */
    unsigned generation; /* counts what is looked at: an answer about something else is dropped */
    bool refused;
    struct asker list, policy, history, load;
    char *load_url; /* NULL: none is watched */
    struct tail log, events;
    struct job *jobs[JOBS];
    struct errand errands[ERRANDS];
};

/* --- the list, or the open server's entry in it --- */

static struct job **free_place(struct feed *feed)
{
    for (size_t i = 0; i < JOBS; i++) {
        if (!feed->jobs[i])
            return &feed->jobs[i];
    }
    return NULL;
}

static void read_list(uv_work_t *work)
{
    struct job *job = work->data;
    job->snapshot = snapshot_parse(job->text, job->length);
}

static void tell_list(struct feed *feed, struct job *job)
{
    for (size_t i = 0; i < JOBS; i++)
        feed->jobs[i] = feed->jobs[i] == job ? NULL : feed->jobs[i];
    if (job->generation != feed->generation)
        return;
    if (job->snapshot)
        feed->listener->on_snapshot(steal(&job->snapshot), job->single, feed->data);
    else
        feed->listener->on_trouble("what answers there is no farmd; trying again", false, feed->data);
}

static void list_is_read(uv_work_t *work, int status)
{
    struct job *job = work->data;
    (void)status;
    if (job->feed)
        tell_list(job->feed, job);
    snapshot_free(job->snapshot);
    free(job->text);
    free(job);
}

static void on_list(const struct http_client_response *response, void *data)
{
    struct feed *feed = data;
    struct error err;
    if (!asker_is_fine(&feed->list, response, &err)) {
        feed->refused = asker_is_refused(response);
        feed->listener->on_trouble(err.message, feed->refused, feed->data);
        return;
    }
    struct job **place = free_place(feed);
    if (!place)
        return; /* this machine is slower than the farm; the next one will do */
    struct job *job = xcalloc(1, sizeof(*job));
    *job = (struct job){.feed = feed,
                        .generation = feed->generation,
                        .single = feed->opened != 0,
                        .text = xstrndup(response->body, response->body_length),
                        .length = response->body_length};
    job->work.data = *place = job;
    uv_queue_work(feed->farm.loop, &job->work, read_list, list_is_read);
}

static void ask_list(struct feed *feed)
{
    struct buffer target = BUFFER_EMPTY;
    char id[16];
    if (feed->list.busy || feed->refused)
        return;
    snprintf(id, sizeof(id), "%d", feed->opened);
    buffer_append_text(&target, "/api/servers");
    selection_append(&target, feed->opened ? id : feed->selector);
    asker_ask(&feed->list,
              &(struct asker_question){.target = target.data, .timeout_ms = ANSWER_MS, .max_body = MAX_LIST});
    buffer_done(&target);
}

/* Something else is looked at. */
static void ask_list_anew(struct feed *feed)
{
    feed->generation++;
    feed->refused = false;
    asker_forget(&feed->list);
    ask_list(feed);
}

/* --- the open server --- */

static void tell(const struct asker *asker, const struct http_client_response *response, struct feed *feed,
                 void (*on_json)(const cJSON *json, void *data))
{
    if (!asker_is_fine(asker, response, NULL))
        return; /* the list tells what is wrong with the farm */
    cJSON *json = cJSON_ParseWithLength(response->body, response->body_length);
    if (json)
        on_json(json, feed->data);
    cJSON_Delete(json);
}

static void on_policy(const struct http_client_response *response, void *data)
{
    struct feed *feed = data;
    tell(&feed->policy, response, feed, feed->listener->on_policy);
}

static void on_history(const struct http_client_response *response, void *data)
{
    struct feed *feed = data;
    tell(&feed->history, response, feed, feed->listener->on_history);
}

static void on_log(const struct sse_event *event, void *data)
{
    struct feed *feed = data;
    cJSON *lines = strcmp(event->name, "lines") == 0 ? cJSON_ParseWithLength(event->data, event->length) : NULL;
    if (lines)
        feed->listener->on_lines(lines, feed->data);
    cJSON_Delete(lines);
}

static void on_event(const struct sse_event *event, void *data)
{
    struct feed *feed = data;
    if (strcmp(event->name, "lost") == 0)
        feed->listener->on_event(NULL, feed->data);
    cJSON *one = strcmp(event->name, "event") == 0 ? cJSON_ParseWithLength(event->data, event->length) : NULL;
    if (one)
        feed->listener->on_event(one, feed->data);
    cJSON_Delete(one);
}

static void ask_about(struct feed *feed, struct asker *asker, const char *what)
{
    char target[64];
    if (feed->opened == 0 || asker->busy)
        return;
    snprintf(target, sizeof(target), "/api/servers/%d%s", feed->opened, what);
    asker_ask(asker, &(struct asker_question){.target = target, .timeout_ms = ANSWER_MS, .max_body = MAX_ANSWER});
}

void feed_open(struct feed *feed, int server_id)
{
    char target[96];
    feed->opened = server_id;
    asker_forget(&feed->policy);
    asker_forget(&feed->history);
    tail_end(&feed->log);
    tail_end(&feed->events);
    ask_list_anew(feed);
    if (server_id == 0)
        return;
    ask_about(feed, &feed->policy, "");
    ask_about(feed, &feed->history, "/history");
    snprintf(target, sizeof(target), "/api/logs?select=%d&follow=true&tail=500", server_id);
    tail_begin(&feed->log, target);
    snprintf(target, sizeof(target), "/api/events?server_id=%d&follow=true&limit=100", server_id);
    tail_begin(&feed->events, target);
}

static void on_load(const struct http_client_response *response, void *data)
{
    struct feed *feed = data;
    cJSON *run = asker_is_fine(&feed->load, response, NULL)
                     ? cJSON_ParseWithLength(response->body, response->body_length)
                     : NULL;
    bool over = run ? strcmp(view_text(run, "status"), "running") != 0 : asker_is_refused(response);
    if (over)
        free(steal(&feed->load_url));
    if (run || over)
        feed->listener->on_load(run, feed->data);
    cJSON_Delete(run);
}

static void ask_load(struct feed *feed)
{
    if (feed->load_url && !feed->load.busy)
        asker_ask(&feed->load,
                  &(struct asker_question){.target = feed->load_url, .timeout_ms = ANSWER_MS, .max_body = MAX_LIST});
}

void feed_watch_load(struct feed *feed, const char *url)
{
    asker_forget(&feed->load);
    free(feed->load_url);
    feed->load_url = xstrdup(url);
}

void feed_select(struct feed *feed, const char *selector)
{
    free(feed->selector);
    feed->selector = xstrdup(selector);
    ask_list_anew(feed);
}

/* --- what is to be done --- */

static void on_errand(const struct http_client_response *response, void *data)
{
    struct errand *errand = data;
    struct feed *feed = errand->feed;
    struct error err;
    bool fine = asker_is_fine(&errand->asker, response, &err);
    cJSON *answer = fine ? cJSON_ParseWithLength(response->body, response->body_length) : NULL;
    if (fine && !answer)
        fine = asker_is_fine(&errand->asker, &(struct http_client_response){.outcome = HTTP_BAD_RESPONSE}, &err);
    feed->listener->on_done(answer, (int64_t)(response->duration_ns / (uint64_t)NS_PER_MS), fine ? NULL : err.message,
                            feed->data);
    cJSON_Delete(answer);
    ask_list(feed); /* to show it at once */
}

bool feed_act(struct feed *feed, const char *method, const char *target, const char *body)
{
    for (size_t i = 0; i < ERRANDS; i++) {
        struct errand *errand = &feed->errands[i];
        if (errand->asker.busy)
            continue;
        errand->feed = feed;
        errand->asker.on_answer = on_errand;
        errand->asker.data = errand;
        asker_ask(&errand->asker,
                  &(struct asker_question){.method = method, .target = target, .body = body, .max_body = MAX_ANSWER});
        return true;
    }
    return false;
}

unsigned feed_acting(const struct feed *feed)
{
    unsigned count = 0;
    for (size_t i = 0; i < ERRANDS; i++)
        count += feed->errands[i].asker.busy;
    return count;
}

/* --- its life --- */

static void on_tick(uv_timer_t *timer)
{
    struct feed *feed = timer->data;
    ask_list(feed);
    ask_about(feed, &feed->history, "/history");
    ask_load(feed);
    tail_tick(&feed->log);
    tail_tick(&feed->events);
}

struct feed *feed_new(uv_loop_t *loop, const struct reach *reach, const struct feed_listener *listener, void *data)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));
    feed->farm = (struct asked_farm){.loop = loop, .reach = reach};
    feed->listener = listener;
    feed->data = data;
    feed->list = (struct asker){.farm = &feed->farm, .on_answer = on_list, .data = feed};
    feed->policy = (struct asker){.farm = &feed->farm, .on_answer = on_policy, .data = feed};
    feed->history = (struct asker){.farm = &feed->farm, .on_answer = on_history, .data = feed};
    feed->load = (struct asker){.farm = &feed->farm, .on_answer = on_load, .data = feed};
    feed->log = (struct tail){.asker.farm = &feed->farm, .on_event = on_log, .data = feed};
    feed->events = (struct tail){.asker.farm = &feed->farm, .on_event = on_event, .data = feed};
    for (size_t i = 0; i < ERRANDS; i++)
        feed->errands[i].asker.farm = &feed->farm;
    uv_timer_init(loop, &feed->timer);
    feed->timer.data = feed;
    uv_timer_start(&feed->timer, on_tick, PERIOD_MS, PERIOD_MS);
    return feed;
}

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    asker_forget(&feed->list);
    asker_forget(&feed->policy);
    asker_forget(&feed->history);
    asker_forget(&feed->load);
    tail_end(&feed->log);
    tail_end(&feed->events);
    for (size_t i = 0; i < ERRANDS; i++)
        asker_forget(&feed->errands[i].asker);
    for (size_t i = 0; i < JOBS; i++) {
        if (feed->jobs[i])
            feed->jobs[i]->feed = NULL;
    }
    free(feed->selector);
    free(feed->load_url);
    uv_close((uv_handle_t *)&feed->timer, on_closed);
}
