/*
 * Counters of one HTTP server in a small shared file: the server adds, an observer in another process reads, nobody
 * waits. One writer thread; plain relaxed atomics. Cumulative, so a reader that misses some seconds loses nothing.
 * A reader trusts nothing beyond the figures: the layout is checked on mapping, and the size is fixed.
 */
#ifndef CORE_COUNTERS_H
#define CORE_COUNTERS_H

#include "core/error.h"
#include "core/histogram.h"

#include <stdatomic.h>
#include <stdint.h>

#define COUNTERS_MAGIC UINT32_C(0x46434e54) /* "FCNT" */
#define COUNTERS_VERSION 1
#define COUNTERS_STATUS_CLASSES 5

struct counters {
    uint32_t magic;
    uint32_t version;
    _Atomic uint64_t requests;                           /* answered, without health checks and metrics */
    _Atomic uint64_t responses[COUNTERS_STATUS_CLASSES]; /* of those: 1xx, 2xx, 3xx, 4xx, 5xx */
    _Atomic uint64_t bytes_received;
    _Atomic uint64_t bytes_sent;
    _Atomic uint64_t connections;                /* open now */
    _Atomic uint64_t latency[HISTOGRAM_BUCKETS]; /* from the request's first byte parsed to the answer handed over */
};

#define COUNTERS_FILE_SIZE 4096
_Static_assert(sizeof(struct counters) <= COUNTERS_FILE_SIZE, "counters must fit their file");

/* Adds without a locked instruction: there is one writer. */
static inline void counters_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Creates (or truncates to zeroes) the file and returns its descriptor (O_CLOEXEC), or a negative code. */
int counters_create(const char *path, struct error *err);

/* Maps COUNTERS_FILE_SIZE bytes of `fd` shared and read-write as the writer, and sets magic and version. */
int counters_map_writer(int fd, struct counters **counters, struct error *err);

/* Maps as a reader; a file of another size is refused (-EINVAL). Magic 0 means that the writer has not begun. */
int counters_map_reader(int fd, const struct counters **counters, struct error *err);

/* The writer's counters when there is no shared file: private memory. */
struct counters *counters_map_private(void);

void counters_unmap(const struct counters *counters); /* NULL is fine */

#endif
