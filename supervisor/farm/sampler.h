/*
 * Measures every running server once a second, spread over the second in small slices, and keeps what it was measured
 * at (sample_history.h).
 */
#ifndef SUPERVISOR_FARM_SAMPLER_H
#define SUPERVISOR_FARM_SAMPLER_H

#include "supervisor/farm/sample_history.h"
#include "supervisor/farm/server.h"

#include <stddef.h>
#include <stdint.h>

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

/* The kept points of a server, as sample_history_get has them. */
size_t sampler_points(const struct server *server, const struct sample_range *range, struct sample_point *out,
                      size_t max);

#endif
