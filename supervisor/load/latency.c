/*
 * The growing histogram: whole powers of two at a time, so that a run of any length allocates a few dozen times.
 */
#include "supervisor/load/latency.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

void latency_init(struct latency *latency, unsigned bits)
{
    *latency = (struct latency){.bits = bits};
}

void latency_done(struct latency *latency)
{
    free(latency->counts);
    latency_init(latency, latency->bits);
}

void latency_clear(struct latency *latency)
{
    if (latency->count > 0)
        memset(latency->counts, 0, latency->capacity * sizeof(*latency->counts));
    latency->count = 0;
    latency->min_ns = latency->max_ns = 0;
    latency->sum_ns = 0;
}

void latency_grow(struct latency *latency, size_t index)
{
    size_t block = (size_t)1 << latency->bits;
    size_t capacity = (index / block + 1) * block;

    latency->counts = xrealloc(latency->counts, capacity * sizeof(*latency->counts));
    memset(latency->counts + latency->capacity, 0, (capacity - latency->capacity) * sizeof(*latency->counts));
    latency->capacity = capacity;
}

void latency_merge(struct latency *into, const struct latency *from)
{
    if (from->count == 0)
        return;
    if (from->capacity > into->capacity)
        latency_grow(into, from->capacity - 1);
    for (size_t i = 0; i < from->capacity; i++)
        into->counts[i] += from->counts[i];
    if (into->count == 0 || from->min_ns < into->min_ns)
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    into->count += from->count;
    into->sum_ns += from->sum_ns;
}

double latency_quantile(const struct latency *latency, double q)
{
    uint64_t rank = histogram_rank(latency->count, q);
    uint64_t seen = 0;

    if (rank == 0)
        return 0;
    size_t i = 0;
    while ((seen += latency->counts[i]) < rank)
        i++;
    double middle = (double)histogram_lowest(i, latency->bits) + (double)(histogram_width(i, latency->bits) - 1) / 2;
    if (middle > (double)latency->max_ns)
        return (double)latency->max_ns;
    return middle < (double)latency->min_ns ? (double)latency->min_ns : middle;
}

double latency_mean(const struct latency *latency)
{
    return latency->count > 0 ? (double)latency->sum_ns / (double)latency->count : 0;
}

size_t latency_memory(const struct latency *latency)
{
    return latency->capacity * sizeof(*latency->counts);
}
