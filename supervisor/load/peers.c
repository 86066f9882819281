/*
 * Which targets stand out from their peers: by p99, by their share of failures, by how much they answered. Compared with
 * the median of all, which a few bad ones do not move.
 */
#include "supervisor/load/result.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MIN 3u       /* fewer have no middle to stand out from */
#define ANSWERS_MIN 100u   /* a p99 of fewer is chance */
#define SPREAD_TIMES 6.0   /* median deviations from the median: about four standard deviations */
#define P99_TIMES 2.0      /* and at least this many times the median … */
#define P99_MORE_NS 1e6    /* … and so much more */
#define FAILED_SHARE 0.01  /* of its requests, and … */
#define FAILED_TIMES 5.0   /* … times its peers' */
#define ANSWERED_SHARE 0.5 /* of what its peers answered */

static int compare_doubles(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

struct peers {
    double p99_ns, p99_spread_ns, failed_share, answered;
};

static double failed_share(const struct load_target_result *target)
{
    uint64_t requests = target->counts.requests;

    return requests > 0 ? (double)load_counts_failed(&target->counts) / (double)requests : 0;
}

static struct peers peers_of(const struct load_result *result)
{
    size_t count = result->target_count;
    cleanup_free double *values = xcalloc(count, sizeof(*values));
    struct peers peers;

    for (size_t i = 0; i < count; i++)
        values[i] = latency_quantile(&result->targets[i].latency, 0.99);
    peers.p99_ns = median(values, count);
    for (size_t i = 0; i < count; i++)
        values[i] = fabs(values[i] - peers.p99_ns);
    peers.p99_spread_ns = median(values, count);
    for (size_t i = 0; i < count; i++)
        values[i] = failed_share(&result->targets[i]);
    peers.failed_share = median(values, count);
    for (size_t i = 0; i < count; i++)
        values[i] = (double)result->targets[i].counts.answered;
    peers.answered = median(values, count);
    return peers;
}

static bool is_slow(const struct load_target_result *target, const struct peers *peers)
{
    double p99_ns = latency_quantile(&target->latency, 0.99);

    return target->latency.count >= ANSWERS_MIN && p99_ns > P99_TIMES * peers->p99_ns &&
           p99_ns > peers->p99_ns + P99_MORE_NS && p99_ns > peers->p99_ns + SPREAD_TIMES * peers->p99_spread_ns;
}

static void compare_with_peers(struct load_target_result *target, const struct peers *peers)
{
    double failed = failed_share(target);
    double answered = (double)target->counts.answered;

    if (failed >= FAILED_SHARE && failed >= FAILED_TIMES * peers->failed_share)
        snprintf(target->stands_out, sizeof(target->stands_out), "%.1f %% of its requests failed (peers %.1f %%)",
                 failed * 100, peers->failed_share * 100);
    else if (is_slow(target, peers))
        snprintf(target->stands_out, sizeof(target->stands_out), "p99 %.2f ms (peers %.2f)",
                 latency_quantile(&target->latency, 0.99) / 1e6, peers->p99_ns / 1e6);
    else if (peers->answered >= ANSWERS_MIN && answered < ANSWERED_SHARE * peers->answered)
        snprintf(target->stands_out, sizeof(target->stands_out), "answered %.0f requests (peers %.0f)", answered,
                 peers->answered);
}

void load_result_find_outliers(struct load_result *result)
{
    if (result->target_count < PEERS_MIN)
        return;
    struct peers peers = peers_of(result);
    for (size_t i = 0; i < result->target_count; i++)
        compare_with_peers(&result->targets[i], &peers);
}
