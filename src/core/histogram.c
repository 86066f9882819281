/*
 * The arithmetic of log-linear histograms.
 */
#include "core/histogram.h"

static unsigned shift_of(size_t index, unsigned bits)
{
    return index < (size_t)2 << bits ? 0 : (unsigned)(index >> bits) - 1;
}

uint64_t histogram_lowest(size_t index, unsigned bits)
{
    unsigned shift = shift_of(index, bits);

    return (uint64_t)(index - ((size_t)shift << bits)) << shift;
}

uint64_t histogram_width(size_t index, unsigned bits)
{
    return UINT64_C(1) << shift_of(index, bits);
}

uint64_t histogram_rank(uint64_t total, double q)
{
    double wanted = q > 0 ? q * (double)total : 0;

    if (wanted >= (double)total)
        return total;
    uint64_t rank = (uint64_t)wanted;
    /* The tiny allowance is for products such as 0.07 × 100, which come out just over the whole number that was meant. */
    if (wanted - (double)rank > 1e-9 * wanted || rank == 0)
        rank++;
    return rank;
}

unsigned histogram_bucket(uint64_t microseconds)
{
    if (microseconds >= HISTOGRAM_MAX_US)
        return HISTOGRAM_BUCKETS - 1;
    return (unsigned)histogram_index(microseconds, HISTOGRAM_SUB_BITS);
}

uint64_t histogram_bucket_upper_us(unsigned bucket)
{
    if (bucket >= HISTOGRAM_BUCKETS)
        bucket = HISTOGRAM_BUCKETS - 1;
    return histogram_lowest(bucket, HISTOGRAM_SUB_BITS) + histogram_width(bucket, HISTOGRAM_SUB_BITS) - 1;
}

uint64_t histogram_quantile_us(const uint64_t counts[HISTOGRAM_BUCKETS], double q)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += counts[i];
    if (total == 0)
        return 0;

    uint64_t rank = histogram_rank(total, q);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += counts[i];
        if (seen >= rank)
            return histogram_bucket_upper_us(i);
    }
    return histogram_bucket_upper_us(HISTOGRAM_BUCKETS - 1);
}
