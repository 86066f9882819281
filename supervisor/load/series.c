/*
 * Seconds from several threads become points. A thread that is behind keeps those after it waiting, so there are as many
 * parts as the threads are apart: one, as a rule.
 */
#include "supervisor/load/series.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

struct series_part {
    unsigned handed_in; /* threads */
    struct load_point sum;
    struct latency latency, service;
};

void load_second_init(struct load_second *second)
{
    memset(second, 0, sizeof(*second));
    latency_init(&second->latency, LATENCY_FINE_BITS);
    latency_init(&second->service, LATENCY_FINE_BITS);
    latency_init(&second->send_delay, LATENCY_FINE_BITS);
}

void load_second_done(struct load_second *second)
{
    latency_done(&second->latency);
    latency_done(&second->service);
    latency_done(&second->send_delay);
}

void load_second_clear(struct load_second *second)
{
    memset(&second->counts, 0, sizeof(second->counts));
    latency_clear(&second->latency);
    latency_clear(&second->service);
    latency_clear(&second->send_delay);
}

void series_init(struct series *series, unsigned threads)
{
    *series = (struct series){.threads = threads};
    latency_init(&series->latency, LATENCY_FINE_BITS);
    latency_init(&series->service, LATENCY_FINE_BITS);
    latency_init(&series->send_delay, LATENCY_FINE_BITS);
}

static void part_done(struct series_part *part)
{
    latency_done(&part->latency);
    latency_done(&part->service);
}

void series_done(struct series *series)
{
    for (size_t i = 0; i < series->part_count; i++)
        part_done(&series->parts[i]);
    free(series->parts);
    free(series->points);
    latency_done(&series->latency);
    latency_done(&series->service);
    latency_done(&series->send_delay);
}

static void add_counts(struct load_point *into, const struct load_point *from)
{
    into->requests += from->requests;
    into->answered += from->answered;
    into->failed += from->failed;
    into->bytes_received += from->bytes_received;
}

static void fill_percentiles(struct load_point *point, const struct latency *latency, const struct latency *service)
{
    point->p50_ns = latency_quantile(latency, 0.50);
    point->p90_ns = latency_quantile(latency, 0.90);
    point->p99_ns = latency_quantile(latency, 0.99);
    point->max_ns = (double)latency->max_ns;
    point->service_p99_ns = latency_quantile(service->count > 0 ? service : latency, 0.99);
}

/* The first part is complete and becomes a point. */
static void complete(struct series *series)
{
    struct series_part *part = &series->parts[0];

    if (series->count == series->capacity) {
        series->capacity = series->capacity > 0 ? 2 * series->capacity : 64;
        series->points = xrealloc(series->points, series->capacity * sizeof(*series->points));
    }
    part->sum.second = (unsigned)series->count;
    fill_percentiles(&part->sum, &part->latency, &part->service);
    series->points[series->count++] = part->sum;
    part_done(part);
    series->part_count--;
    memmove(series->parts, series->parts + 1, series->part_count * sizeof(*series->parts));
}

static void complete_all(struct series *series)
{
    while (series->part_count > 0 && series->parts[0].handed_in == series->threads)
        complete(series);
}

static struct series_part *part_of(struct series *series, unsigned second)
{
    size_t place = second - series->count;

    if (place >= series->part_count) {
        series->parts = xrealloc(series->parts, (place + 1) * sizeof(*series->parts));
        for (; series->part_count <= place; series->part_count++) {
            struct series_part *part = &series->parts[series->part_count];
            *part = (struct series_part){.handed_in = series->left};
            latency_init(&part->latency, LATENCY_FINE_BITS);
            latency_init(&part->service, LATENCY_FINE_BITS);
        }
    }
    return &series->parts[place];
}

void series_add(struct series *series, unsigned second, const struct load_second *from)
{
    struct series_part *part = part_of(series, second);

    add_counts(&part->sum, &from->counts);
    latency_merge(&part->latency, &from->latency);
    latency_merge(&part->service, &from->service);
    add_counts(&series->total, &from->counts);
    latency_merge(&series->latency, &from->latency);
    latency_merge(&series->service, &from->service);
    latency_merge(&series->send_delay, &from->send_delay);
    part->handed_in++;
    complete_all(series);
}

void series_leave(struct series *series, unsigned seconds)
{
    for (size_t i = 0; i < series->part_count; i++) {
        if (series->count + i >= seconds)
            series->parts[i].handed_in++;
    }
    series->left++;
    complete_all(series);
}

void series_total(const struct series *series, struct load_point *total)
{
    *total = series->total;
    fill_percentiles(total, &series->latency, &series->service);
}
