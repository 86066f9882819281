/*
 * A distribution of times: a log-linear histogram of nanoseconds that grows to the largest value seen, with the exact
 * count, sum, least and greatest beside it. Two of the same precision merge without loss.
 */
#ifndef SUPERVISOR_LOAD_LATENCY_H
#define SUPERVISOR_LOAD_LATENCY_H

#include "core/histogram.h"

#include <stddef.h>
#include <stdint.h>

#define LATENCY_FINE_BITS 9                         /* at most 0.1 % off: half of 1/512 */
#define LATENCY_COARSE_BITS 6                       /* at most 1 % off: half of 1/64 */
#define LATENCY_MAX_NS (INT64_C(3600) * 1000000000) /* anything longer counts as this in percentiles, not in max */

struct latency {
    uint64_t *counts;
    size_t capacity; /* buckets allocated */
    unsigned bits;
    uint64_t count;
    uint64_t min_ns, max_ns; /* valid when count > 0 */
    unsigned __int128 sum_ns;
};

void latency_init(struct latency *latency, unsigned bits); /* allocates nothing */
void latency_done(struct latency *latency);
void latency_clear(struct latency *latency); /* empty, keeps the memory */

void latency_grow(struct latency *latency, size_t index); /* of latency_add: room for a bucket */

/* Negative times, of clocks read in the wrong order, count as 0. */
static inline void latency_add(struct latency *latency, int64_t ns)
{
    uint64_t exact = ns > 0 ? (uint64_t)ns : 0;
    size_t index = histogram_index(exact < (uint64_t)LATENCY_MAX_NS ? exact : (uint64_t)LATENCY_MAX_NS, latency->bits);

    if (index >= latency->capacity)
        latency_grow(latency, index);
    latency->counts[index]++;
    if (latency->count++ == 0 || exact < latency->min_ns)
        latency->min_ns = exact;
    if (exact > latency->max_ns)
        latency->max_ns = exact;
    latency->sum_ns += exact;
}

void latency_merge(struct latency *into, const struct latency *from); /* of the same precision */

/* Nanoseconds; 0 when empty. The quantile is the middle of its bucket, kept within min and max. */
double latency_quantile(const struct latency *latency, double q);
double latency_mean(const struct latency *latency);

size_t latency_memory(const struct latency *latency); /* bytes allocated */

#endif
