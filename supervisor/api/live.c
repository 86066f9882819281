/*
 * A viewer is no more than the tick that it has been told. At each tick the farm is looked at once, and every viewer gets
 * what changed since its own: for most that is the tick before, so one message serves them. One that is behind gets
 * nothing until it has caught up, and then one message for all that it missed; one that stays behind is cut. What is
 * kept for a viewer is therefore one message at most.
 */
#include "supervisor/api/live.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "http/accept.h"
#include "http/sse.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/live_farm.h"
#include "supervisor/api/live_table.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/stream.h"
#include "supervisor/api/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TICK_MS 1000
#define FRESH_MS 500        /* a viewer that comes sees a farm that was looked at so lately */
#define KEEP_TICKS 300      /* a reader that comes back goes on from so far ago; also without any viewer in between */
#define BEHIND_MAX_MS 15000 /* a reader that has not caught up for so long is cut */
#define MAX_MESSAGES 64     /* different ones in a tick; readers for whom there is no room begin anew together */
#define MAX_EVENTS 100
#define MAX_INTERVAL_S 60
#define EPOCH_BYTES 8

/* What brings a viewer from the tick `since` to now; a snapshot when that is 0. */
struct message {
    uint32_t since;
    struct gzip_piece piece;
};

struct live {
    struct api *api;
    uv_timer_t timer;
    char epoch[EPOCH_BYTES * 2 + 1];
    uint32_t tick; /* the last one */
    uint64_t looked_ms;
    uint64_t last_events[KEEP_TICKS]; /* the newest event's id at each tick, by its number modulo KEEP_TICKS */
    unsigned idle_ticks;
    struct live_table *table; /* this and the farm: NULL after KEEP_TICKS without a viewer */
    struct live_farm *farm;
    struct message messages[MAX_MESSAGES]; /* of this tick */
    size_t message_count;
    LIST_HEAD(viewer_list, viewer) viewers;
};

struct viewer {
    struct stream stream;
    struct live *live;
    uint32_t told; /* the tick that it knows; 0: none */
    unsigned interval;
    int64_t behind_since_ms; /* monotonic; 0: it is not */
    LIST_ENTRY(viewer) link;
};

/* --- looking at the farm --- */

static void forget_messages(struct live *live)
{
    for (size_t i = 0; i < live->message_count; i++)
        gzip_piece_done(&live->messages[i].piece);
    live->message_count = 0;
}

static void forget_farm(struct live *live)
{
    forget_messages(live);
    live_table_free(steal(&live->table));
    live_farm_free(steal(&live->farm));
}

static void look(struct live *live)
{
    const struct farm *farm = live->api->farm;

    forget_messages(live);
    live->tick++;
    live->looked_ms = uv_now(farm_loop(farm));
    live_table_refresh(live->table, farm, live->tick);
    live_farm_refresh(live->farm, farm, live->api->load_tests, live->tick);
    live->last_events[live->tick % KEEP_TICKS] = events_last_id(farm_events(farm));
}

/* --- messages --- */

static void begin_message(struct json_writer *w, const struct live *live)
{
    json_begin_object(w);
    json_member_uint(w, "sequence", live->tick);
}

static void write_snapshot(struct json_writer *w, const struct live *live)
{
    begin_message(w, live);
    json_member_string(w, "epoch", live->epoch);
    view_timestamp(w);
    json_member_uint(w, "last_event_id", live->last_events[live->tick % KEEP_TICKS]);
    json_key(w, "farm");
    live_farm_write(w, live->farm, 0);
    live_table_write_all(w, live->table);
    json_end_object(w);
}

static void write_events(struct json_writer *w, const struct live *live, uint32_t since)
{
    const struct event *list[EVENTS_CAPACITY];
    bool lost = false;

    uint64_t last = live->last_events[live->tick % KEEP_TICKS];
    size_t count =
        events_after(farm_events(live->api->farm), live->last_events[since % KEEP_TICKS], list, EVENTS_CAPACITY, &lost);
    while (count > 0 && list[count - 1]->id > last)
        count--;
    size_t first = count > MAX_EVENTS ? count - MAX_EVENTS : 0;
    if (lost || first > 0)
        json_member_bool(w, "events_lost", true);
    json_key(w, "events");
    json_begin_array(w);
    for (size_t i = first; i < count; i++)
        view_event(w, list[i]);
    json_end_array(w);
}

static void write_delta(struct json_writer *w, const struct live *live, uint32_t since)
{
    begin_message(w, live);
    json_member_uint(w, "since", since);
    view_timestamp(w);
    json_key(w, "farm");
    live_farm_write(w, live->farm, since);
    live_table_write_changes(w, live->table, since);
    write_events(w, live, since);
    json_end_object(w);
}

static struct message *make_message(struct live *live, uint32_t since)
{
    struct message *message = &live->messages[live->message_count++];
    struct buffer data = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&data);
    char id[sizeof(live->epoch) + 12];

    if (since == 0)
        write_snapshot(&w, live);
    else
        write_delta(&w, live, since);
    snprintf(id, sizeof(id), "%s-%" PRIu32, live->epoch, live->tick);
    *message = (struct message){.since = since};
    sse_write(&message->piece.plain, id, since == 0 ? "snapshot" : "delta", data.data, data.length);
    buffer_done(&data);
    return message;
}

/* Whether changes can be told from that tick on. */
static bool can_go_on(const struct live *live, uint32_t since)
{
    return since >= live_table_base(live->table) && since <= live->tick && live->tick - since < KEEP_TICKS;
}

static struct message *message_for(struct live *live, uint32_t since)
{
    if (since != 0 && !can_go_on(live, since))
        since = 0;
    for (size_t i = 0; i < live->message_count; i++) {
        if (live->messages[i].since == since)
            return &live->messages[i];
    }
    if (live->message_count < MAX_MESSAGES - 1 || since == 0) /* there is always room for the snapshot */
        return make_message(live, since);
    return message_for(live, 0);
}

/* --- viewers --- */

static struct viewer *viewer_of(struct stream *stream)
{
    return (struct viewer *)((char *)stream - offsetof(struct viewer, stream));
}

static void tell(struct stream *stream)
{
    struct viewer *viewer = viewer_of(stream);
    struct live *live = viewer->live;

    if (viewer->told == live->tick && viewer->told != 0)
        return;
    struct message *message = message_for(live, viewer->told);
    viewer->told = live->tick;
    stream_send_shared(stream, &message->piece);
}

/* What a reader does not take is seen here, once a tick. */
static void tell_if_due(struct viewer *viewer)
{
    int64_t now_ms = clock_monotonic_ms();

    if (stream_is_lagging(&viewer->stream)) {
        if (viewer->behind_since_ms == 0)
            viewer->behind_since_ms = now_ms;
        else if (now_ms - viewer->behind_since_ms > BEHIND_MAX_MS)
            stream_cut(&viewer->stream);
        return;
    }
    viewer->behind_since_ms = 0;
    /* By the number of the tick, so that all of one interval get the same. */
    if (viewer->told == 0 || viewer->live->tick % viewer->interval == 0)
        stream_wake(&viewer->stream);
}

static void on_tick(uv_timer_t *timer)
{
    struct live *live = timer->data;
    struct viewer *next;

    if (LIST_EMPTY(&live->viewers)) {
        if (++live->idle_ticks < KEEP_TICKS)
            return;
        uv_timer_stop(&live->timer);
        forget_farm(live);
        return;
    }
    look(live);
    for (struct viewer *viewer = LIST_FIRST(&live->viewers); viewer != NULL; viewer = next) {
        next = LIST_NEXT(viewer, link);
        tell_if_due(viewer);
    }
}

/* What a first viewer after a while is shown is the farm of now. */
static void be_ready(struct live *live)
{
    live->idle_ticks = 0;
    if (live->table == NULL) {
        live->table = live_table_new();
        live->farm = live_farm_new();
        uv_timer_start(&live->timer, on_tick, TICK_MS, TICK_MS);
        look(live);
    } else if (LIST_EMPTY(&live->viewers) && uv_now(farm_loop(live->api->farm)) - live->looked_ms >= FRESH_MS) {
        look(live);
    }
}

static void leave(struct stream *stream)
{
    LIST_REMOVE(viewer_of(stream), link);
}

static void free_viewer(struct stream *stream)
{
    free(viewer_of(stream));
}

/* --- the request --- */

/* "<epoch>-<tick>", as the header that a browser sends when it comes back, or in the query; 0 when it is no tick of this
 * farmd. */
static uint32_t read_last_id(struct http_request *request, const struct live *live)
{
    size_t epoch = strlen(live->epoch);
    struct http_slice value;
    char text[sizeof(live->epoch) + 12];
    int64_t tick = 0;

    if (!http_request_header(request, "Last-Event-ID", &value) &&
        !http_query_get(http_request_query(request), "last_event_id", &value))
        return 0;
    if (value.length <= epoch + 1 || value.length >= sizeof(text) || memcmp(value.data, live->epoch, epoch) != 0 ||
        value.data[epoch] != '-')
        return 0;
    snprintf(text, sizeof(text), "%.*s", (int)(value.length - epoch - 1), value.data + epoch + 1);
    return units_parse_int(text, 1, UINT32_MAX, &tick) == 0 ? (uint32_t)tick : 0;
}

void live_get(struct http_request *request, const struct http_match *match)
{
    static const struct stream_calls CALLS = {.more = tell, .closed = leave, .freed = free_viewer};
    struct api *api = api_of(match);
    struct live *live = api->live;
    struct error err = {0};
    int64_t interval = 1;

    if (query_int(http_request_query(request), "interval", 1, MAX_INTERVAL_S, &interval, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (!stream_has_room(request, api))
        return;
    be_ready(live);
    struct viewer *viewer = xcalloc(1, sizeof(*viewer));
    viewer->live = live;
    viewer->interval = (unsigned)interval;
    viewer->told = read_last_id(request, live);
    viewer->stream.gzip = http_accept_gzip(request);
    LIST_INSERT_HEAD(&live->viewers, viewer, link);
    http_respond_header(request, "Vary", "Accept-Encoding");
    stream_begin(&viewer->stream, request, api, 0, &CALLS);
}

/* --- */

struct live *live_new(struct api *api)
{
    struct live *live = xcalloc(1, sizeof(*live));
    unsigned char random[EPOCH_BYTES];

    live->api = api;
    uv_timer_init(farm_loop(api->farm), &live->timer);
    live->timer.data = live;
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random)) {
        int64_t now_ns = clock_monotonic_ns();
        memcpy(random, &now_ns, sizeof(random));
    }
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(live->epoch + i * 2, 3, "%02x", random[i]);
    return live;
}

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void live_free(struct live *live)
{
    if (live == NULL)
        return;
    forget_farm(live);
    uv_close((uv_handle_t *)&live->timer, on_closed);
}
