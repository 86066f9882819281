/*
 * How much a run scatters by itself is seen in its seconds. A figure has changed when chance would order the seconds of
 * the two runs like this once in a hundred times at most, and when the change is large enough to matter: two runs of the
 * very same thing are never quite alike.
 */
#include "supervisor/load/compare.h"

#include "core/memory.h"
#include "supervisor/load/noise.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILED_SHARE 0.0001 /* the least change of the share of failures that matters */
#define SUMMARY_MAX 400

/* One row each: a figure of the whole run, and that of a second which shows how it scatters. */
struct metric {
    const char *name;
    const char *group, *key; /* in the result; group NULL: in the result itself */
    const char *of_second;   /* in its series; NULL: no second has it, so it is shown and not judged */
    bool more_is_better;
    double least; /* the share of change that matters */
};

static const struct metric METRICS[] = {
    {"achieved_rate", NULL, "achieved_rate", "answered", true, 0.05},
    {"latency_p50_us", "latency", "p50_us", "p50_us", false, 0.05},
    {"latency_p90_us", "latency", "p90_us", "p90_us", false, 0.05},
    {"latency_p99_us", "latency", "p99_us", "p99_us", false, 0.1},
    {"latency_p99_9_us", "latency", "p99_9_us", NULL, false, 0},
    {"latency_max_us", "latency", "max_us", NULL, false, 0},
    {"service_time_p99_us", "service_time", "p99_us", "service_p99_us", false, 0.1},
};

enum verdict { VERDICT_NOISE, VERDICT_BETTER, VERDICT_WORSE, VERDICT_UNKNOWN };

static const char *const VERDICTS[] = {
    [VERDICT_NOISE] = "noise", [VERDICT_BETTER] = "better", [VERDICT_WORSE] = "worse", [VERDICT_UNKNOWN] = "unknown"};

struct comparison {
    const cJSON *plans[2], *results[2];
    unsigned found[ARRAY_SIZE(VERDICTS)]; /* of the judged metrics */
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

static double figure(const cJSON *result, const struct metric *metric)
{
    return number(metric->group != NULL ? member(result, metric->group) : result, metric->key);
}

/* A value for each whole second; times, for those in which something was answered. The last one may be a part only. */
static size_t seconds_of(const cJSON *result, const struct metric *metric, double **values)
{
    const cJSON *series = member(result, "series"), *point;
    size_t count = 0;

    *values = xcalloc((size_t)cJSON_GetArraySize(series) + 1, sizeof(**values));
    cJSON_ArrayForEach(point, series)
    {
        double value = number(point, metric->of_second);
        bool has = metric->group == NULL || number(point, "answered") > 0;
        if (point->next != NULL && has && isfinite(value))
            (*values)[count++] = value;
    }
    return noise_thin(*values, count);
}

/* --- judging --- */

static enum verdict judge(const struct comparison *comparison, const struct metric *metric, double a, double b)
{
    cleanup_free double *of_a = NULL, *of_b = NULL;

    if (metric->of_second == NULL || !isfinite(a) || !isfinite(b))
        return VERDICT_UNKNOWN;
    size_t count_a = seconds_of(comparison->results[0], metric, &of_a);
    size_t count_b = seconds_of(comparison->results[1], metric, &of_b);
    if (count_a < NOISE_LEAST || count_b < NOISE_LEAST)
        return VERDICT_UNKNOWN;
    double score = noise_rank_score(of_a, count_a, of_b, count_b);
    bool same_way = (score > 0) == (b > a); /* else the whole and its seconds contradict each other */
    if (fabs(b - a) < metric->least * fabs(a) || fabs(score) < NOISE_SCORE || !same_way)
        return VERDICT_NOISE;
    return (b > a) == metric->more_is_better ? VERDICT_BETTER : VERDICT_WORSE;
}

static uint64_t count_of(const cJSON *result, const char *key)
{
    double value = number(result, key);

    return value > 0 ? (uint64_t)value : 0;
}

/* What was never sent has failed as well. */
static enum verdict judge_failures(const struct comparison *comparison, double share[2])
{
    uint64_t failed[2], tries[2];

    for (size_t i = 0; i < 2; i++) {
        uint64_t dropped = count_of(comparison->results[i], "dropped");
        failed[i] = count_of(comparison->results[i], "failed") + dropped;
        tries[i] = count_of(comparison->results[i], "requests") + dropped;
        share[i] = tries[i] > 0 ? (double)failed[i] / (double)tries[i] : NAN;
    }
    if (tries[0] == 0 || tries[1] == 0)
        return VERDICT_UNKNOWN;
    double score = noise_share_score(failed[0], tries[0], failed[1], tries[1]);
    if (fabs(score) < NOISE_SCORE || fabs(share[1] - share[0]) < FAILED_SHARE)
        return VERDICT_NOISE;
    return score > 0 ? VERDICT_WORSE : VERDICT_BETTER;
}

/* --- writing --- */

static void number_or_null(struct json_writer *w, const char *key, double value)
{
    json_key(w, key);
    if (isfinite(value))
        json_fixed2(w, value);
    else
        json_null(w);
}

static void write_metric(struct json_writer *w, struct comparison *comparison, const char *name, double a, double b,
                         enum verdict verdict, bool judged)
{
    json_begin_object(w);
    json_member_string(w, "metric", name);
    number_or_null(w, "a", a);
    number_or_null(w, "b", b);
    number_or_null(w, "change_percent", a > 0 ? (b - a) / a * 100 : NAN);
    json_member_string(w, "verdict", VERDICTS[verdict]);
    json_end_object(w);
    if (judged)
        comparison->found[verdict]++;
}

static void write_metrics(struct json_writer *w, struct comparison *comparison)
{
    double share[2];
    enum verdict failures = judge_failures(comparison, share);

    json_key(w, "metrics");
    json_begin_array(w);
    for (size_t i = 0; i < ARRAY_SIZE(METRICS); i++) {
        const struct metric *metric = &METRICS[i];
        double a = figure(comparison->results[0], metric), b = figure(comparison->results[1], metric);
        write_metric(w, comparison, metric->name, a, b, judge(comparison, metric, a, b), metric->of_second != NULL);
    }
    write_metric(w, comparison, "failed_percent", share[0] * 100, share[1] * 100, failures, true);
    json_end_array(w);
}

/* Whatever the plans say differently, whichever members they have: what is new in them is compared too. */
static bool write_plan_change(struct json_writer *w, const char *key, const cJSON *a, const cJSON *b)
{
    const cJSON *sides[] = {a, b};
    const char *const names[] = {"a", "b"};

    if (a != NULL && b != NULL && cJSON_Compare(a, b, true))
        return false;
    json_begin_object(w);
    json_member_string(w, "field", key);
    for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
        char *text = sides[i] != NULL ? cJSON_PrintUnformatted(sides[i]) : NULL;
        json_key(w, names[i]);
        if (text != NULL)
            json_raw(w, text, strlen(text));
        else
            json_null(w);
        cJSON_free(text);
    }
    json_end_object(w);
    return true;
}

static bool write_plan_changes(struct json_writer *w, const struct comparison *comparison)
{
    const cJSON *item;
    bool any = false;

    json_key(w, "plan_changes");
    json_begin_array(w);
    cJSON_ArrayForEach(item, comparison->plans[0])
    {
        any |= write_plan_change(w, item->string, item, member(comparison->plans[1], item->string));
    }
    cJSON_ArrayForEach(item, comparison->plans[1])
    {
        if (member(comparison->plans[0], item->string) == NULL)
            any |= write_plan_change(w, item->string, NULL, item);
    }
    json_end_array(w);
    return any;
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(member(object, key));
}

/* What makes a run a poor witness. */
static void write_cautions(struct json_writer *w, const struct comparison *comparison, bool plans_differ)
{
    static const char *const NAMES[] = {"a", "b"};
    char text[SUMMARY_MAX];

    json_key(w, "cautions");
    json_begin_array(w);
    if (plans_differ)
        json_string(w, "the plans differ, and a change may come from that");
    for (size_t i = 0; i < 2; i++) {
        const cJSON *result = comparison->results[i];
        const char *ended_by = text_of(result, "ended_by");
        const char *why = text_of(member(result, "engine"), "saturated_why");
        if (why != NULL) {
            snprintf(text, sizeof(text), "%s: the client was the limit: %s", NAMES[i], why);
            json_string(w, text);
        }
        if (ended_by != NULL && (strcmp(ended_by, "stopped") == 0 || strcmp(ended_by, "gave_up") == 0)) {
            snprintf(text, sizeof(text), "%s: ended before its time", NAMES[i]);
            json_string(w, text);
        }
    }
    if (comparison->found[VERDICT_UNKNOWN] > 0) {
        snprintf(text, sizeof(text),
                 "too little to tell noise from change: each run needs %u whole seconds with answers", NOISE_LEAST);
        json_string(w, text);
    }
    json_end_array(w);
}

/* Of all judged metrics. */
static const char *overall(const struct comparison *comparison)
{
    bool better = comparison->found[VERDICT_BETTER] > 0, worse = comparison->found[VERDICT_WORSE] > 0;

    if (better || worse)
        return better && worse ? "mixed" : better ? "better" : "worse";
    return comparison->found[VERDICT_NOISE] > 0 ? "noise" : "unknown";
}

int load_compare(const struct cJSON *a, const struct cJSON *b, struct json_writer *w, struct error *err)
{
    static const char *const NAMES[] = {"a", "b"};
    const cJSON *runs[] = {a, b};
    struct comparison comparison = {0};

    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        comparison.plans[i] = member(runs[i], "plan");
        comparison.results[i] = member(runs[i], "result");
        if (!cJSON_IsObject(comparison.plans[i]) || !cJSON_IsObject(comparison.results[i]))
            return error_set(err, EINVAL, "%s has no plan and result, so it is no load run that has ended", NAMES[i]);
    }
    json_begin_object(w);
    write_metrics(w, &comparison);
    bool plans_differ = write_plan_changes(w, &comparison);
    write_cautions(w, &comparison, plans_differ);
    json_member_string(w, "verdict", overall(&comparison));
    json_end_object(w);
    return 0;
}
