/*
 * A point has no time of its own: its place in the ring tells it, and a step in which nothing was measured has an empty
 * point. Figures are whole numbers of a fine unit, of which the leading 12 bits are kept (core/histogram's buckets).
 */
#include "supervisor/farm/sample_history.h"

#include "core/histogram.h"
#include "core/memory.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define FIRST_POINTS 32 /* room for this many at first */
#define BITS 11         /* below the leading one */
#define NOTHING 0xffffu
#define LARGEST 0xfffeu
#define HUNDREDTHS 100.0 /* of a percent, of a request a second */
#define KIB_OF_MB 1024.0

struct packed_point {
    uint16_t cpu, throttled; /* hundredths of a percent */
    uint16_t memory;         /* KiB; NOTHING: an empty point */
    uint16_t rate, errors;   /* hundredths a second; NOTHING: not counted */
    uint16_t p50, p99;       /* µs */
    uint16_t restarts;       /* modulo 2^16, as it is */
};
_Static_assert(sizeof(struct packed_point) == SAMPLE_POINT_BYTES, "the stated bytes per point");

static const struct {
    unsigned seconds, keep;
} RESOLUTIONS[SAMPLE_RESOLUTIONS] = {
    [SAMPLE_1S] = {1, SAMPLE_KEEP_1S},
    [SAMPLE_10S] = {10, SAMPLE_KEEP_10S},
};

unsigned sample_resolution_seconds(enum sample_resolution resolution)
{
    return RESOLUTIONS[resolution].seconds;
}

unsigned sample_resolution_keep(enum sample_resolution resolution)
{
    return RESOLUTIONS[resolution].keep;
}

void sample_history_done(struct sample_history *history)
{
    for (size_t i = 0; i < SAMPLE_RESOLUTIONS; i++)
        free(history->tracks[i].points);
    *history = (struct sample_history){0};
}

/* --- packing --- */

static uint16_t pack(double value)
{
    if (!(value > 0))
        return 0;
    uint64_t whole = value < 1e15 ? (uint64_t)llround(value) : UINT64_C(1000000000000000);
    size_t index = histogram_index(whole, BITS);
    return (uint16_t)(index < LARGEST ? index : LARGEST);
}

/* The middle of what packs to it. */
static double unpack(uint16_t packed)
{
    uint64_t half = (histogram_width(packed, BITS) - 1) / 2;

    return (double)(histogram_lowest(packed, BITS) + half);
}

static struct packed_point pack_point(const struct sample_point *point)
{
    bool counted = point->requests_per_second >= 0;

    return (struct packed_point){
        .cpu = pack(point->cpu_percent * HUNDREDTHS),
        .throttled = pack(point->throttled_percent * HUNDREDTHS),
        .memory = pack(point->memory_mb * KIB_OF_MB),
        .rate = counted ? pack(point->requests_per_second * HUNDREDTHS) : NOTHING,
        .errors = pack(point->errors_per_second * HUNDREDTHS),
        .p50 = pack(point->p50_us),
        .p99 = pack(point->p99_us),
        .restarts = (uint16_t)point->restarts,
    };
}

static struct sample_point unpack_point(const struct packed_point *packed)
{
    return (struct sample_point){
        .cpu_percent = (float)(unpack(packed->cpu) / HUNDREDTHS),
        .throttled_percent = (float)(unpack(packed->throttled) / HUNDREDTHS),
        .memory_mb = (float)(unpack(packed->memory) / KIB_OF_MB),
        .requests_per_second = packed->rate == NOTHING ? -1 : (float)(unpack(packed->rate) / HUNDREDTHS),
        .errors_per_second = (float)(unpack(packed->errors) / HUNDREDTHS),
        .p50_us = (uint32_t)unpack(packed->p50),
        .p99_us = (uint32_t)unpack(packed->p99),
        .restarts = packed->restarts,
    };
}

/* --- the ring --- */

static struct packed_point *place_of(const struct sample_track *track, int64_t step)
{
    return &track->points[(uint64_t)(step - track->origin) % track->capacity];
}

/* A full ring has no front any more, so it grows only while nothing has wrapped. */
static void make_room(struct sample_track *track, int64_t step, unsigned keep)
{
    if (track->capacity == keep || step - track->origin < track->capacity)
        return;
    uint32_t capacity = track->capacity > 0 ? track->capacity : FIRST_POINTS;
    while (step - track->origin >= capacity && capacity < keep)
        capacity *= 2;
    track->capacity = capacity < keep ? capacity : keep;
    track->points = xrealloc(track->points, track->capacity * sizeof(struct packed_point));
}

static void put(struct sample_track *track, int64_t step, unsigned keep, const struct packed_point *point)
{
    if (track->points == NULL || step - track->newest >= keep) { /* nothing of before is kept */
        track->origin = track->oldest = step;
        track->newest = step - 1;
    }
    if (step < track->newest)
        step = track->newest;
    make_room(track, step, keep);
    for (int64_t missed = track->newest + 1; missed < step; missed++)
        *place_of(track, missed) = (struct packed_point){.memory = NOTHING};
    *place_of(track, step) = *point;
    track->newest = step;
    if (step - track->oldest >= keep)
        track->oldest = step - keep + 1;
}

static const struct packed_point *find(const struct sample_track *track, int64_t step)
{
    if (track->points == NULL || step < track->oldest || step > track->newest)
        return NULL;
    const struct packed_point *point = place_of(track, step);
    return point->memory == NOTHING ? NULL : point;
}

/* --- ten seconds out of seconds --- */

struct sum {
    unsigned points, counted;
    double cpu, throttled, memory, requests, errors, p50;
    uint32_t p99, restarts;
};

static void add_to_sum(struct sum *sum, const struct sample_point *point)
{
    sum->points++;
    sum->cpu += point->cpu_percent;
    sum->throttled += point->throttled_percent;
    sum->memory += point->memory_mb;
    sum->restarts = point->restarts;
    if (point->requests_per_second < 0)
        return;
    sum->counted++;
    sum->requests += point->requests_per_second;
    sum->errors += point->errors_per_second;
    sum->p50 += point->p50_us * (double)point->requests_per_second; /* by how many requests it stands for */
    if (point->p99_us > sum->p99)
        sum->p99 = point->p99_us;
}

static struct sample_point mean_of(const struct sum *sum)
{
    double points = sum->points, counted = sum->counted > 0 ? sum->counted : 1;

    return (struct sample_point){
        .cpu_percent = (float)(sum->cpu / points),
        .throttled_percent = (float)(sum->throttled / points),
        .memory_mb = (float)(sum->memory / points),
        .requests_per_second = sum->counted > 0 ? (float)(sum->requests / counted) : -1,
        .errors_per_second = (float)(sum->errors / counted),
        .p50_us = sum->requests > 0 ? (uint32_t)(sum->p50 / sum->requests) : 0,
        .p99_us = sum->p99,
        .restarts = sum->restarts,
    };
}

/* Made anew with each of its seconds, so that the last one is there even if no other follows. */
static void add_ten(struct sample_history *history, int64_t second)
{
    unsigned seconds = RESOLUTIONS[SAMPLE_10S].seconds;
    int64_t first = second - second % seconds;
    struct sum sum = {0};

    for (int64_t s = first; s <= second; s++) {
        const struct packed_point *packed = find(&history->tracks[SAMPLE_1S], s);
        if (packed == NULL)
            continue;
        struct sample_point point = unpack_point(packed);
        add_to_sum(&sum, &point);
    }
    struct sample_point mean = mean_of(&sum);
    struct packed_point packed = pack_point(&mean);
    put(&history->tracks[SAMPLE_10S], first / seconds, SAMPLE_KEEP_10S, &packed);
}

void sample_history_add(struct sample_history *history, const struct sample_point *point)
{
    struct packed_point packed = pack_point(point);

    put(&history->tracks[SAMPLE_1S], point->at_s, SAMPLE_KEEP_1S, &packed);
    add_ten(history, history->tracks[SAMPLE_1S].newest);
}

/* --- reading --- */

size_t sample_history_get(const struct sample_history *history, const struct sample_range *range, uint32_t now_s,
                          uint32_t restarts, struct sample_point *out, size_t max)
{
    const struct sample_track *track = &history->tracks[range->resolution];
    int64_t seconds = RESOLUTIONS[range->resolution].seconds, first, last;
    uint32_t since = range->since;
    size_t count = 0;

    if (track->points == NULL)
        return 0;
    if (since > track->newest * seconds + seconds - 1)
        since = 0;
    first = since / seconds > track->oldest ? since / seconds : track->oldest;
    last = range->until != 0 && range->until / seconds < track->newest ? range->until / seconds : track->newest;
    for (int64_t step = first; step <= last && count < max; step++) {
        const struct packed_point *packed = find(track, step);
        bool complete = seconds == 1 || (step + 1) * seconds <= now_s;
        if (packed == NULL || step * seconds <= since || !complete)
            continue;
        if (out != NULL) {
            out[count] = unpack_point(packed);
            out[count].at_s = (uint32_t)(step * seconds);
            out[count].restarts = restarts - (uint16_t)(restarts - packed->restarts);
        }
        count++;
    }
    return count;
}

void sample_history_move(struct sample_history *history, int64_t step_s)
{
    for (size_t i = 0; i < SAMPLE_RESOLUTIONS; i++) {
        struct sample_track *track = &history->tracks[i];
        int64_t steps = step_s / (int64_t)RESOLUTIONS[i].seconds;
        if (track->points == NULL)
            continue;
        if (track->oldest + steps < 0) /* before 1970 */
            steps = -track->oldest;
        track->origin += steps;
        track->oldest += steps;
        track->newest += steps;
    }
}
