/*
 * A growable run of bytes, for building text and collecting bodies. `data` is always NUL-terminated once something was
 * appended, so that it can be handed to functions that want a string; the NUL is not counted in `length`.
 */
#ifndef CORE_BUFFER_H
#define CORE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;
    size_t length;
    size_t capacity;
};

#define BUFFER_EMPTY ((struct buffer){0})

void buffer_done(struct buffer *buf);                  /* frees the contents; the struct is empty and usable again */
void buffer_clear(struct buffer *buf);                 /* length 0, keeps the memory */
void buffer_reserve(struct buffer *buf, size_t n);     /* room for n more bytes; aborts when memory runs out */
bool buffer_try_reserve(struct buffer *buf, size_t n); /* the same, false when memory runs out */
void buffer_append(struct buffer *buf, const void *data, size_t n);
void buffer_append_text(struct buffer *buf, const char *text);
void buffer_append_char(struct buffer *buf, char c);
void buffer_printf(struct buffer *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *buffer_detach(struct buffer *buf); /* the NUL-terminated contents, caller frees; the buffer is empty after */

#endif
