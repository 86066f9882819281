/*
 * Measures every running server once a second, spread over the second in small slices, and keeps the last minutes:
 * SAMPLER_KEEP seconds, SAMPLER_BYTES_PER_SERVER bytes for each server.
 */
#ifndef SUPERVISOR_FARM_SAMPLER_H
#define SUPERVISOR_FARM_SAMPLER_H

#include "supervisor/farm/server.h"

#include <stddef.h>
#include <stdint.h>

#define SAMPLER_KEEP 300

/* One second as kept. */
struct sample_point {
    uint32_t at_s; /* real time, seconds since 1970 */
    float cpu_percent;
    float throttled_percent;
    float memory_mb;
    float requests_per_second; /* negative: not counted */
    float errors_per_second;
    uint32_t p50_us, p99_us;
    uint32_t restarts;
};

#define SAMPLER_BYTES_PER_SERVER (SAMPLER_KEEP * sizeof(struct sample_point))

struct sampler;

struct sampler *sampler_new(struct farm *farm);
void sampler_free(struct sampler *sampler);

/* Of all requests that the servers answered in the last whole round of a second; 0 when they answered none. */
uint64_t sampler_p99_us(const struct sampler *sampler);

/* Base line and end of a server's run, so that rates never mix two processes. */
void sampler_run_began(struct server *server);
void sampler_run_adopted(struct server *server, uint64_t earlier_oom_kills); /* its base line is the first sample */
uint64_t sampler_earlier_oom_kills(const struct server *server);             /* of the runs before this one */
uint64_t sampler_seen_oom_kills(const struct server *server);                /* in this run's cgroup by now */
void sampler_run_ended(struct server *server);
void sampler_limits_changed(struct server *server); /* percentages are of the limits in force from now on */
void sampler_clock_moved(struct server *server, int64_t step_us);
void sampler_slot_free(struct server *server);

/* Copies the kept points with at_s > since, oldest first; returns their number. A `since` that is yet to come is of a clock
 * that was set back meanwhile: all points then. */
size_t sampler_points(const struct server *server, uint32_t since, struct sample_point *out, size_t max);

#endif
