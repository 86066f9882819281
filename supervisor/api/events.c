/*
 * `GET /api/events`: what happened, oldest first; without `since`, the newest ones, from the ring and where that does not
 * reach from the history. With `follow` as a stream that goes on with what happens.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/stream.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"
#include "supervisor/history/history.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_LIMIT 200
#define ENTRY_BYTES (EVENT_MESSAGE_MAX + 256)
#define MAX_AGE_S 31536000.0
#define BATCH 64 /* events that a stream takes from the ring at once */

/* Which events are wanted. */
struct wanted {
    bool follow;
    struct event_query query; /* oldest_first: there is a bound `since` */
    struct targets targets;   /* the servers of the query */
};

/* --- the question --- */

/* `server_id` is a selector of one number, which need not be there any more. */
static bool read_servers(struct http_request *request, const struct farm *farm, struct wanted *wanted)
{
    struct error err = {0};
    int64_t server_id = 0;

    int one = query_int(http_request_query(request), "server_id", 1, SETTINGS_MAX_SERVERS, &server_id, &err);
    if (one < 0) {
        respond_error(request, &err);
        return false;
    }
    if (!targets_read_query(request, farm, &wanted->targets))
        return false;
    wanted->query.by_server = one > 0 || wanted->targets.given;
    if (one == 0 || wanted->targets.given)
        return true;
    targets_done(&wanted->targets);
    wanted->targets.ids = xcalloc(1, sizeof(int));
    wanted->targets.ids[0] = (int)server_id;
    wanted->targets.count = 1;
    return true;
}

static bool read_wanted(struct http_request *request, const struct farm *farm, struct wanted *wanted)
{
    struct http_slice query = http_request_query(request);
    struct error err = {0};
    double max_age_s = 0;
    int64_t since = 0, before = 0, limit = DEFAULT_LIMIT;

    *wanted = (struct wanted){0};
    int has_since = query_int(query, "since", 0, BODY_MAX_INT, &since, &err);
    int has_before = has_since < 0 ? has_since : query_int(query, "before", 1, BODY_MAX_INT, &before, &err);
    int aged = has_before < 0 ? has_before : query_number(query, "max_age", 0, MAX_AGE_S, &max_age_s, &err);
    if (aged < 0 || query_int(query, "limit", 0, EVENTS_CAPACITY, &limit, &err) < 0 ||
        query_bool(query, "follow", &wanted->follow, &err) < 0 ||
        query_bool(query, "warnings", &wanted->query.warnings, &err) < 0) {
        respond_error(request, &err);
        return false;
    }
    if (has_before > 0 && wanted->follow) {
        http_respond_problem(request, 422, "before and follow exclude each other: what happens comes after");
        return false;
    }
    wanted->query.since = (uint64_t)since;
    wanted->query.before = (uint64_t)before;
    wanted->query.limit = (size_t)limit;
    wanted->query.oldest_first = has_since > 0;
    if (aged > 0)
        wanted->query.not_before_us = clock_realtime_us() - llround(max_age_s * US_PER_SECOND);
    if (!read_servers(request, farm, wanted))
        return false;
    wanted->query.server_ids = wanted->targets.ids;
    wanted->query.server_count = wanted->targets.count;
    return true;
}

/* Those of the ring behind `since` that are wanted, in front of `list` (room for EVENTS_CAPACITY). */
static size_t choose(const struct events *events, const struct wanted *wanted, uint64_t since,
                     const struct event **list, bool *lost)
{
    size_t count = events_after(events, since, list, EVENTS_CAPACITY, lost), kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (event_query_matches(&wanted->query, list[i]))
            list[kept++] = list[i];
    }
    return kept;
}

/* The first ones, or the newest ones when there is no bound `since`; returns how many of `count`. */
static size_t limit(const struct wanted *wanted, const struct event **list, size_t count)
{
    size_t most = wanted->query.limit;

    if (count <= most)
        return count;
    for (size_t i = 0; !wanted->query.oldest_first && i < most; i++)
        list[i] = list[count - most + i];
    return most;
}

/* A number that has not come yet is an earlier farmd's whose history is lost, so that they began anew: then everything is
 * new. */
static bool of_an_earlier_farmd(const struct events *events, uint64_t *since)
{
    if (*since <= events_last_id(events))
        return false;
    *since = 0;
    return true;
}

/* --- at once --- */

static void respond_events(struct http_request *request, const struct event *const *list, size_t count, uint64_t last,
                           bool lost)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (!respond_reserve(request, &out, count * ENTRY_BYTES))
        return;
    json_begin_object(&w);
    json_key(&w, "events");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++)
        view_event(&w, list[i]);
    json_end_array(&w);
    json_member_uint(&w, "last_id", last);
    json_member_bool(&w, "lost", lost);
    view_timestamp(&w);
    json_end_object(&w);
    respond_json(request, 200, &out);
}

/* Where a client goes on: behind what it was given, or behind everything when nothing was held back. */
static void respond_list(struct http_request *request, const struct events *events, const struct wanted *wanted,
                         const struct event *const *list, size_t count, bool lost)
{
    uint64_t last = count > 0 && count == wanted->query.limit ? list[count - 1]->id : events_last_id(events);

    respond_events(request, list, count, last, wanted->query.oldest_first && lost);
}

/* --- with those that are in the history only --- */

struct looking {
    struct reply reply;
    struct api *api;
    struct wanted wanted;
    bool restarted;
};

/* The history lags a moment behind: the ring has what follows. */
static void on_found(const struct event *found, size_t count, const struct event_span *stored, const struct error *err,
                     void *data)
{
    struct looking *op = data;
    struct http_request *request = op->reply.request;
    const struct events *events = farm_events(op->api->farm);
    cleanup_free const struct event **list = xcalloc(count + EVENTS_CAPACITY, sizeof(struct event *));
    uint64_t since = op->wanted.query.since;
    bool lost = false;

    for (size_t i = 0; i < count; i++)
        list[i] = &found[i];
    uint64_t behind = err == NULL && stored->last_id > since ? stored->last_id : since;
    count += choose(events, &op->wanted, behind, list + count, &lost);
    lost |= err == NULL && stored->last_id > 0 && since + 1 < stored->first_id;
    count = limit(&op->wanted, list, count);
    reply_release(&op->reply);
    if (request != NULL)
        respond_list(request, events, &op->wanted, list, count, lost || op->restarted);
    targets_done(&op->wanted.targets);
    api_unref(op->api);
    free(op);
}

/* Whether more than the ring's `count` could be wanted. */
static bool reaches_further(const struct api *api, const struct wanted *wanted, size_t count)
{
    const struct event *oldest;

    if (api->history == NULL || wanted->query.limit == 0 ||
        events_after(farm_events(api->farm), 0, &oldest, 1, NULL) == 0)
        return false;
    return wanted->query.since + 1 < oldest->id && oldest->at_us >= wanted->query.not_before_us &&
           (wanted->query.oldest_first || count < wanted->query.limit);
}

/* True when the history answers, and has taken the wanted servers over. */
static bool look_further(struct http_request *request, struct api *api, const struct wanted *wanted, bool restarted)
{
    struct looking *op = xcalloc(1, sizeof(*op));
    struct error err = {0};

    op->api = api_ref(api);
    op->wanted = *wanted;
    op->restarted = restarted;
    reply_hold(&op->reply, request, NULL);
    if (history_find_events(api->history, &op->wanted.query, on_found, op, &err) == 0)
        return true;
    reply_release(&op->reply);
    api_unref(api);
    free(op);
    return false;
}

/* Takes the wanted servers over. */
static void list_events(struct http_request *request, struct api *api, struct wanted *wanted)
{
    const struct events *events = farm_events(api->farm);
    const struct event *list[EVENTS_CAPACITY];
    bool lost = false, restarted = of_an_earlier_farmd(events, &wanted->query.since);

    size_t count = choose(events, wanted, wanted->query.since, list, &lost);
    if (reaches_further(api, wanted, count) && look_further(request, api, wanted, restarted))
        return;
    count = limit(wanted, list, count);
    respond_list(request, events, wanted, list, count, lost || restarted);
    targets_done(&wanted->targets);
}

/* --- as they happen --- */

struct follower {
    struct stream stream;
    struct events_watcher watcher;
    const struct events *events;
    struct wanted wanted;
    uint64_t since; /* what has been sent */
};

static struct follower *follower_of(struct stream *stream)
{
    return (struct follower *)((char *)stream - offsetof(struct follower, stream));
}

/* Some are gone that the reader has not seen. */
static bool send_lost(struct follower *follower, uint64_t oldest)
{
    struct buffer data = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&data);

    json_begin_object(&w);
    json_member_uint(&w, "since", follower->since);
    json_end_object(&w);
    follower->since = oldest - 1;
    return stream_send(&follower->stream, NULL, "lost", &data);
}

static bool send_event(struct follower *follower, const struct event *event)
{
    struct buffer data = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&data);
    char id[24];

    follower->since = event->id;
    if (!event_query_matches(&follower->wanted.query, event))
        return true;
    snprintf(id, sizeof(id), "%" PRIu64, event->id);
    view_event(&w, event);
    return stream_send(&follower->stream, id, "event", &data);
}

static void send_new(struct stream *stream)
{
    struct follower *follower = follower_of(stream);
    const struct event *list[BATCH];
    bool lost = false;
    size_t count;

    do {
        count = events_after(follower->events, follower->since, list, BATCH, &lost);
        if (lost && !send_lost(follower, list[0]->id))
            return;
        for (size_t i = 0; i < count; i++) {
            if (!send_event(follower, list[i]))
                return;
        }
    } while (count == BATCH);
}

static void on_new(void *data)
{
    struct follower *follower = data;

    stream_wake(&follower->stream);
}

static void leave(struct stream *stream)
{
    events_unwatch(&follower_of(stream)->watcher);
}

static void free_follower(struct stream *stream)
{
    struct follower *follower = follower_of(stream);

    targets_done(&follower->wanted.targets);
    free(follower);
}

/* A reader that comes back goes on where it was; a new one begins with the newest `limit`, or behind `since`. */
static uint64_t beginning(struct http_request *request, const struct events *events, const struct wanted *wanted)
{
    uint64_t last_id = events_last_id(events);
    int64_t seen = stream_last_id(request, -1);

    if (seen >= 0 || wanted->query.oldest_first) {
        uint64_t since = seen >= 0 ? (uint64_t)seen : wanted->query.since;
        of_an_earlier_farmd(events, &since);
        return since;
    }
    const struct event *list[EVENTS_CAPACITY];
    size_t count = limit(wanted, list, choose(events, wanted, 0, list, NULL));
    return count > 0 ? list[0]->id - 1 : last_id;
}

static void follow_events(struct http_request *request, struct api *api, const struct wanted *wanted)
{
    static const struct stream_calls CALLS = {.more = send_new, .closed = leave, .freed = free_follower};
    struct events *events = farm_events(api->farm);
    struct follower *follower = xcalloc(1, sizeof(*follower));

    follower->wanted = *wanted;
    follower->events = events;
    follower->watcher = (struct events_watcher){.on_new = on_new, .data = follower};
    follower->since = beginning(request, events, wanted);
    follower->wanted.query.since = 0; /* for whatever the numbers are, all that follows is wanted */
    events_watch(events, &follower->watcher);
    stream_begin(&follower->stream, request, api, 0, &CALLS);
}

void events_list(struct http_request *request, const struct http_match *match)
{
    struct api *api = api_of(match);
    struct wanted wanted;

    if (!read_wanted(request, api->farm, &wanted))
        return;
    if (!wanted.follow)
        list_events(request, api, &wanted);
    else if (stream_has_room(request, api))
        follow_events(request, api, &wanted); /* the stream has the targets */
    else
        targets_done(&wanted.targets);
}
