/*
 * A log-linear latency histogram: 16 linear buckets in each power of two of microseconds, so a percentile is at most
 * 6.25 % off. Plain counters of a fixed number, so that a histogram can lie in a file that two processes map.
 */
#ifndef CORE_HISTOGRAM_H
#define CORE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 4
#define HISTOGRAM_MAX_US (UINT64_C(1) << 32) /* about 71 minutes; anything longer counts in the last bucket */
#define HISTOGRAM_BUCKETS ((32 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* The bucket that a latency counts in, and the highest latency (inclusive, microseconds) that a bucket holds. */
unsigned histogram_bucket(uint64_t microseconds);
uint64_t histogram_bucket_upper_us(unsigned bucket);

/* The upper bound of the bucket in which the quantile `q` (0…1) lies; 0 when `counts` is empty. */
uint64_t histogram_quantile_us(const uint64_t counts[HISTOGRAM_BUCKETS], double q);

#endif
