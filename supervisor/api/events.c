/*
 * `GET /api/events`: what happened, oldest first; without `since`, the newest ones. With `follow` as a stream that goes on
 * with what happens.
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
    bool has_since;
    int64_t since, limit;
    int64_t not_before_us;
    bool warnings;          /* only these */
    bool by_server;         /* of the chosen servers only, without the farm's own */
    struct targets targets; /* the chosen ones, ascending */
};

static int compare_ids(const void *key, const void *entry)
{
    int wanted = *(const int *)key, here = *(const int *)entry;

    return (wanted > here) - (wanted < here);
}

static bool is_wanted(const struct wanted *wanted, const struct event *event)
{
    if (event->at_us < wanted->not_before_us || (wanted->warnings && !event_reason_is_warning(event->reason)))
        return false;
    const struct targets *targets = &wanted->targets;
    return !wanted->by_server || (targets->count > 0 && bsearch(&event->server_id, targets->ids, targets->count,
                                                                sizeof(targets->ids[0]), compare_ids) != NULL);
}

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
    wanted->by_server = one > 0 || wanted->targets.given;
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

    *wanted = (struct wanted){.limit = DEFAULT_LIMIT};
    int since = query_int(query, "since", 0, BODY_MAX_INT, &wanted->since, &err);
    int aged = since < 0 ? 0 : query_number(query, "max_age", 0, MAX_AGE_S, &max_age_s, &err);
    if (since < 0 || aged < 0 || query_int(query, "limit", 0, EVENTS_CAPACITY, &wanted->limit, &err) < 0 ||
        query_bool(query, "follow", &wanted->follow, &err) < 0 ||
        query_bool(query, "warnings", &wanted->warnings, &err) < 0) {
        respond_error(request, &err);
        return false;
    }
    wanted->has_since = since > 0;
    if (aged > 0)
        wanted->not_before_us = clock_realtime_us() - llround(max_age_s * US_PER_SECOND);
    return read_servers(request, farm, wanted);
}

/* The events behind wanted->since: the first `limit`, or the newest ones when there is no such bound. Returns how many
 * stand at the front of `list` (room for EVENTS_CAPACITY). */
static size_t choose(const struct events *events, const struct wanted *wanted, const struct event **list, bool *lost)
{
    size_t count = events_after(events, (uint64_t)wanted->since, list, EVENTS_CAPACITY, lost);
    size_t kept = 0, limit = (size_t)wanted->limit;

    for (size_t i = 0; i < count; i++) {
        if (is_wanted(wanted, list[i]))
            list[kept++] = list[i];
    }
    if (kept <= limit)
        return kept;
    for (size_t i = 0; !wanted->has_since && i < limit; i++)
        list[i] = list[kept - limit + i];
    return limit;
}

/* A number that has not come yet is an earlier farmd's, since they begin anew with each: then everything is new. */
static bool of_an_earlier_farmd(const struct events *events, struct wanted *wanted)
{
    if (wanted->since <= (int64_t)events_last_id(events))
        return false;
    wanted->since = 0;
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

static void list_events(struct http_request *request, const struct events *events, struct wanted *wanted)
{
    const struct event *list[EVENTS_CAPACITY];
    bool lost = false, restarted = of_an_earlier_farmd(events, wanted);

    size_t count = choose(events, wanted, list, &lost);
    /* Where a client goes on: behind what it was given, or behind everything when nothing was held back. */
    uint64_t last = count > 0 && count == (size_t)wanted->limit ? list[count - 1]->id : events_last_id(events);
    respond_events(request, list, count, last, wanted->has_since && (lost || restarted));
}

/* --- as they happen --- */

struct follower {
    struct stream stream;
    struct events_watcher watcher;
    const struct events *events;
    struct wanted wanted;
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
    json_member_int(&w, "since", follower->wanted.since);
    json_end_object(&w);
    follower->wanted.since = (int64_t)oldest - 1;
    return stream_send(&follower->stream, NULL, "lost", &data);
}

static bool send_event(struct follower *follower, const struct event *event)
{
    struct buffer data = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&data);
    char id[24];

    follower->wanted.since = (int64_t)event->id;
    if (!is_wanted(&follower->wanted, event))
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
        count = events_after(follower->events, (uint64_t)follower->wanted.since, list, BATCH, &lost);
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
static void set_beginning(struct http_request *request, const struct events *events, struct wanted *wanted)
{
    int64_t last_id = (int64_t)events_last_id(events), seen = stream_last_id(request, -1);

    if (seen >= 0 || wanted->has_since) {
        wanted->since = seen >= 0 ? seen : wanted->since;
        of_an_earlier_farmd(events, wanted);
        return;
    }
    const struct event *list[EVENTS_CAPACITY];
    size_t count = choose(events, wanted, list, NULL);
    wanted->since = count > 0 ? (int64_t)list[0]->id - 1 : last_id;
}

static void follow_events(struct http_request *request, struct api *api, const struct wanted *wanted)
{
    static const struct stream_calls CALLS = {.more = send_new, .closed = leave, .freed = free_follower};
    struct events *events = farm_events(api->farm);
    struct follower *follower = xcalloc(1, sizeof(*follower));

    follower->wanted = *wanted;
    follower->events = events;
    follower->watcher = (struct events_watcher){.on_new = on_new, .data = follower};
    set_beginning(request, events, &follower->wanted);
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
        list_events(request, farm_events(api->farm), &wanted);
    else if (stream_has_room(request, api)) {
        follow_events(request, api, &wanted);
        return; /* the stream has the targets */
    }
    targets_done(&wanted.targets);
}
