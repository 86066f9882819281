/*
 * See noise.h.
 */
#include "supervisor/load/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t noise_thin(double *values, size_t count)
{
    size_t length = (count + NOISE_PIECES - 1) / NOISE_PIECES, pieces = length > 0 ? count / length : 0;

    if (length <= 1)
        return count;
    for (size_t i = 0; i < pieces; i++) {
        double sum = 0;
        for (size_t j = 0; j < length; j++)
            sum += values[i * length + j];
        values[i] = sum / (double)length;
    }
    return pieces;
}

static int compare_values(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* How many of the sorted values from `from` on are the same. */
static size_t run_of(const double *values, size_t from, size_t count, double value)
{
    size_t end = from;

    while (end < count && values[end] <= value)
        end++;
    return end - from;
}

double noise_rank_score(double *a, size_t count_a, double *b, size_t count_b)
{
    double n = (double)(count_a + count_b), product = (double)count_a * (double)count_b;
    double greater = 0, ties = 0; /* pairs in which b is the greater, halves for equal ones */
    size_t at_a = 0, at_b = 0;

    qsort(a, count_a, sizeof(*a), compare_values);
    qsort(b, count_b, sizeof(*b), compare_values);
    while (at_a < count_a || at_b < count_b) {
        double least = at_b == count_b || (at_a < count_a && a[at_a] <= b[at_b]) ? a[at_a] : b[at_b];
        size_t same_a = run_of(a, at_a, count_a, least), same_b = run_of(b, at_b, count_b, least);
        double same = (double)(same_a + same_b);
        greater += (double)same_b * ((double)at_a + (double)same_a / 2);
        ties += same * same * same - same;
        at_a += same_a;
        at_b += same_b;
    }
    double variance = n > 1 ? product / 12 * (n + 1 - ties / (n * (n - 1))) : 0;
    return variance > 1e-9 ? (greater - product / 2) / sqrt(variance) : 0;
}

double noise_share_score(uint64_t hits_a, uint64_t tries_a, uint64_t hits_b, uint64_t tries_b)
{
    double all = (double)tries_a + (double)tries_b, share;

    if (tries_a == 0 || tries_b == 0)
        return 0;
    share = ((double)hits_a + (double)hits_b) / all;
    double variance = share * (1 - share) * (1 / (double)tries_a + 1 / (double)tries_b);
    return variance > 0 ? ((double)hits_b / (double)tries_b - (double)hits_a / (double)tries_a) / sqrt(variance) : 0;
}
