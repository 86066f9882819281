/*
 * Answers that don't end: server-sent events that are sent as things happen. A stream takes from its source (the ring of
 * events, logs, results of work) only as fast as its reader takes, so it keeps nothing and drops nothing.
 */
#ifndef SUPERVISOR_API_STREAM_H
#define SUPERVISOR_API_STREAM_H

#include "core/buffer.h"
#include "http/gzip.h"
#include "supervisor/api/reply.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#define STREAM_BEAT_MS 5000 /* a sign of life at least so often */

struct stream;

struct stream_calls {
    /* Sends what is new: behind stream_begin, when the reader has caught up, on each tick, and from stream_wake. */
    void (*more)(struct stream *stream);
    /* The API ends it: sends what is still to be sent and calls stream_end, soon. NULL: there is nothing. */
    void (*finish)(struct stream *stream, const char *why);
    /* It is over: nothing more can be sent, and it leaves its source. May be NULL. */
    void (*closed)(struct stream *stream);
    /* Nothing refers to it any more: the owner may go. */
    void (*freed)(struct stream *stream);
};

/* Embedded in its owner. */
struct stream {
    struct reply reply;
    struct api *api;
    const struct stream_calls *calls;
    uv_timer_t tick;
    uint64_t tick_ms;
    int64_t sent_ms; /* monotonic; when something last went out */
    bool gzip;       /* set by the owner before stream_begin: the reader takes gzip */
    struct gzip_member member;
    bool behind; /* the reader is: nothing may be sent */
    bool over;   /* ended, or the reader is gone */
    bool sending;
    LIST_ENTRY(stream) link;
};

/* The number that a reader names in Last-Event-ID; `fallback` when it names none. */
int64_t stream_last_id(struct http_request *request, int64_t fallback);

/* False when there are so many streams already that the request was answered with 503. */
bool stream_has_room(struct http_request *request, const struct api *api);

/* Begins the answer; there must be room. The owner lives until calls->freed. `tick_ms` of 0: no ticks. */
void stream_begin(struct stream *stream, struct http_request *request, struct api *api, uint64_t tick_ms,
                  const struct stream_calls *calls);

/* Sends one event; empties the buffer. `id` may be NULL. False: no more for now, `more` will be called. */
bool stream_send(struct stream *stream, const char *id, const char *name, struct buffer *data);
bool stream_may_send(const struct stream *stream);

/* The same with an event that is written already (sse_write) and goes to many: deflated once, for the first that wants it
 * so. */
bool stream_send_shared(struct stream *stream, struct gzip_piece *event);

/* Whether the reader has yet to take something: also what the kernel keeps for it. */
bool stream_is_lagging(const struct stream *stream);

/* Gives up a reader that takes nothing: its connection is closed. */
void stream_cut(struct stream *stream);

/* There may be something new. */
void stream_wake(struct stream *stream);

/* Says no more; `why` (may be NULL) goes out as a last event "end". */
void stream_end(struct stream *stream, const char *why);

/* Ends all of them: farmd stops, or another one takes its place. One whose reader is behind is cut. `why` NULL: at once,
 * without a last word. */
void streams_end(struct api *api, const char *why);

#endif
