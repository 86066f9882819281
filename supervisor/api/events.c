/*
 * `GET /api/events?since=&limit=&server_id=`: what happened, oldest first; without `since`, the newest ones.
 */
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"

#define DEFAULT_LIMIT 200
#define ENTRY_BYTES (EVENT_MESSAGE_MAX + 256)

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

/* Keeps those of one server (0: all), then the first `limit`, or the last ones when `newest`. */
static size_t choose(const struct event **list, size_t count, int64_t server_id, size_t limit, bool newest)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (server_id == 0 || list[i]->server_id == server_id)
            list[kept++] = list[i];
    }
    if (kept <= limit)
        return kept;
    if (newest) {
        for (size_t i = 0; i < limit; i++)
            list[i] = list[kept - limit + i];
    }
    return limit;
}

void events_list(struct http_request *request, const struct http_match *match)
{
    const struct events *events = farm_events(api_of(match)->farm);
    struct http_slice query = http_request_query(request);
    int64_t since = 0, limit = DEFAULT_LIMIT, server_id = 0;
    struct error err = {0};
    bool lost = false;

    int given = query_int(query, "since", 0, BODY_MAX_INT, &since, &err);
    if (given < 0 || query_int(query, "limit", 1, EVENTS_CAPACITY, &limit, &err) < 0 ||
        query_int(query, "server_id", 1, SETTINGS_MAX_SERVERS, &server_id, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    const struct event *list[EVENTS_CAPACITY];
    size_t count = events_after(events, (uint64_t)since, list, EVENTS_CAPACITY, &lost);
    count = choose(list, count, server_id, (size_t)limit, given == 0);
    /* Where a client goes on: behind what it was given, or behind everything when nothing was held back. */
    uint64_t last = count == (size_t)limit ? list[count - 1]->id : events_last_id(events);
    respond_events(request, list, count, last, given > 0 && lost);
}
