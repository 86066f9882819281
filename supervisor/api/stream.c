/*
 * See stream.h. A stream ends in one of three ways (by its source, by its reader, with the API) and is freed in one: when
 * its timer is closed.
 */
#include "supervisor/api/stream.h"

#include "core/clock.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/units.h"
#include "http/sse.h"
#include "supervisor/api/internal.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define MAX_STREAMS 256

int64_t stream_last_id(struct http_request *request, int64_t fallback)
{
    struct http_slice value;
    char digits[24];
    int64_t id;

    if (!http_request_header(request, "Last-Event-ID", &value))
        return fallback;
    snprintf(digits, sizeof(digits), "%.*s", (int)value.length, value.data);
    return units_parse_int(digits, 0, INT64_MAX, &id) == 0 ? id : fallback;
}

/* --- the end --- */

static void on_tick_closed(uv_handle_t *tick)
{
    struct stream *stream = tick->data;

    api_unref(stream->api);
    stream->calls->freed(stream);
}

static void close_stream(struct stream *stream)
{
    if (stream->over)
        return;
    stream->over = true;
    stream->api->streams--;
    LIST_REMOVE(stream, link);
    if (stream->calls->closed != NULL)
        stream->calls->closed(stream);
    uv_close((uv_handle_t *)&stream->tick, on_tick_closed);
}

static void on_abort(struct reply *reply)
{
    close_stream((struct stream *)((char *)reply - offsetof(struct stream, reply)));
}

static void write_bytes(struct stream *stream, const char *data, size_t length)
{
    stream->sent_ms = clock_monotonic_ms();
    if (!http_respond_write(stream->reply.request, data, length))
        stream->behind = true;
}

static void write_piece(struct stream *stream, struct gzip_piece *piece)
{
    if (!stream->gzip) {
        write_bytes(stream, piece->plain.data, piece->plain.length);
        return;
    }
    gzip_piece_deflate(piece);
    gzip_member_add(&stream->member, piece);
    write_bytes(stream, piece->deflated.data, piece->deflated.length);
}

/* Empties the buffer. */
static void write_out(struct stream *stream, struct buffer *text)
{
    struct gzip_piece piece = {.plain = *text};

    *text = BUFFER_EMPTY;
    write_piece(stream, &piece);
    gzip_piece_done(&piece);
}

static void write_trailer(struct stream *stream)
{
    char trailer[GZIP_TRAILER_LENGTH];

    gzip_member_trailer(&stream->member, trailer);
    write_bytes(stream, trailer, sizeof(trailer));
}

void stream_end(struct stream *stream, const char *why)
{
    struct buffer text = BUFFER_EMPTY, data = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&data);

    if (stream->over)
        return;
    struct http_request *request = stream->reply.request;
    if (why != NULL && !stream->behind) {
        json_begin_object(&w);
        json_member_string(&w, "reason", why);
        json_end_object(&w);
        sse_write(&text, NULL, "end", data.data, data.length);
        write_out(stream, &text);
    }
    buffer_done(&data);
    if (stream->gzip && !stream->behind)
        write_trailer(stream);
    reply_release(&stream->reply);
    if (stream->behind)
        http_respond_cut(request);
    else
        http_respond_end(request);
    close_stream(stream);
}

void streams_end(struct api *api, const char *why)
{
    struct stream *next;

    for (struct stream *stream = LIST_FIRST(&api->open_streams); stream != NULL; stream = next) {
        next = LIST_NEXT(stream, link);
        if (why != NULL && stream->calls->finish != NULL && !stream->behind)
            stream->calls->finish(stream, why);
        else
            stream_end(stream, why);
    }
}

/* --- sending --- */

bool stream_may_send(const struct stream *stream)
{
    return !stream->over && !stream->behind;
}

void stream_wake(struct stream *stream)
{
    /* What a source finds out while it is being asked is found by that very call. */
    if (!stream_may_send(stream) || stream->sending)
        return;
    stream->sending = true;
    stream->calls->more(stream);
    stream->sending = false;
}

static void on_drain(struct http_request *request)
{
    struct stream *stream = (struct stream *)((char *)reply_of(request) - offsetof(struct stream, reply));

    stream->behind = false;
    stream_wake(stream);
}

static void on_tick(uv_timer_t *tick)
{
    struct stream *stream = tick->data;

    if (stream->tick_ms < STREAM_BEAT_MS)
        stream_wake(stream);
    if (!stream_may_send(stream) || clock_monotonic_ms() - stream->sent_ms < STREAM_BEAT_MS)
        return;
    struct buffer text = BUFFER_EMPTY;
    sse_write_comment(&text);
    write_out(stream, &text);
}

bool stream_send(struct stream *stream, const char *id, const char *name, struct buffer *data)
{
    struct buffer text = BUFFER_EMPTY;

    sse_write(&text, id, name, data->data, data->length);
    buffer_done(data);
    write_out(stream, &text);
    return stream_may_send(stream);
}

bool stream_send_shared(struct stream *stream, struct gzip_piece *event)
{
    write_piece(stream, event);
    return stream_may_send(stream);
}

bool stream_is_lagging(const struct stream *stream)
{
    int unsent = 0;

    if (stream->behind)
        return true;
    return ioctl(http_request_socket(stream->reply.request), SIOCOUTQNSD, &unsent) == 0 && unsent > 0;
}

void stream_cut(struct stream *stream)
{
    stream->behind = true;
    stream_end(stream, NULL);
}

bool stream_has_room(struct http_request *request, const struct api *api)
{
    if (api->streams < MAX_STREAMS)
        return true;
    respond_overload(request, "Too many streams are open; close one");
    return false;
}

void stream_begin(struct stream *stream, struct http_request *request, struct api *api, uint64_t tick_ms,
                  const struct stream_calls *calls)
{
    stream->api = api_ref(api);
    stream->calls = calls;
    stream->tick_ms = tick_ms > 0 ? tick_ms : STREAM_BEAT_MS;
    stream->tick.data = stream;
    api->streams++;
    LIST_INSERT_HEAD(&api->open_streams, stream, link);
    uv_timer_init(farm_loop(api->farm), &stream->tick);
    uv_timer_start(&stream->tick, on_tick, stream->tick_ms, stream->tick_ms);
    reply_hold(&stream->reply, request, on_abort);
    http_respond_header(request, "Cache-Control", "no-store");
    http_respond_header(request, "X-Accel-Buffering", "no"); /* a proxy in front must not collect it */
    http_respond_endless(request);
    http_respond_on_drain(request, on_drain);
    if (stream->gzip)
        http_respond_header(request, "Content-Encoding", "gzip");
    http_respond_begin(request, 200, SSE_CONTENT_TYPE, -1);
    if (stream->gzip)
        write_bytes(stream, GZIP_HEADER, sizeof(GZIP_HEADER));
    if (http_request_method(request) == HTTP_METHOD_HEAD) { /* has its answer with that */
        stream_end(stream, NULL);
        return;
    }
    /* The head goes out at once, so that a reader knows that it is connected. */
    struct buffer text = BUFFER_EMPTY;
    sse_write_comment(&text);
    write_out(stream, &text);
    stream_wake(stream);
}
