/*
 * Allocation that cannot fail: small structures of a supervisor are worth an abort with a clear message, not a hundred
 * untested error paths. Memory whose size a request decides is allocated with malloc and answered with an error.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *ptr, size_t size);
char *xstrdup(const char *text); /* NULL gives NULL */
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* `cleanup_free char *text = …;` frees when the scope ends; `steal(&text)` hands the memory on instead. */
void cleanup_free_impl(void *pointer_to_pointer);
#define cleanup_free __attribute__((cleanup(cleanup_free_impl)))
#define steal(pp)                                                                                                      \
    ({                                                                                                                 \
        typeof(*(pp)) stolen_ = *(pp);                                                                                 \
        *(pp) = NULL;                                                                                                  \
        stolen_;                                                                                                       \
    })

/* `cleanup_close int fd = …;` closes when the scope ends unless fd is negative. */
void cleanup_close_impl(int *fd);
#define cleanup_close __attribute__((cleanup(cleanup_close_impl)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
