/*
 * Whether two samples differ by more than chance. Pure arithmetic.
 */
#ifndef SUPERVISOR_LOAD_NOISE_H
#define SUPERVISOR_LOAD_NOISE_H

#include <stddef.h>
#include <stdint.h>

#define NOISE_LEAST 5u /* values of each sample: fewer cannot reach the score */
#define NOISE_PIECES                                                                                                   \
    30u /* a sample is made no larger: neighbouring seconds are alike, and many of them prove too much */
#define NOISE_SCORE 2.576 /* of a normal distribution: chance is beyond it, up or down, once in a hundred times */

/* Means of pieces of equal length instead, in place, when there are more than NOISE_PIECES; returns how many there are. */
size_t noise_thin(double *values, size_t count);

/* Mann and Whitney's test: how far the order of both together is from that of one population, in standard deviations;
 * positive when b is the greater. Sorts both. 0 when all values are the same. */
double noise_rank_score(double *a, size_t count_a, double *b, size_t count_b);

/* The same of two shares, of so many hits in so many tries. */
double noise_share_score(uint64_t hits_a, uint64_t tries_a, uint64_t hits_b, uint64_t tries_b);

#endif
