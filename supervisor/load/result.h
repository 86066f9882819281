/*
 * How a load run went: counts, distributions, a point for every second, what each target did and which stand out.
 */
#ifndef SUPERVISOR_LOAD_RESULT_H
#define SUPERVISOR_LOAD_RESULT_H

#include "supervisor/load/latency.h"
#include "supervisor/load/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_STATUS_MAX 600u
#define LOAD_STATUS_CLASSES 5u
#define LOAD_NAME_MAX 64u
#define LOAD_WHY_MAX 192u

enum load_error {
    LOAD_REFUSED,    /* nothing listens there */
    LOAD_RESET,      /* the connection ended before an answer began */
    LOAD_TIMEOUT,    /* no whole answer in time */
    LOAD_SHORT_BODY, /* the connection ended inside the answer */
    LOAD_BAD_HTTP,   /* something that is no HTTP */
    LOAD_LOCAL,      /* out of descriptors, ports or memory here */
    LOAD_ERRORS
};

const char *load_error_name(enum load_error error); /* "refused", "reset", "timeout", "short_body", … */
const char *load_error_text(enum load_error error); /* for people: "refused", …, "answer cut short", … */

/* requests = answered + the errors + unfinished. */
struct load_counts {
    uint64_t requests; /* begun */
    uint64_t answered; /* with a whole answer, whatever its status */
    uint64_t errors[LOAD_ERRORS];
    uint64_t unfinished; /* cut at the end of the run */
    uint64_t status_200;
    uint64_t status_class[LOAD_STATUS_CLASSES]; /* of the answered: 1xx … 5xx */
    uint64_t connects;
    uint64_t bytes_sent, bytes_received;
};

void load_counts_add(struct load_counts *into, const struct load_counts *from);
uint64_t load_counts_broken(const struct load_counts *counts); /* the errors together: no whole answer */
uint64_t load_counts_failed(const struct load_counts *counts); /* and the answers with status 400 and above */

struct load_target_result {
    int id;
    char name[LOAD_NAME_MAX];
    struct load_counts counts;
    uint64_t dropped;                /* of an open model: never sent */
    double seconds;                  /* from the start to the end of its last request */
    bool gave_up;                    /* it answered nothing for so long that it was not asked any more */
    struct latency latency, service; /* 1 %; service is empty in the closed model, where both are the same */
    char stands_out[LOAD_WHY_MAX];   /* how it differs from its peers, a sentence; empty when it doesn't */
};

/* One second of the run. Its last one may be shorter. */
struct load_point {
    unsigned second; /* 0 is the first after the warm-up */
    uint64_t requests, answered, failed, bytes_received;
    double p50_ns, p90_ns, p99_ns, max_ns; /* of latency; 0 when nothing was answered */
    double service_p99_ns;
};

/* What is known while it runs. */
struct load_progress {
    double seconds;
    struct load_point total; /* the counts and percentiles of all seconds so far */
};

enum load_end {
    LOAD_END_COUNT, /* all requests were made */
    LOAD_END_TIME,
    LOAD_END_STOPPED, /* from outside */
    LOAD_END_GAVE_UP, /* no target answers */
};

struct load_verdict {
    struct threshold threshold;
    bool passed;
    double actual;
    size_t worst_target; /* per target: the one in `targets` that `actual` is of */
};

struct load_result {
    enum load_model model;
    int64_t started_at_us; /* of the measured time, real clock */
    double seconds;        /* the time of sending, or up to the last answer where that is later */
    enum load_end end;
    unsigned threads, connections;

    struct load_counts counts;
    struct load_counts warmup;        /* not in the above */
    uint64_t status[LOAD_STATUS_MAX]; /* answers by status code */
    struct latency latency;           /* from the instant that was meant */
    struct latency service;           /* from the actual sending; empty in the closed model: the same */
    struct latency send_delay;        /* the difference; empty in the closed model: none */
    uint64_t asked;                   /* requests that were to be sent; 0 in a closed model by time */
    uint64_t dropped;                 /* of them those never sent */
    double asked_rate, achieved_rate; /* per second; asked_rate 0 in the closed model */
    double cpu_cores;                 /* the engine's own, while it sent */
    bool saturated;                   /* the engine, not the targets, was the limit */
    char saturated_why[LOAD_WHY_MAX]; /* a sentence */
    size_t memory_bytes;              /* of connections and distributions */

    struct load_target_result *targets; /* in the order of the plan */
    size_t target_count;
    struct load_point *points;
    size_t point_count;
    struct load_verdict *verdicts;
    size_t verdict_count;
    bool passed; /* all verdicts */
};

void load_result_free(struct load_result *result); /* NULL is fine */

/* The distribution from the actual sending, in either model. */
const struct latency *load_result_service(const struct load_result *result);

/* Fills in what follows from the rest: which targets stand out (peers.c), the verdicts (threshold.c). */
void load_result_find_outliers(struct load_result *result);
void load_result_judge(struct load_result *result, const struct threshold *thresholds, size_t count);

#endif
