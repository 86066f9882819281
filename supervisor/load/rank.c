/*
 * See rank.h. The correction for neighbours that resemble each other takes their correlation at a distance of one second
 * and treats n values as n (1 - r) / (1 + r), as is usual for the mean of a series whose memory fades.
 */
#include "supervisor/load/rank.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CORRELATION_MAX 0.9 /* beyond it nothing can be told anyway, and 1 would divide by zero */

struct ranked {
    double value, rank;
    size_t at; /* its place in time, those of the second series behind those of the first */
};

static int compare_values(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

static int compare_doubles(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

void rank_sort(double *values, size_t count)
{
    if (count > 0)
        qsort(values, count, sizeof(*values), compare_doubles);
}

double rank_quantile(const double *sorted, size_t count, double q)
{
    if (count == 0)
        return NAN;
    double place = q * (double)(count - 1);
    size_t below = (size_t)place;
    double share = place - (double)below;
    return share > 0 ? sorted[below] + share * (sorted[below + 1] - sorted[below]) : sorted[below];
}

/* Gives each its rank, equal ones the mean of theirs; returns the sum of t³ - t over groups of t equal ones. */
static double assign_ranks(struct ranked *all, size_t count)
{
    double ties = 0;

    qsort(all, count, sizeof(*all), compare_values);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && all[to].value == all[from].value;)
            to++;
        for (size_t i = from; i < to; i++)
            all[i].rank = (double)(from + 1 + to) / 2;
        double equal = (double)(to - from);
        ties += equal * equal * equal - equal;
    }
    return ties;
}

/* How much each rank resembles the one before it, from 0 to CORRELATION_MAX. Ranks go in halves: where they vary by less
 * they are equal, and what is left is the error of rounding. */
static double correlation(const double *series, size_t count)
{
    double mean = 0, own = 0, shared = 0;

    for (size_t i = 0; i < count; i++)
        mean += series[i] / (double)count;
    for (size_t i = 0; i < count; i++) {
        own += (series[i] - mean) * (series[i] - mean);
        shared += i > 0 ? (series[i] - mean) * (series[i - 1] - mean) : 0;
    }
    double r = own > 0.01 ? shared / own : 0;
    return r < 0 ? 0 : fmin(r, CORRELATION_MAX);
}

double rank_test(const double *before, size_t before_count, const double *after, size_t after_count)
{
    size_t count = before_count + after_count;
    double n = (double)count, n1 = (double)before_count, n2 = (double)after_count, sum = 0;

    if (before_count == 0 || after_count == 0)
        return 1;
    cleanup_free struct ranked *all = xcalloc(count, sizeof(*all));
    cleanup_free double *ranks = xcalloc(count, sizeof(*ranks));
    for (size_t i = 0; i < count; i++)
        all[i] = (struct ranked){.value = i < before_count ? before[i] : after[i - before_count], .at = i};
    double ties = assign_ranks(all, count);
    for (size_t i = 0; i < count; i++)
        ranks[all[i].at] = all[i].rank;
    for (size_t i = 0; i < before_count; i++)
        sum += ranks[i];

    double variance = n1 * n2 / 12 * (n + 1 - ties / (n * (n - 1)));
    if (variance <= 0)
        return 1;
    double r = fmax(correlation(ranks, before_count), correlation(ranks + before_count, after_count));
    double distance = fabs(sum - n1 * (n + 1) / 2) - 0.5; /* ranks go in steps */
    double z = fmax(distance, 0) / sqrt(variance * (1 + r) / (1 - r));
    return fmin(erfc(z / sqrt(2)), 1);
}
