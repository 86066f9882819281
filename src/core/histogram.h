/*
 * Log-linear histograms. The arithmetic of any precision: 2^bits linear buckets in each power of two. And the one of the
 * worker's counters: 16 buckets in each power of two of microseconds, so a percentile is at most 6.25 % off, of a fixed
 * number, so that it can lie in a file that two processes map.
 */
#ifndef CORE_HISTOGRAM_H
#define CORE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* The bucket of a value, any value: the first 2^bits hold one number each, then bucket numbers run on without a gap. */
static inline size_t histogram_index(uint64_t value, unsigned bits)
{
    if (value < UINT64_C(1) << bits)
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - bits;
    return ((size_t)shift << bits) + (size_t)(value >> shift);
}

/* The lowest value of a bucket, and how many values it holds. */
uint64_t histogram_lowest(size_t index, unsigned bits);
uint64_t histogram_width(size_t index, unsigned bits);

/* Which of `total` values, counted from 1 and ordered by size, is the quantile `q` (0…1): ceil(q × total) within what
 * there is; 0 when there is none. */
uint64_t histogram_rank(uint64_t total, double q);

#define HISTOGRAM_SUB_BITS 4
#define HISTOGRAM_MAX_US (UINT64_C(1) << 32) /* about 71 minutes; anything longer counts in the last bucket */
#define HISTOGRAM_BUCKETS ((32 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* The bucket that a latency counts in, and the highest latency (inclusive, microseconds) that a bucket holds. */
unsigned histogram_bucket(uint64_t microseconds);
uint64_t histogram_bucket_upper_us(unsigned bucket);

/* The upper bound of the bucket in which the quantile `q` (0…1) lies; 0 when `counts` is empty. */
uint64_t histogram_quantile_us(const uint64_t counts[HISTOGRAM_BUCKETS], double q);

#endif
