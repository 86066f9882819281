/*
 * `GET /api/logs`: the last lines of several servers' logs, by time. With `follow` as a stream that goes on with what is
 * written. The disk is read in the thread pool, one reading of a stream at a time.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/log_lines.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/stream.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TAIL 100        /* of one log … */
#define DEFAULT_TAIL_OF_MANY 10 /* … and of each of several */
#define MAX_TAIL 10000
#define MAX_AGE_S 31536000.0
#define LOOK_MS 100      /* how often a stream looks at its logs, … */
#define LOOKS_A_MS 10    /* … or at so many of them in each millisecond */
#define POSITIONS_MAX 64 /* servers whose positions fit into the id of an event */
#define ESCAPED_BYTE 6   /* bytes of JSON for the worst byte of a log */
#define LINE_FRAME 96

struct reading {
    struct stream stream; /* `reply` of it is used by an answer at once, too */
    uv_work_t work;
    struct api *api;
    struct log_lines lines;
    bool follow;
    bool all;     /* of every server, of those that come too */
    bool begun;   /* the first message is out */
    bool working; /* the thread has the lines */
    bool last;    /* the reading under way is the last one */
    bool freed;
    const char *end; /* why the stream ends with the next reading; NULL: it goes on */
};

static void free_reading(struct reading *reading)
{
    log_lines_done(&reading->lines);
    free(reading);
}

/* --- the question --- */

static bool read_query(struct http_request *request, size_t servers, struct reading *reading)
{
    struct http_slice query = http_request_query(request);
    struct error err = {0};
    int64_t tail = servers > 1 ? DEFAULT_TAIL_OF_MANY : DEFAULT_TAIL;
    double max_age_s = 0;

    int aged = query_number(query, "max_age", 0, MAX_AGE_S, &max_age_s, &err);
    if (aged > 0)
        tail = MAX_TAIL;
    if (aged < 0 || query_int(query, "tail", 0, MAX_TAIL, &tail, &err) < 0 ||
        query_bool(query, "follow", &reading->follow, &err) < 0) {
        respond_error(request, &err);
        return false;
    }
    reading->lines.tail = (unsigned)tail;
    reading->lines.whole = reading->follow;
    if (aged > 0)
        reading->lines.not_before_us = clock_realtime_us() - llround(max_age_s * US_PER_SECOND);
    return true;
}

static struct reading *read_wanted(struct http_request *request, struct api *api)
{
    struct targets targets;

    if (!targets_read_query(request, api->farm, &targets))
        return NULL;
    struct reading *reading = xcalloc(1, sizeof(*reading));
    reading->api = api;
    reading->all = !targets.given;
    for (size_t i = 0; i < targets.count; i++)
        log_lines_add(&reading->lines, farm_server(api->farm, targets.ids[i]));
    targets_done(&targets);
    if (read_query(request, reading->lines.count, reading))
        return reading;
    free_reading(reading);
    return NULL;
}

static void read_in_pool(uv_work_t *work)
{
    struct reading *reading = work->data;

    log_lines_read(&reading->lines);
}

/* {"lines": …, "timestamp": …}; false when there is no memory for it. */
static bool write_lines(const struct reading *reading, struct buffer *out, size_t *count)
{
    struct json_writer w = json_writer_to(out);
    size_t bytes = log_lines_bytes(&reading->lines);

    if (!buffer_try_reserve(out, bytes * ESCAPED_BYTE + LINE_FRAME))
        return false;
    json_begin_object(&w);
    json_key(&w, "lines");
    json_begin_array(&w);
    *count = log_lines_write(&reading->lines, reading->api->farm, &w);
    json_end_array(&w);
    view_timestamp(&w);
    json_end_object(&w);
    return true;
}

/* --- at once --- */

static void on_read(uv_work_t *work, int status)
{
    struct reading *reading = work->data;
    struct reply *reply = &reading->stream.reply;
    struct buffer out = BUFFER_EMPTY;
    struct error err = reading->lines.err;
    size_t count;

    if (status < 0)
        error_set(&err, -status, "the logs were not read: %s", uv_strerror(status));
    if (err.code == 0 && !write_lines(reading, &out, &count))
        error_set(&err, ENOMEM, "there is no memory for %zu bytes of logs; ask for fewer lines",
                  log_lines_bytes(&reading->lines));
    if (err.code != 0)
        reply_error(reply, &err);
    else
        reply_json(reply, 200, &out);
    buffer_done(&out);
    api_end_fanout(reading->api);
    free_reading(reading);
}

static void answer_once(struct http_request *request, struct reading *reading)
{
    if (!api_begin_fanout(request, reading->api)) {
        free_reading(reading);
        return;
    }
    reading->work.data = reading;
    reply_hold(&reading->stream.reply, request, NULL);
    uv_queue_work(farm_loop(reading->api->farm), &reading->work, read_in_pool, on_read);
}

/* --- as they are written --- */

static struct reading *reading_of(struct stream *stream)
{
    return (struct reading *)((char *)stream - offsetof(struct reading, stream));
}

/* Servers that came meanwhile are followed from what they wrote first: their first mark is of the moment before. */
static void follow_newcomers(struct reading *reading)
{
    const struct farm *farm = reading->api->farm;

    if (!reading->all || farm_server_count(farm) <= reading->lines.count)
        return;
    for (size_t i = 0; i < farm_server_count(farm); i++) {
        const struct server *server = farm_server_at(farm, i);
        if (!log_lines_add(&reading->lines, server))
            continue;
        struct log_source *source = log_lines_find(&reading->lines, server->id);
        source->begun = true;
        source->offset = server->log_marks.count > 0 ? server->log_marks.list[0].offset : 0;
    }
}

/* "7:1234,8:99": where each log's next reading begins. */
static const char *positions(const struct log_lines *lines, struct buffer *out)
{
    if (lines->count > POSITIONS_MAX)
        return NULL;
    for (size_t i = 0; i < lines->count; i++)
        buffer_printf(out, "%s%d:%" PRId64, i > 0 ? "," : "", lines->sources[i].server_id, lines->sources[i].offset);
    return out->data;
}

static void set_positions(struct log_lines *lines, struct http_slice text)
{
    cleanup_free char *copy = xstrndup(text.data, text.length);
    char *rest = NULL;

    for (char *part = strtok_r(copy, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        const char *id = strsep(&part, ":");
        int64_t server_id, offset;
        if (part == NULL || units_parse_int(id, 1, INT_MAX, &server_id) < 0 ||
            units_parse_int(part, 0, INT64_MAX, &offset) < 0)
            continue;
        struct log_source *source = log_lines_find(lines, (int)server_id);
        if (source != NULL) {
            source->begun = true;
            source->offset = offset;
        }
    }
}

/* The first message comes even without lines: from then on nothing is missed. */
static void send_lines(struct reading *reading)
{
    struct buffer out = BUFFER_EMPTY, id = BUFFER_EMPTY;
    bool first = !reading->begun;
    size_t count = 0;

    reading->begun = true;
    if ((first || log_lines_bytes(&reading->lines) > 0) && write_lines(reading, &out, &count) && (first || count > 0))
        stream_send(&reading->stream, positions(&reading->lines, &id), "lines", &out);
    buffer_done(&out);
    buffer_done(&id);
}

static void read_more(struct stream *stream);

static void on_read_more(uv_work_t *work, int status)
{
    struct reading *reading = work->data;

    reading->working = false;
    if (reading->freed) {
        free_reading(reading);
        return;
    }
    if (status < 0 || reading->stream.over)
        return;
    send_lines(reading);
    reading->lines.not_before_us = 0; /* what comes from here on is new */
    if (reading->lines.more)
        stream_wake(&reading->stream);
    else if (reading->last)
        stream_end(&reading->stream, reading->end);
    else if (reading->end != NULL)
        read_more(&reading->stream); /* this one may have looked before the last line came */
}

static void read_more(struct stream *stream)
{
    struct reading *reading = reading_of(stream);

    if (reading->working)
        return;
    follow_newcomers(reading);
    reading->last = reading->end != NULL;
    reading->working = true;
    reading->work.data = reading;
    uv_queue_work(farm_loop(reading->api->farm), &reading->work, read_in_pool, on_read_more);
}

static void finish(struct stream *stream, const char *why)
{
    struct reading *reading = reading_of(stream);

    reading->end = why;
    read_more(stream);
}

static void on_freed(struct stream *stream)
{
    struct reading *reading = reading_of(stream);

    reading->freed = true;
    if (!reading->working)
        free_reading(reading);
}

static void follow(struct http_request *request, struct reading *reading)
{
    static const struct stream_calls CALLS = {.more = read_more, .finish = finish, .freed = on_freed};
    struct http_slice seen;
    uint64_t look_ms = reading->lines.count / LOOKS_A_MS;

    if (!stream_has_room(request, reading->api)) {
        free_reading(reading);
        return;
    }
    if (http_request_header(request, "Last-Event-ID", &seen))
        set_positions(&reading->lines, seen);
    stream_begin(&reading->stream, request, reading->api, look_ms > LOOK_MS ? look_ms : LOOK_MS, &CALLS);
}

void logs_list(struct http_request *request, const struct http_match *match)
{
    struct reading *reading = read_wanted(request, api_of(match));

    if (reading == NULL)
        return;
    if (reading->follow)
        follow(request, reading);
    else
        answer_once(request, reading);
}
