/*
 * The CPU percentage over the last second, without waking an idle process: a timer samples each second only while
 * there is work; after a pause the next question itself samples, over the pause.
 */
#ifndef WORKER_CPU_METER_H
#define WORKER_CPU_METER_H

#include "worker/vitals.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct cpu_meter {
    uv_timer_t timer;
    bool ticking;
    bool touched;       /* there was work since the last tick */
    unsigned busy;      /* pieces of work that last */
    bool sampled;       /* `last` holds a reading */
    int64_t sampled_ns; /* monotonic */
    struct vitals_cpu last;
    double percent;
};

void cpu_meter_init(struct cpu_meter *meter, uv_loop_t *loop);
void cpu_meter_begin(struct cpu_meter *meter);

/* There was a piece of work just now. */
static inline void cpu_meter_touch(struct cpu_meter *meter)
{
    meter->touched = true;
    if (!meter->ticking)
        cpu_meter_begin(meter);
}

/* Work that lasts begins and ends. */
void cpu_meter_busy(struct cpu_meter *meter);
void cpu_meter_idle(struct cpu_meter *meter);

/* 0 before the first second is over. */
double cpu_meter_percent(struct cpu_meter *meter);

#endif
