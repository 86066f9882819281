/*
 * What a server was measured at in the last minutes, twice: each second for ten minutes, and each ten seconds for an hour.
 * Kept in 16 bytes a point, in which figures have three significant digits at least; allocated as it fills.
 */
#ifndef SUPERVISOR_FARM_SAMPLE_HISTORY_H
#define SUPERVISOR_FARM_SAMPLE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum sample_resolution { SAMPLE_1S, SAMPLE_10S, SAMPLE_RESOLUTIONS };

#define SAMPLE_KEEP_1S 600
#define SAMPLE_KEEP_10S 360
#define SAMPLE_KEEP_MAX SAMPLE_KEEP_1S
#define SAMPLE_POINT_BYTES 16
#define SAMPLE_BYTES_PER_SERVER ((SAMPLE_KEEP_1S + SAMPLE_KEEP_10S) * SAMPLE_POINT_BYTES)

/* One second or ten, as told. Of ten: means, the highest p99, the last count of restarts. */
struct sample_point {
    uint32_t at_s; /* real time, seconds since 1970; of ten, the first */
    float cpu_percent;
    float throttled_percent;
    float memory_mb;
    float requests_per_second; /* negative: not counted */
    float errors_per_second;
    uint32_t p50_us, p99_us; /* 0: no request was answered */
    uint32_t restarts;
};

/* Plain data, all zero at first; sample_history_done frees the contents. */
struct sample_track {
    struct packed_point *points; /* a ring once it has its full size */
    uint32_t capacity;
    int64_t origin;         /* the step at the front of `points`; steps are seconds, or tens of them, since 1970 */
    int64_t oldest, newest; /* kept; meaningful with `points` */
};
struct sample_history {
    struct sample_track tracks[SAMPLE_RESOLUTIONS];
};
void sample_history_done(struct sample_history *history);

unsigned sample_resolution_seconds(enum sample_resolution resolution); /* 1 or 10 */
unsigned sample_resolution_keep(enum sample_resolution resolution);    /* points */

/* A second time in the same second, or in an earlier one, takes the place of the newest. */
void sample_history_add(struct sample_history *history, const struct sample_point *point);

/* The points with since < at_s <= until. A `since` that is yet to come is of a clock that was set back meanwhile, and holds
 * no point back. */
struct sample_range {
    enum sample_resolution resolution;
    uint32_t since, until; /* seconds since 1970; `until` 0: to the newest one */
};

/* Those of the range that are complete at `now_s`, oldest first: copies them and returns their number; with `out` NULL it
 * only counts. `restarts` of now makes the kept counts, which are cut, whole again. */
size_t sample_history_get(const struct sample_history *history, const struct sample_range *range, uint32_t now_s,
                          uint32_t restarts, struct sample_point *out, size_t max);

/* The clock was set: what is kept moves along. */
void sample_history_move(struct sample_history *history, int64_t step_s);

#endif
