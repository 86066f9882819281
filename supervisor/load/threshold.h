/*
 * What a run must reach to pass: `p99<10ms`, `errors<0.1%`, `rate>4900`, over all or of every target.
 */
#ifndef SUPERVISOR_LOAD_THRESHOLD_H
#define SUPERVISOR_LOAD_THRESHOLD_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>

#define THRESHOLD_MAX_LENGTH 64u
#define LOAD_MAX_THRESHOLDS 32u

enum threshold_metric {
    THRESHOLD_QUANTILE, /* p50 … p99.99: milliseconds */
    THRESHOLD_MEAN,
    THRESHOLD_MAX,
    THRESHOLD_ERRORS,  /* failed requests: a share of all when the limit has %, else their number */
    THRESHOLD_DROPPED, /* the same of those never sent */
    THRESHOLD_RATE,    /* answers per second */
};

enum threshold_of { THRESHOLD_OF_LATENCY, THRESHOLD_OF_SERVICE, THRESHOLD_OF_DELAY };

enum threshold_relation { THRESHOLD_LESS, THRESHOLD_AT_MOST, THRESHOLD_MORE, THRESHOLD_AT_LEAST };

struct threshold {
    char text[THRESHOLD_MAX_LENGTH]; /* as it was written */
    bool per_target;                 /* every target must reach it */
    enum threshold_of of;            /* which times */
    enum threshold_metric metric;
    enum threshold_relation relation;
    bool percent;
    double quantile; /* 0…1 */
    double limit;    /* milliseconds, percent, a number or a rate */
};

/* [target.][latency.|service.|send_delay.]METRIC(<|<=|>|>=)LIMIT */
int threshold_parse(const char *text, struct threshold *threshold, struct error *err);

bool threshold_holds(const struct threshold *threshold, double actual);

/* "1.91 ms", "0.054 ms", "0.25 %", "4998/s": fine enough to be told from a limit that it misses by little */
void threshold_format(const struct threshold *threshold, double value, char out[32]);

#endif
