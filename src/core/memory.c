/*
 * The allocators that abort, and the scope-end helpers. Apart from buffer.c, because these are for small structures.
 */
#include "core/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No formatting through stdio: there may be no memory for it. */
static _Noreturn void out_of_memory(void)
{
    static const char message[] = "error: out of memory; give this process a larger memory limit\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);
    (void)ignored;
    abort();
}

void *xmalloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);
    if (!ptr)
        out_of_memory();
    return ptr;
}

void *xcalloc(size_t count, size_t size)
{
    void *ptr = count && size ? calloc(count, size) : calloc(1, 1);
    if (!ptr)
        out_of_memory();
    return ptr;
}

void *xrealloc(void *ptr, size_t size)
{
    void *moved = realloc(ptr, size ? size : 1);
    if (!moved)
        out_of_memory();
    return moved;
}

char *xstrdup(const char *text)
{
    return text ? xstrndup(text, strlen(text)) : NULL;
}

char *xstrndup(const char *text, size_t length)
{
    length = strnlen(text, length);
    char *copy = xmalloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *xasprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int length = vasprintf(&text, fmt, args);
    va_end(args);
    if (length < 0)
        out_of_memory();
    return text;
}

void cleanup_free_impl(void *pointer_to_pointer)
{
    /* The argument is a `T **` of any T; memcpy reads it without breaking the aliasing rules. */
    void *ptr;
    memcpy(&ptr, pointer_to_pointer, sizeof(ptr));
    free(ptr);
}

void cleanup_close_impl(int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno; /* the scope may be ending because of an error that errno still tells */
    close(*fd);
    errno = saved;
}
