/*
 * Reading thresholds and holding results to them. A figure that a run does not have (a percentile of no answer at all)
 * fails: nothing was shown.
 */
#include "supervisor/load/threshold.h"

#include "core/memory.h"
#include "core/units.h"
#include "supervisor/load/result.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool take(const char **text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(*text, word, length) != 0)
        return false;
    *text += length;
    return true;
}

static enum threshold_of take_of(const char **text)
{
    take(text, "latency.");
    if (take(text, "service."))
        return THRESHOLD_OF_SERVICE;
    return take(text, "send_delay.") ? THRESHOLD_OF_DELAY : THRESHOLD_OF_LATENCY;
}

/* "p99.9": from p1 to p100 without the end, any decimals. */
static bool take_quantile(const char **text, double *quantile)
{
    char number[16];
    size_t length = **text == 'p' ? strspn(*text + 1, "0123456789.") : 0;
    double percent;

    if (length == 0 || length >= sizeof(number))
        return false;
    memcpy(number, *text + 1, length);
    number[length] = '\0';
    if (units_parse_double(number, 0, 100, &percent) < 0 || percent <= 0 || percent >= 100)
        return false;
    *quantile = percent / 100;
    *text += 1 + length;
    return true;
}

static bool take_metric(const char **text, struct threshold *threshold)
{
    static const struct {
        const char *word;
        enum threshold_metric metric;
    } METRICS[] = {{"mean", THRESHOLD_MEAN},
                   {"max", THRESHOLD_MAX},
                   {"errors", THRESHOLD_ERRORS},
                   {"dropped", THRESHOLD_DROPPED},
                   {"rate", THRESHOLD_RATE}};

    if (take_quantile(text, &threshold->quantile)) {
        threshold->metric = THRESHOLD_QUANTILE;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(METRICS); i++) {
        if (take(text, METRICS[i].word)) {
            threshold->metric = METRICS[i].metric;
            return true;
        }
    }
    return false;
}

static bool take_relation(const char **text, enum threshold_relation *relation)
{
    if (take(text, "<="))
        *relation = THRESHOLD_AT_MOST;
    else if (take(text, ">="))
        *relation = THRESHOLD_AT_LEAST;
    else if (take(text, "<"))
        *relation = THRESHOLD_LESS;
    else if (take(text, ">"))
        *relation = THRESHOLD_MORE;
    else
        return false;
    return true;
}

static bool is_time(enum threshold_metric metric)
{
    return metric == THRESHOLD_QUANTILE || metric == THRESHOLD_MEAN || metric == THRESHOLD_MAX;
}

static bool parse_number(const char *text, size_t length, double *value)
{
    char number[THRESHOLD_MAX_LENGTH];

    if (length >= sizeof(number))
        return false;
    memcpy(number, text, length);
    number[length] = '\0';
    return units_parse_double(number, 0, HUGE_VAL, value) == 0;
}

/* Times carry a unit: 10ms and 10s are too easily taken for each other. */
static bool parse_limit(const char *text, struct threshold *threshold)
{
    static const struct {
        const char *unit;
        double ms;
    } UNITS[] = {{"us", 1e-3}, {"µs", 1e-3}, {"ms", 1}, {"s", 1e3}};
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits;

    if (!parse_number(text, digits, &threshold->limit))
        return false;
    if (is_time(threshold->metric)) {
        for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
            if (strcmp(unit, UNITS[i].unit) == 0) {
                threshold->limit *= UNITS[i].ms;
                return true;
            }
        }
        return false;
    }
    threshold->percent = strcmp(unit, "%") == 0 && threshold->metric != THRESHOLD_RATE;
    return *unit == '\0' || threshold->percent || (threshold->metric == THRESHOLD_RATE && strcmp(unit, "/s") == 0);
}

int threshold_parse(const char *text, struct threshold *threshold, struct error *err)
{
    struct threshold made = {0};
    const char *at = text;

    snprintf(made.text, sizeof(made.text), "%s", text);
    bool fits = strlen(text) < sizeof(made.text);
    made.per_target = take(&at, "target.");
    const char *before = at;
    made.of = take_of(&at);
    bool of_times = at != before;
    bool of_run_only = made.of == THRESHOLD_OF_DELAY;
    if (!fits || !take_metric(&at, &made) || (of_times && !is_time(made.metric)) || (of_run_only && made.per_target) ||
        !take_relation(&at, &made.relation) || !parse_limit(at, &made))
        return error_set(err, EINVAL,
                         "\"%.80s\" is not a threshold; write such as p99<10ms, errors<0.1%%, rate>4900, "
                         "service.p99.9<50ms, target.max<1s",
                         text);
    *threshold = made;
    return 0;
}

bool threshold_holds(const struct threshold *threshold, double actual)
{
    switch (threshold->relation) {
    case THRESHOLD_LESS:
        return actual < threshold->limit;
    case THRESHOLD_AT_MOST:
        return actual <= threshold->limit;
    case THRESHOLD_MORE:
        return actual > threshold->limit;
    case THRESHOLD_AT_LEAST:
        return actual >= threshold->limit;
    }
    return false;
}

void threshold_format(const struct threshold *threshold, double value, char out[32])
{
    bool is_rate = threshold->metric == THRESHOLD_RATE;

    if (isnan(value))
        snprintf(out, 32, "no answer");
    else if (is_time(threshold->metric))
        snprintf(out, 32, "%.*f ms", value < 1 ? 3 : 2, value);
    else if (threshold->percent)
        snprintf(out, 32, "%.*f %%", value > 0 && value < 0.01 ? 4 : 2, value);
    else
        snprintf(out, 32, "%.*f%s", is_rate && value < 10 ? 2 : 0, value, is_rate ? "/s" : "");
}

/* --- against a result --- */

/* What a threshold looks at: the whole run or one target of it. */
struct judged {
    const struct load_counts *counts;
    const struct latency *latency, *service, *send_delay;
    uint64_t dropped;
    double seconds;
};

static double time_of(const struct threshold *threshold, const struct latency *times)
{
    if (!times || times->count == 0)
        return NAN;
    if (threshold->metric == THRESHOLD_MEAN)
        return latency_mean(times) / 1e6;
    if (threshold->metric == THRESHOLD_MAX)
        return (double)times->max_ns / 1e6;
    return latency_quantile(times, threshold->quantile) / 1e6;
}

static double part_of(const struct threshold *threshold, uint64_t part, uint64_t whole)
{
    if (!threshold->percent)
        return (double)part;
    return whole > 0 ? (double)part / (double)whole * 100 : NAN;
}

static double actual_of(const struct threshold *threshold, const struct judged *judged)
{
    const struct latency *const times[] = {[THRESHOLD_OF_LATENCY] = judged->latency,
                                           [THRESHOLD_OF_SERVICE] = judged->service,
                                           [THRESHOLD_OF_DELAY] = judged->send_delay};

    switch (threshold->metric) {
    case THRESHOLD_QUANTILE:
    case THRESHOLD_MEAN:
    case THRESHOLD_MAX:
        return time_of(threshold, times[threshold->of]);
    case THRESHOLD_ERRORS:
        return part_of(threshold, load_counts_failed(judged->counts), judged->counts->requests);
    case THRESHOLD_DROPPED:
        return part_of(threshold, judged->dropped, judged->counts->requests + judged->dropped);
    case THRESHOLD_RATE:
        return judged->seconds > 0 ? (double)judged->counts->answered / judged->seconds : NAN;
    }
    return NAN;
}

static bool is_worse(const struct threshold *threshold, double actual, double than)
{
    bool small_is_good = threshold->relation == THRESHOLD_LESS || threshold->relation == THRESHOLD_AT_MOST;

    if (isnan(than))
        return false;
    return isnan(actual) || (small_is_good ? actual > than : actual < than);
}

static void judge_targets(const struct load_result *result, struct load_verdict *verdict)
{
    const struct threshold *threshold = &verdict->threshold;

    for (size_t i = 0; i < result->target_count; i++) {
        const struct load_target_result *target = &result->targets[i];
        struct judged judged = {.counts = &target->counts,
                                .latency = &target->latency,
                                .service = result->model == LOAD_CLOSED ? &target->latency : &target->service,
                                .dropped = target->dropped,
                                .seconds = result->seconds};
        double actual = actual_of(threshold, &judged);
        if (i == 0 || is_worse(threshold, actual, verdict->actual)) {
            verdict->actual = actual;
            verdict->worst_target = i;
        }
    }
}

void load_result_judge(struct load_result *result, const struct threshold *thresholds, size_t count)
{
    struct judged all = {.counts = &result->counts,
                         .latency = &result->latency,
                         .service = load_result_service(result),
                         .send_delay = &result->send_delay,
                         .dropped = result->dropped,
                         .seconds = result->seconds};

    result->passed = true;
    result->verdict_count = count;
    result->verdicts = xcalloc(count, sizeof(*result->verdicts));
    for (size_t i = 0; i < count; i++) {
        struct load_verdict *verdict = &result->verdicts[i];
        verdict->threshold = thresholds[i];
        if (thresholds[i].per_target)
            judge_targets(result, verdict);
        else
            verdict->actual = actual_of(&thresholds[i], &all);
        verdict->passed = threshold_holds(&thresholds[i], verdict->actual);
        result->passed = result->passed && verdict->passed;
    }
}
