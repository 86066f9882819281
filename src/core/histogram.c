/*
 * The arithmetic of the log-linear histogram. The first 16 buckets hold one microsecond each; from then on every power
 * of two is split into 16, so bucket numbers run on without a gap.
 */
#include "core/histogram.h"

#define SUB_BUCKETS (1u << HISTOGRAM_SUB_BITS)

unsigned histogram_bucket(uint64_t microseconds)
{
    if (microseconds < SUB_BUCKETS)
        return (unsigned)microseconds;
    if (microseconds >= HISTOGRAM_MAX_US)
        return HISTOGRAM_BUCKETS - 1;
    unsigned magnitude = 63u - (unsigned)__builtin_clzll(microseconds);
    unsigned shift = magnitude - HISTOGRAM_SUB_BITS;
    unsigned sub = (unsigned)(microseconds >> shift) - SUB_BUCKETS;
    return ((shift + 1) << HISTOGRAM_SUB_BITS) + sub;
}

uint64_t histogram_bucket_upper_us(unsigned bucket)
{
    if (bucket < SUB_BUCKETS)
        return bucket;
    if (bucket >= HISTOGRAM_BUCKETS)
        bucket = HISTOGRAM_BUCKETS - 1;
    unsigned shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t first = (uint64_t)(SUB_BUCKETS + bucket % SUB_BUCKETS) << shift;
    return first + (UINT64_C(1) << shift) - 1;
}

uint64_t histogram_quantile_us(const uint64_t counts[HISTOGRAM_BUCKETS], double q)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return 0;

    /* The rank-th smallest value, counted from 1: ceil(q × total), kept within what there is. The tiny allowance is
     * for products such as 0.07 × 100, which come out just over the whole number that was meant. */
    double wanted = q > 0 ? q * (double)total : 0;
    uint64_t rank;
    if (wanted >= (double)total) {
        rank = total;
    } else {
        rank = (uint64_t)wanted;
        if (wanted - (double)rank > 1e-9 * wanted)
            rank++;
        if (rank == 0)
            rank = 1;
    }

    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += counts[i];
        if (seen >= rank)
            return histogram_bucket_upper_us(i);
    }
    return histogram_bucket_upper_us(HISTOGRAM_BUCKETS - 1);
}
