/*
 * The growable buffer: doubles when full, so appending is linear over all.
 */
#include "core/buffer.h"

#include "core/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INITIAL_CAPACITY 256

void buffer_done(struct buffer *buf)
{
    free(buf->data);
    *buf = BUFFER_EMPTY;
}

void buffer_clear(struct buffer *buf)
{
    buf->length = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

/* The capacity that holds n more bytes and the NUL, at least doubled; 0 when no size_t can tell it. */
static size_t grown_capacity(const struct buffer *buf, size_t n)
{
    if (n > SIZE_MAX / 2 - 1 - buf->length)
        return 0;
    size_t needed = buf->length + n + 1;
    size_t doubled = buf->capacity ? buf->capacity * 2 : INITIAL_CAPACITY;
    return doubled > needed ? doubled : needed;
}

static inline bool fits(const struct buffer *buf, size_t n)
{
    return n < buf->capacity - buf->length; /* strictly: one byte is the NUL's; capacity 0 never fits */
}

bool buffer_try_reserve(struct buffer *buf, size_t n)
{
    if (fits(buf, n))
        return true;
    size_t capacity = grown_capacity(buf, n);
    char *data = capacity ? realloc(buf->data, capacity) : NULL;
    if (!data)
        return false;
    buf->data = data;
    buf->capacity = capacity;
    buf->data[buf->length] = '\0';
    return true;
}

void buffer_reserve(struct buffer *buf, size_t n)
{
    if (!buffer_try_reserve(buf, n))
        xmalloc(SIZE_MAX); /* says why and aborts */
}

void buffer_append(struct buffer *buf, const void *data, size_t n)
{
    buffer_reserve(buf, n);
    if (n > 0)
        memcpy(buf->data + buf->length, data, n);
    buf->length += n;
    buf->data[buf->length] = '\0';
}

void buffer_append_text(struct buffer *buf, const char *text)
{
    buffer_append(buf, text, strlen(text));
}

void buffer_append_char(struct buffer *buf, char c)
{
    buffer_reserve(buf, 1);
    buf->data[buf->length++] = c;
    buf->data[buf->length] = '\0';
}

void buffer_printf(struct buffer *buf, const char *fmt, ...)
{
    buffer_reserve(buf, 64);
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);

    size_t room = buf->capacity - buf->length;
    int length = vsnprintf(buf->data + buf->length, room, fmt, args);
    if (length > 0 && (size_t)length >= room) {
        buffer_reserve(buf, (size_t)length);
        vsnprintf(buf->data + buf->length, (size_t)length + 1, fmt, again);
    }
    if (length > 0)
        buf->length += (size_t)length;
    buf->data[buf->length] = '\0';

    va_end(again);
    va_end(args);
}

char *buffer_detach(struct buffer *buf)
{
    buffer_reserve(buf, 0);
    char *data = buf->data;
    *buf = BUFFER_EMPTY;
    return data;
}
