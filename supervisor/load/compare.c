/*
 * See compare.h. A run's seconds are its sample: their medians tell how large a change is, the rank test whether the
 * scatter of the seconds could be all of it. What rests on a few seconds only is told apart from a change of level. That
 * two runs of the very same thing are never quite alike is what the least sizes are for.
 */
#include "supervisor/load/compare.h"

#include "core/memory.h"
#include "supervisor/load/compare_plans.h"
#include "supervisor/load/rank.h"
#include "supervisor/load/result.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_SLACK 0.01 /* of a run's length, which is rounded */
#define WHOLE_TIMES 1.5   /* whole runs that differ by this factor are not called alike because their medians are */
#define FAR_TIMES                                                                                                      \
    4.0       /* medians so many times the middle half of the seconds apart are not noise, whatever their order */
#define FEW 4 /* an incident is at most so small a part of the seconds */
#define FAILED_POINTS 0.1 /* the least change of the percentage of failures that matters */
#define PERCENT(share) ((share)*100)

static const char *const NAMES[] = {"a", "b"};

/* One row each: a figure of the whole run, and that of a second which shows how it scatters. */
struct metric {
    const char *name;
    const char *group, *key; /* in the result; group NULL: in the result itself */
    const char *of_second;   /* in its series; NULL: no second has it, so it is shown and not judged */
    bool more_is_better;
    double least; /* percent of change that matters */
};

static const struct metric METRICS[] = {
    {"achieved_rate", NULL, "achieved_rate", "answered", true, 5},
    {"latency_p50_us", "latency", "p50_us", "p50_us", false, 5},
    {"latency_p90_us", "latency", "p90_us", "p90_us", false, 5},
    {"latency_p99_us", "latency", "p99_us", "p99_us", false, 10},
    {"latency_p99_9_us", "latency", "p99_9_us", NULL, false, 0},
    {"latency_max_us", "latency", "max_us", NULL, false, 0},
    {"service_time_p99_us", "service_time", "p99_us", "service_p99_us", false, 10},
};

enum verdict { NOISE, BETTER, WORSE, UNCLEAR, UNKNOWN, VERDICTS };

static const char *const VERDICT_NAMES[] = {
    [NOISE] = "noise", [BETTER] = "better", [WORSE] = "worse", [UNCLEAR] = "unclear", [UNKNOWN] = "unknown"};
_Static_assert(ARRAY_SIZE(VERDICT_NAMES) == VERDICTS, "every verdict has a name");

/* Of one run: a figure over all, and in each of its whole seconds in order of time. */
struct side {
    double whole; /* NaN: there is none */
    double *seconds;
    size_t count;
    double least, lower, median, upper, most;
};

struct change {
    struct side sides[2];
    enum verdict verdict;
    double p;               /* NaN: not tested */
    char why[LOAD_WHY_MAX]; /* a sentence */
};

struct comparison {
    const cJSON *plans[2], *results[2];
    unsigned found[VERDICTS]; /* of the judged metrics */
};

/* --- looking into reports --- */

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* NAN when it is not there. */
static double number(const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static double second_of_metric(const cJSON *point, const struct metric *metric)
{
    bool answered = number(point, "answered") > 0;

    return metric->group == NULL || answered ? number(point, metric->of_second) : NAN; /* no answer has no times */
}

/* What fails in a second may have begun before, so there may be more of it than was begun. */
static double failed_percent_of(const cJSON *point)
{
    double requests = number(point, "requests"), failed = number(point, "failed");

    if (!(requests > 0))
        return failed > 0 ? PERCENT(1) : NAN;
    return PERCENT(fmin(failed / requests, 1));
}

/* `metric` NULL: failures. The last second of a run is mostly a piece of one, and left out. */
static void read_seconds(const cJSON *result, const struct metric *metric, struct side *side)
{
    const cJSON *series = member(result, "series"), *point;
    size_t room = (size_t)cJSON_GetArraySize(series);
    double length = number(result, "seconds") + SECOND_SLACK;
    cleanup_free double *sorted = xcalloc(room + 1, sizeof(*sorted));

    side->seconds = xcalloc(room + 1, sizeof(*side->seconds));
    cJSON_ArrayForEach(point, series)
    {
        double value = metric ? second_of_metric(point, metric) : failed_percent_of(point);
        if (number(point, "second") + 1 <= length && isfinite(value))
            side->seconds[side->count++] = value;
    }
    memcpy(sorted, side->seconds, side->count * sizeof(*sorted));
    rank_sort(sorted, side->count);
    side->least = rank_quantile(sorted, side->count, 0);
    side->lower = rank_quantile(sorted, side->count, 0.25);
    side->median = rank_quantile(sorted, side->count, 0.5);
    side->upper = rank_quantile(sorted, side->count, 0.75);
    side->most = rank_quantile(sorted, side->count, 1);
}

static bool is_saturated(const struct comparison *comparison)
{
    return cJSON_IsTrue(member(member(comparison->results[0], "engine"), "saturated")) ||
           cJSON_IsTrue(member(member(comparison->results[1], "engine"), "saturated"));
}

/* --- judging --- */

static double percent_of_change(double a, double b)
{
    return a > 0 ? PERCENT(b / a - 1) : NAN;
}

static bool has_seconds(const struct change *change)
{
    return change->sides[0].count >= COMPARE_MIN_SECONDS && change->sides[1].count >= COMPARE_MIN_SECONDS;
}

static void test_seconds(struct change *change)
{
    const struct side *a = &change->sides[0], *b = &change->sides[1];

    change->p = rank_test(a->seconds, a->count, b->seconds, b->count);
}

static void say_what_is_missing(struct change *change)
{
    size_t short_one = change->sides[0].count < COMPARE_MIN_SECONDS ? 0 : 1;

    change->verdict = UNKNOWN;
    snprintf(change->why, sizeof(change->why), "noise is told from %u whole seconds with answers on, and %s has %zu",
             COMPARE_MIN_SECONDS, NAMES[short_one], change->sides[short_one].count);
}

/* Seconds outside of all that the other run has seen. */
static size_t seconds_beyond(const struct side *side, const struct side *other, bool above)
{
    size_t count = 0;

    for (size_t i = 0; i < side->count; i++)
        count += above ? side->seconds[i] > other->most : side->seconds[i] < other->least;
    return count;
}

/* The runs as a whole are apart and their seconds are not, taken together: it is due to the highest seconds of the run
 * that is higher, or to the lowest of the other, whichever stand out more. */
static void say_which_seconds(struct change *change)
{
    size_t higher = change->sides[1].whole > change->sides[0].whole ? 1 : 0;
    const struct side *high = &change->sides[higher], *low = &change->sides[1 - higher];
    bool peaks = high->most * low->least >= high->least * low->most;
    size_t which = peaks ? higher : 1 - higher;
    size_t beyond = peaks ? seconds_beyond(high, low, true) : seconds_beyond(low, high, false);

    change->verdict = UNCLEAR;
    if (beyond > 0 && beyond <= change->sides[which].count / FEW)
        snprintf(
            change->why, sizeof(change->why),
            "due to %zu of the %zu seconds of %s, which %s beyond all of %s: an incident rather than another level",
            beyond, change->sides[which].count, NAMES[which], beyond == 1 ? "lies" : "lie", NAMES[1 - which]);
    else
        snprintf(change->why, sizeof(change->why), "the seconds drift and scatter too much to be sure (p = %.2f)",
                 change->p);
}

static bool wholes_apart(const struct side *a, const struct side *b)
{
    if (isnan(a->whole) || isnan(b->whole))
        return isnan(a->whole) != isnan(b->whole);
    return fmax(a->whole, b->whole) > fmin(a->whole, b->whole) * WHOLE_TIMES;
}

static double ratio(double high, double low)
{
    return low > 0 ? high / low : high > 0 ? INFINITY : 1;
}

/* Ranks know of no distances: seconds that drift, as those of a run's beginning do, leave them in doubt however far away
 * the other run is. Far is what lies by many times the scatter of the middle half away, or with a gap between the whole
 * runs; in proportions, as times and rates scatter. */
static bool far_apart(const struct side *a, const struct side *b)
{
    double scatter = fmax(ratio(a->upper, a->lower), ratio(b->upper, b->lower));
    double distance = ratio(fmax(a->median, b->median), fmin(a->median, b->median));
    double gap = fmax(ratio(b->least, a->most), ratio(a->least, b->most));

    return log(distance) > FAR_TIMES * log(scatter) || gap > WHOLE_TIMES;
}

/* A change beyond doubt, unless the engine says of itself that it was the limit: then it may be the client's, not the
 * servers'. */
static void settle(struct change *change, bool better, bool saturated)
{
    const char *client = saturated ? ", but the client was the limit and may be what changed" : "";

    change->verdict = saturated ? UNCLEAR : better ? BETTER : WORSE;
    if (far_apart(&change->sides[0], &change->sides[1]))
        snprintf(change->why, sizeof(change->why), "far more than the seconds scatter%s", client);
    else
        snprintf(change->why, sizeof(change->why), "more than the seconds scatter (p %s)%s",
                 change->p < 0.001 ? "< 0.001" : "< 0.01", client);
}

static void judge_metric(const struct metric *metric, struct change *change, bool saturated)
{
    const struct side *a = &change->sides[0], *b = &change->sides[1];

    if (!has_seconds(change)) {
        say_what_is_missing(change);
        return;
    }
    test_seconds(change);
    double percent = percent_of_change(a->median, b->median);
    bool rises = b->median > a->median;
    bool certain = change->p < COMPARE_P_VALUE || far_apart(a, b);
    bool large = isnan(percent) ? rises : fabs(percent) >= metric->least;
    if (certain && large && (isnan(b->whole) || isnan(a->whole) || rises == (b->whole > a->whole))) {
        settle(change, rises == metric->more_is_better, saturated);
    } else if (certain && large) {
        change->verdict = UNCLEAR;
        snprintf(change->why, sizeof(change->why), "most seconds went one way and the run as a whole the other");
    } else if (wholes_apart(a, b)) {
        say_which_seconds(change);
    } else if (large) {
        change->verdict = UNCLEAR;
        snprintf(change->why, sizeof(change->why), "the seconds scatter as much (p = %.2f): longer runs tell more",
                 change->p);
    } else {
        snprintf(change->why, sizeof(change->why),
                 certain ? "a change, but too small to matter" : "within the scatter of the seconds");
    }
}

/* How rarely chance alone puts two shares so far apart, where every try is independent of the others. */
static double p_of_shares(const double hits[2], const double tries[2])
{
    double share = (hits[0] + hits[1]) / (tries[0] + tries[1]);
    double variance = share * (1 - share) * (1 / tries[0] + 1 / tries[1]);

    return variance > 0 ? erfc(fabs(hits[1] / tries[1] - hits[0] / tries[0]) / sqrt(2 * variance)) : 1;
}

/* What was never sent has failed as well. Failures are counted, so that few seconds are enough; but they come in flocks,
 * which the seconds show where there are some. */
static void judge_failures(const struct comparison *comparison, struct change *change)
{
    double hits[2], tries[2], dropped = 0;

    for (size_t i = 0; i < 2; i++) {
        double never_sent = fmax(number(comparison->results[i], "dropped"), 0);
        hits[i] = fmax(number(comparison->results[i], "failed"), 0) + never_sent;
        tries[i] = fmax(number(comparison->results[i], "requests"), 0) + never_sent;
        change->sides[i].whole = tries[i] > 0 ? PERCENT(hits[i] / tries[i]) : NAN;
        dropped += never_sent;
    }
    if (tries[0] <= 0 || tries[1] <= 0) {
        change->verdict = UNKNOWN;
        snprintf(change->why, sizeof(change->why), "%s made no request", NAMES[tries[0] > 0 ? 1 : 0]);
        return;
    }
    change->p = p_of_shares(hits, tries);
    double points = change->sides[1].whole - change->sides[0].whole;
    if (change->p >= COMPARE_P_VALUE || fabs(points) < FAILED_POINTS) {
        snprintf(change->why, sizeof(change->why),
                 change->p < COMPARE_P_VALUE ? "a change, but too small to matter" : "as many as by chance");
        return;
    }
    change->verdict = points > 0 ? WORSE : BETTER;
    snprintf(change->why, sizeof(change->why), "more than chance (p %s)", change->p < 0.001 ? "< 0.001" : "< 0.01");
    if (!has_seconds(change) || dropped > 0)
        return;
    test_seconds(change);
    if (change->p >= COMPARE_P_VALUE)
        say_which_seconds(change);
}

/* --- writing --- */

static void number_or_null(struct json_writer *w, const char *key, double value)
{
    if (isfinite(value))
        json_member_fixed2(w, key, value);
    else
        json_member_null(w, key);
}

/* Two decimals would make 0 of what is of interest. */
static void write_p(struct json_writer *w, double p)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%.6f", p);

    json_key(w, "p_value");
    if (isnan(p))
        json_null(w);
    else
        json_raw(w, text, (size_t)length);
}

static void write_seconds(struct json_writer *w, const struct change *change)
{
    json_key(w, "seconds");
    json_begin_object(w);
    for (size_t i = 0; i < 2; i++) {
        const struct side *side = &change->sides[i];
        json_key(w, NAMES[i]);
        json_begin_object(w);
        json_member_uint(w, "count", side->count);
        number_or_null(w, "lower_quartile", side->lower);
        number_or_null(w, "median", side->median);
        number_or_null(w, "upper_quartile", side->upper);
        json_end_object(w);
    }
    json_end_object(w);
}

static void write_change(struct json_writer *w, const char *name, struct change *change)
{
    const struct side *a = &change->sides[0], *b = &change->sides[1];

    json_begin_object(w);
    json_member_string(w, "metric", name);
    number_or_null(w, "a", a->whole);
    number_or_null(w, "b", b->whole);
    number_or_null(w, "change_percent", percent_of_change(a->whole, b->whole));
    json_member_string(w, "verdict", VERDICT_NAMES[change->verdict]);
    json_member_string(w, "why", change->why);
    write_p(w, change->p);
    write_seconds(w, change);
    json_end_object(w);
    free(a->seconds);
    free(b->seconds);
}

static void write_metric(struct json_writer *w, struct comparison *comparison, const struct metric *metric)
{
    struct change change = {.p = NAN};

    for (size_t i = 0; i < 2; i++) {
        const cJSON *result = comparison->results[i];
        change.sides[i] = (struct side){.lower = NAN, .median = NAN, .upper = NAN};
        change.sides[i].whole = number(metric->group ? member(result, metric->group) : result, metric->key);
        if (metric->of_second)
            read_seconds(result, metric, &change.sides[i]);
    }
    if (metric->of_second) {
        judge_metric(metric, &change, is_saturated(comparison));
        comparison->found[change.verdict]++;
    } else {
        change.verdict = UNKNOWN;
        snprintf(change.why, sizeof(change.why), "not judged: it is of the run as a whole, once");
    }
    write_change(w, metric->name, &change);
}

static void write_failures(struct json_writer *w, struct comparison *comparison)
{
    struct change change = {.p = NAN};

    for (size_t i = 0; i < 2; i++)
        read_seconds(comparison->results[i], NULL, &change.sides[i]);
    judge_failures(comparison, &change);
    comparison->found[change.verdict]++;
    write_change(w, "failed_percent", &change);
}

/* What makes a run a poor witness. */
static void write_cautions_of(struct json_writer *w, const char *name, const cJSON *result)
{
    const char *ended_by = cJSON_GetStringValue(member(result, "ended_by"));
    const char *why = cJSON_GetStringValue(member(member(result, "engine"), "saturated_why"));
    char text[2 * LOAD_WHY_MAX];

    if (why != NULL) {
        snprintf(text, sizeof(text), "%s: %s", name, why);
        json_string(w, text);
    }
    if (ended_by != NULL && (strcmp(ended_by, "stopped") == 0 || strcmp(ended_by, "gave_up") == 0)) {
        snprintf(text, sizeof(text), "%s: ended before its time", name);
        json_string(w, text);
    }
}

static void write_plans_and_cautions(struct json_writer *w, const struct comparison *comparison)
{
    struct buffer matters = BUFFER_EMPTY;
    char text[2 * LOAD_WHY_MAX];

    compare_plans(comparison->plans[0], comparison->plans[1], w, &matters);
    json_key(w, "cautions");
    json_begin_array(w);
    if (matters.length > 0) {
        snprintf(text, sizeof(text), "the plans differ (%.300s), and a change may come from that", matters.data);
        json_string(w, text);
    }
    for (size_t i = 0; i < 2; i++)
        write_cautions_of(w, NAMES[i], comparison->results[i]);
    if (comparison->found[UNKNOWN] > 0) {
        snprintf(text, sizeof(text),
                 "too little to tell noise from change: each run needs %u whole seconds with answers",
                 COMPARE_MIN_SECONDS);
        json_string(w, text);
    }
    json_end_array(w);
    buffer_done(&matters);
}

/* Of all judged metrics. */
static const char *overall(const unsigned found[VERDICTS])
{
    if (found[BETTER] > 0 && found[WORSE] > 0)
        return "mixed";
    for (enum verdict verdict = BETTER; verdict <= UNCLEAR; verdict++) {
        if (found[verdict] > 0)
            return VERDICT_NAMES[verdict];
    }
    return VERDICT_NAMES[found[NOISE] > 0 ? NOISE : UNKNOWN];
}

static int check_run(const char *name, const cJSON *run, struct error *err)
{
    const cJSON *result = member(run, "result");

    if (!cJSON_IsObject(member(run, "plan")) || !cJSON_IsObject(result))
        return error_set(err, EINVAL, "%s has no plan and result, so it is no load run that has ended", name);
    if (!cJSON_IsArray(member(result, "series")) || isnan(number(result, "seconds")))
        return error_set(err, EINVAL, "%s has no seconds and series in its result", name);
    return 0;
}

int load_compare(const cJSON *a, const cJSON *b, struct json_writer *w, struct error *err)
{
    const cJSON *runs[] = {a, b};
    struct comparison comparison = {0};

    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        int rc = check_run(NAMES[i], runs[i], err);
        if (rc < 0)
            return rc;
        comparison.plans[i] = member(runs[i], "plan");
        comparison.results[i] = member(runs[i], "result");
    }
    json_begin_object(w);
    json_key(w, "metrics");
    json_begin_array(w);
    for (size_t i = 0; i < ARRAY_SIZE(METRICS); i++)
        write_metric(w, &comparison, &METRICS[i]);
    write_failures(w, &comparison);
    json_end_array(w);
    write_plans_and_cautions(w, &comparison);
    json_member_string(w, "verdict", overall(comparison.found));
    json_end_object(w);
    return 0;
}
