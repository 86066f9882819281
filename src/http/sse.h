/*
 * Server-sent events (the text/event-stream of the HTML standard): writing them, and reading them out of a body that
 * comes in pieces of any size.
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "core/buffer.h"

#include <stdbool.h>
#include <stddef.h>

#define SSE_CONTENT_TYPE "text/event-stream"

/* Appends one event. `id` and `name` may be NULL and hold no line ends; `data` may have several lines. */
void sse_write(struct buffer *out, const char *id, const char *name, const char *data, size_t length);

/* Appends a comment, which readers drop: a sign of life. */
void sse_write_comment(struct buffer *out);

struct sse_event {
    const char *id;   /* the last id that came, with this event or before; "" when none did */
    const char *name; /* "message" when it has none */
    const char *data;
    size_t length;
};

/* Begin with SSE_READER_EMPTY; free with sse_reader_done. */
struct sse_reader {
    struct buffer line, data, id, name;
    bool has_data; /* a data line came: the blank line behind it makes an event */
    bool after_cr; /* a LF that follows belongs to it */
    bool overlong; /* the event is larger than SSE_EVENT_MAX and is dropped */
};
#define SSE_READER_EMPTY ((struct sse_reader){.has_data = false})
#define SSE_EVENT_MAX ((size_t)16 << 20)

/* Calls on_event for each whole event; false from it ends the reading, which is also what is returned. */
bool sse_read(struct sse_reader *reader, const char *piece, size_t length,
              bool (*on_event)(const struct sse_event *event, void *data), void *data);
void sse_reader_done(struct sse_reader *reader);

#endif
