/*
 * The seconds of a run, put together from what its threads hand over: one point each, complete when every thread has
 * told its part, and the distributions of all. Not locked: its owner sees to that.
 */
#ifndef SUPERVISOR_LOAD_SERIES_H
#define SUPERVISOR_LOAD_SERIES_H

#include "supervisor/load/result.h"

/* What one thread counted in one second. Its point's percentiles are not used. */
struct load_second {
    struct load_point counts;
    struct latency latency, service, send_delay;
};

void load_second_init(struct load_second *second);
void load_second_done(struct load_second *second);
void load_second_clear(struct load_second *second);

struct series {
    struct load_point *points; /* complete ones */
    size_t count, capacity;
    struct series_part *parts; /* those to come, the next one first */
    size_t part_count;
    unsigned threads, left; /* threads that hand in, and those of them that have ended */
    struct load_point total;
    struct latency latency, service, send_delay;
};

void series_init(struct series *series, unsigned threads);
void series_done(struct series *series);

/* A thread hands in its seconds in order, without a gap. */
void series_add(struct series *series, unsigned second, const struct load_second *from);

/* A thread has ended; `seconds` it has handed in. */
void series_leave(struct series *series, unsigned seconds);

/* The sum so far, with its percentiles. */
void series_total(const struct series *series, struct load_point *total);

#endif
