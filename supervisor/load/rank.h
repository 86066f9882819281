/*
 * Whether two series of measurements differ by more than their own scatter: the rank-sum test of Mann and Whitney, which
 * asks nothing of their distribution and is not moved by a few wild values.
 */
#ifndef SUPERVISOR_LOAD_RANK_H
#define SUPERVISOR_LOAD_RANK_H

#include <stddef.h>

/* The probability that two series of one source differ at least so much, either way; 1 when one of them is empty or all
 * values are equal. Values that follow each other are rarely independent: what each series repeats of its neighbours
 * counts as fewer values. By the normal approximation with ties, good from 8 values each. In order of time. */
double rank_test(const double *before, size_t before_count, const double *after, size_t after_count);

/* Sorts the values. */
void rank_sort(double *values, size_t count);

/* Of sorted values, q from 0 to 1, between neighbours where it falls between; NaN of none. */
double rank_quantile(const double *sorted, size_t count, double q);

#endif
