/*
 * Lines of a stream end with CR, LF or both, in whatever pieces they come; see sse.h.
 */
#include "http/sse.h"

#include <string.h>

/* --- writing --- */

static void write_field(struct buffer *out, const char *name, const char *value, size_t length)
{
    buffer_append_text(out, name);
    buffer_append(out, ": ", 2);
    buffer_append(out, value, length);
    buffer_append_char(out, '\n');
}

void sse_write(struct buffer *out, const char *id, const char *name, const char *data, size_t length)
{
    const char *end = data + length;
    if (id)
        write_field(out, "id", id, strlen(id));
    if (name)
        write_field(out, "event", name, strlen(name));
    for (const char *line = data; line <= end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline ? newline : end;
        write_field(out, "data", line, (size_t)(stop - line));
        line = stop + 1;
    }
    buffer_append_char(out, '\n');
}

void sse_write_comment(struct buffer *out)
{
    buffer_append(out, ":\n\n", 3);
}

/* --- reading --- */

static const char *text_of(const struct buffer *buf)
{
    return buf->length > 0 ? buf->data : "";
}

static void set(struct buffer *buf, const char *text, size_t length)
{
    buffer_clear(buf);
    buffer_append(buf, text, length);
}

static void add_data(struct sse_reader *reader, const char *text, size_t length)
{
    if (reader->data.length + length >= SSE_EVENT_MAX) {
        reader->overlong = true;
        return;
    }
    if (reader->has_data)
        buffer_append_char(&reader->data, '\n');
    buffer_append(&reader->data, text, length);
    reader->has_data = true;
}

static void take_field(struct sse_reader *reader, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    size_t name = colon ? (size_t)(colon - line) : length;
    const char *value = colon ? colon + 1 : line + length;
    if (colon && value < line + length && *value == ' ')
        value++;
    size_t value_length = (size_t)(line + length - value);
    if (name == 4 && memcmp(line, "data", 4) == 0)
        add_data(reader, value, value_length);
    else if (name == 5 && memcmp(line, "event", 5) == 0)
        set(&reader->name, value, value_length);
    else if (name == 2 && memcmp(line, "id", 2) == 0 && !memchr(value, '\0', value_length))
        set(&reader->id, value, value_length);
}

/* The blank line: what was collected is an event, if it has data. */
static bool dispatch(struct sse_reader *reader, bool (*on_event)(const struct sse_event *event, void *data), void *data)
{
    bool on = true;
    if (reader->has_data && !reader->overlong) {
        struct sse_event event = {
            .id = text_of(&reader->id),
            .name = reader->name.length > 0 ? reader->name.data : "message",
            .data = text_of(&reader->data),
            .length = reader->data.length,
        };
        on = on_event(&event, data);
    }
    buffer_clear(&reader->data);
    buffer_clear(&reader->name);
    reader->has_data = reader->overlong = false;
    return on;
}

static bool end_line(struct sse_reader *reader, bool (*on_event)(const struct sse_event *event, void *data), void *data)
{
    bool on = true;
    if (reader->line.length == 0)
        on = dispatch(reader, on_event, data);
    else
        take_field(reader, reader->line.data, reader->line.length);
    buffer_clear(&reader->line);
    return on;
}

bool sse_read(struct sse_reader *reader, const char *piece, size_t length,
              bool (*on_event)(const struct sse_event *event, void *data), void *data)
{
    const char *end = piece + length;
    while (piece < end) {
        if (reader->after_cr && *piece == '\n')
            piece++;
        reader->after_cr = false;
        const char *stop = piece;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        if (reader->line.length + (size_t)(stop - piece) < SSE_EVENT_MAX)
            buffer_append(&reader->line, piece, (size_t)(stop - piece));
        else
            reader->overlong = true;
        if (stop == end)
            break;
        reader->after_cr = *stop == '\r';
        piece = stop + 1;
        if (!end_line(reader, on_event, data))
            return false;
    }
    return true;
}

void sse_reader_done(struct sse_reader *reader)
{
    buffer_done(&reader->line);
    buffer_done(&reader->data);
    buffer_done(&reader->id);
    buffer_done(&reader->name);
}
