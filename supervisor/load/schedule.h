/*
 * When the requests of an open load are due: a fixed number of arrivals on a time line of stages, evenly spaced or
 * Poisson, dealt out to slots in turn. Pure arithmetic: an instant depends on the schedule alone, never on an answer, so
 * what waits needs no memory; it is worked out when its turn comes.
 */
#ifndef SUPERVISOR_LOAD_SCHEDULE_H
#define SUPERVISOR_LOAD_SCHEDULE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_MAX_STAGES 100u
#define SCHEDULE_NEVER INT64_MAX

struct load_stage {
    int64_t duration_ns; /* 0 in the last one: without end */
    double rate;         /* requests per second of all targets together */
};

/* Reads "10s@1000,30s@5000". Returns the number of stages, or a negative code with the piece that is wrong. */
int schedule_parse_stages(const char *text, struct load_stage stages[SCHEDULE_MAX_STAGES], struct error *err);

struct schedule {
    const struct load_stage *stages; /* borrowed */
    size_t stage_count;
    uint64_t count; /* arrivals in all */
    bool poisson;
};

/* `limit` (0: none) bounds the number of arrivals; a schedule without end needs it. */
void schedule_init(struct schedule *schedule, const struct load_stage *stages, size_t count, uint64_t limit,
                   bool poisson);

/* The instant, from the schedule's start, at which `position` arrivals are due (0 is the start itself). */
int64_t schedule_instant_ns(const struct schedule *schedule, double position);

/* The end of the last stage, or of the last arrival where that comes first. */
int64_t schedule_length_ns(const struct schedule *schedule);

/* The arrivals of one slot of `slots`: numbers slot, slot + slots, slot + 2 × slots, … of the schedule where that is
 * evenly spaced; as many, at random instants, where it is Poisson. */
struct arrivals {
    const struct schedule *schedule; /* borrowed */
    uint64_t next, step;             /* evenly spaced: the number of the next one */
    uint64_t left;
    double position; /* Poisson: where on the schedule the last one was */
    uint64_t random; /* state of the generator */
};

void arrivals_init(struct arrivals *arrivals, const struct schedule *schedule, uint64_t slot, uint64_t slots,
                   uint64_t seed);

/* The next instant from the schedule's start, SCHEDULE_NEVER after the last. Never earlier than the one before. */
int64_t arrivals_next_ns(struct arrivals *arrivals);

#endif
