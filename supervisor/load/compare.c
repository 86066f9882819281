/*
 * See compare.h. A run's seconds are its sample: their medians tell how large a difference is, the rank test whether the
 * scatter of the seconds could be all of it. What rests on a few seconds only is told apart from a change of level.
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

#define WHOLE_TIMES 1.5   /* whole runs that differ by this factor are not called the same because their medians are */
#define WHOLE_POINTS 0.1  /* or, of shares, by so many percentage points */
#define SECOND_SLACK 0.01 /* of a run's length, which is rounded */
#define PERCENT(share) ((share)*100)

enum unit { PER_SECOND, MICROSECONDS, SHARE };

/* A figure of a run: a value in every second of it, and one over all. */
struct figure {
    const char *name;
    enum unit unit;
    bool more_is_better;
    double least; /* a smaller change says little even when it is certain: percent of the value, points of a share */
    double (*of_second)(const cJSON *point);
    double (*of_run)(const cJSON *result);
};

/* Of one run: its seconds in order of time, and what they are like. */
struct side {
    double *seconds;
    size_t count;
    double whole, median, lower, upper, least, most;
};

enum verdict { SAME, BETTER, WORSE, UNCLEAR, UNKNOWN };

struct difference {
    enum verdict verdict;
    double change; /* percent, or points of a share; NaN: nothing to compare with */
    double p;      /* NaN: not tested */
    char why[LOAD_WHY_MAX];
};

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = get(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

/* --- the figures --- */

static double rate_of_second(const cJSON *point)
{
    return number(point, "answered");
}

static double rate_of_run(const cJSON *result)
{
    return number(result, "achieved_rate");
}

/* A second without an answer has no times. */
static double time_of_second(const cJSON *point, const char *key)
{
    double us = number(point, key);

    return us > 0 ? us : NAN;
}

static double p50_of_second(const cJSON *point)
{
    return time_of_second(point, "p50_us");
}

static double p50_of_run(const cJSON *result)
{
    return number(get(result, "latency"), "p50_us");
}

static double p99_of_second(const cJSON *point)
{
    return time_of_second(point, "p99_us");
}

static double p99_of_run(const cJSON *result)
{
    return number(get(result, "latency"), "p99_us");
}

/* Of a second: what failed in it may have begun before, so there may be more of it than was begun. */
static double failed_percent(const cJSON *counts)
{
    double requests = number(counts, "requests"), failed = number(counts, "failed");

    if (!(requests > 0))
        return failed > 0 ? PERCENT(1) : NAN;
    return PERCENT(fmin(failed / requests, 1));
}

static const struct figure FIGURES[] = {
    {"achieved_rate", PER_SECOND, true, 5, rate_of_second, rate_of_run},
    {"latency_p50", MICROSECONDS, false, 5, p50_of_second, p50_of_run},
    {"latency_p99", MICROSECONDS, false, 10, p99_of_second, p99_of_run},
    {"failed_percent", SHARE, false, 0.1, failed_percent, failed_percent},
};

static const char *unit_name(enum unit unit)
{
    switch (unit) {
    case PER_SECOND:
        return "per_second";
    case MICROSECONDS:
        return "us";
    case SHARE:
        return "percent";
    }
    return "unknown";
}

static const char *verdict_name(enum verdict verdict)
{
    switch (verdict) {
    case SAME:
        return "same";
    case BETTER:
        return "better";
    case WORSE:
        return "worse";
    case UNCLEAR:
        return "unclear";
    case UNKNOWN:
        break;
    }
    return "unknown";
}

/* --- the two sides --- */

/* The last second of a run is mostly a piece of one, and left out. */
static void side_init(struct side *side, const struct figure *figure, const cJSON *result)
{
    const cJSON *series = get(result, "series"), *point;
    double length = number(result, "seconds") + SECOND_SLACK;
    size_t room = (size_t)cJSON_GetArraySize(series);
    cleanup_free double *sorted = xcalloc(room + 1, sizeof(*sorted));

    *side = (struct side){.seconds = xcalloc(room + 1, sizeof(*side->seconds)), .whole = figure->of_run(result)};
    cJSON_ArrayForEach(point, series)
    {
        double value = number(point, "second") + 1 <= length ? figure->of_second(point) : NAN;
        if (!isnan(value) && side->count < room)
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

static double change_of(const struct figure *figure, double before, double after)
{
    if (figure->unit == SHARE)
        return after - before;
    return before > 0 ? PERCENT(after / before - 1) : NAN;
}

static bool whole_runs_differ(const struct figure *figure, const struct side *before, const struct side *after)
{
    if (isnan(before->whole) || isnan(after->whole))
        return isnan(before->whole) != isnan(after->whole);
    if (figure->unit == SHARE)
        return fabs(after->whole - before->whole) >= WHOLE_POINTS;
    double low = fmin(before->whole, after->whole), high = fmax(before->whole, after->whole);
    return high > low * WHOLE_TIMES;
}

/* Seconds outside all that the other run has seen, on the side where its own figure went. */
static size_t seconds_beyond(const struct side *side, const struct side *other, bool above)
{
    size_t count = 0;

    for (size_t i = 0; i < side->count; i++)
        count += above ? side->seconds[i] > other->most : side->seconds[i] < other->least;
    return count;
}

static void explain_few_seconds(const struct side *before, const struct side *after, struct difference *difference)
{
    bool above = after->whole > before->whole;
    size_t later = seconds_beyond(after, before, above), earlier = seconds_beyond(before, after, !above);
    bool of_later = later >= earlier;
    size_t count = of_later ? later : earlier;

    if (count == 0) {
        snprintf(difference->why, sizeof(difference->why),
                 "the runs differ as a whole, but their seconds scatter too much to tell why");
        return;
    }
    snprintf(
        difference->why, sizeof(difference->why),
        "%zu of %zu seconds of the %s run %s beyond all of the other; the rest is alike: an incident rather than a "
        "change of level",
        count, of_later ? after->count : before->count, of_later ? "second" : "first", count == 1 ? "lies" : "lie");
}

static bool too_short(const struct side *before, const struct side *after, struct difference *difference)
{
    bool first = before->count < COMPARE_MIN_SECONDS;

    if (!first && after->count >= COMPARE_MIN_SECONDS)
        return false;
    difference->verdict = UNKNOWN;
    snprintf(difference->why, sizeof(difference->why),
             "nothing can be said of noise below %u whole seconds with answers, and the %s run has %zu",
             COMPARE_MIN_SECONDS, first ? "first" : "second", first ? before->count : after->count);
    return true;
}

static void judge(const struct figure *figure, const struct side *before, const struct side *after,
                  struct difference *difference)
{
    *difference = (struct difference){.verdict = SAME, .p = NAN};
    difference->change = change_of(figure, before->whole, after->whole);
    if (too_short(before, after, difference))
        return;
    difference->p = rank_test(before->seconds, before->count, after->seconds, after->count);
    difference->change = change_of(figure, before->median, after->median);
    bool from_nothing = isnan(difference->change) && after->median > 0;
    bool certain = difference->p < COMPARE_P_VALUE;
    bool large = from_nothing || fabs(difference->change) >= figure->least;
    if (certain && large) {
        bool better = (after->median > before->median) == figure->more_is_better;
        difference->verdict = better ? BETTER : WORSE;
        snprintf(difference->why, sizeof(difference->why), "more than the seconds scatter (p %s)",
                 difference->p < 0.001 ? "< 0.001" : "< 0.01");
    } else if (whole_runs_differ(figure, before, after)) {
        difference->verdict = UNCLEAR;
        explain_few_seconds(before, after, difference);
    } else if (large) {
        difference->verdict = UNCLEAR;
        snprintf(difference->why, sizeof(difference->why),
                 "not more than the seconds scatter (p = %.2f): longer runs tell more", difference->p);
    } else {
        snprintf(difference->why, sizeof(difference->why),
                 certain ? "a difference, but too small to matter" : "within the scatter of the seconds");
    }
}

/* --- the answer --- */

static void number_or_null(struct json_writer *w, const char *key, double value)
{
    if (isnan(value))
        json_member_null(w, key);
    else
        json_member_fixed2(w, key, value);
}

static void write_side(struct json_writer *w, const char *key, const struct side *side)
{
    json_key(w, key);
    json_begin_object(w);
    number_or_null(w, "whole_run", side->whole);
    number_or_null(w, "median", side->median);
    number_or_null(w, "lower_quartile", side->lower);
    number_or_null(w, "upper_quartile", side->upper);
    json_member_uint(w, "seconds", side->count);
    json_end_object(w);
}

/* Two decimals would make 0 of what matters most in it. */
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

static enum verdict write_figure(struct json_writer *w, const struct figure *figure, const cJSON *before,
                                 const cJSON *after)
{
    struct side sides[2];
    struct difference difference;

    side_init(&sides[0], figure, before);
    side_init(&sides[1], figure, after);
    judge(figure, &sides[0], &sides[1], &difference);
    json_begin_object(w);
    json_member_string(w, "name", figure->name);
    json_member_string(w, "unit", unit_name(figure->unit));
    json_member_string(w, "verdict", verdict_name(difference.verdict));
    json_member_string(w, "why", difference.why);
    number_or_null(w, "change", difference.change);
    write_p(w, difference.p);
    write_side(w, "before", &sides[0]);
    write_side(w, "after", &sides[1]);
    json_end_object(w);
    free(sides[0].seconds);
    free(sides[1].seconds);
    return difference.verdict;
}

static void write_note(struct json_writer *w, const char *which, const cJSON *result)
{
    const char *ended = cJSON_GetStringValue(get(result, "ended_by"));
    char note[LOAD_WHY_MAX];

    if (cJSON_IsTrue(get(get(result, "engine"), "saturated"))) {
        snprintf(note, sizeof(note), "in the %s run the client, not the servers, was the limit", which);
        json_string(w, note);
    }
    if (ended && (strcmp(ended, "stopped") == 0 || strcmp(ended, "gave_up") == 0)) {
        snprintf(note, sizeof(note), "the %s run ended early: %s", which,
                 strcmp(ended, "stopped") == 0 ? "it was stopped" : "nothing answered any more");
        json_string(w, note);
    }
}

static const char *verdict_of_all(const unsigned counts[UNKNOWN + 1])
{
    if (counts[BETTER] > 0 && counts[WORSE] > 0)
        return "mixed";
    if (counts[WORSE] > 0 || counts[BETTER] > 0)
        return verdict_name(counts[WORSE] > 0 ? WORSE : BETTER);
    return verdict_name(counts[UNCLEAR] + counts[UNKNOWN] > 0 ? UNCLEAR : SAME);
}

static int check_run(const cJSON *run, const char *which, struct error *err)
{
    const cJSON *result = get(run, "result");

    if (!cJSON_IsObject(get(run, "plan")) || !cJSON_IsObject(result))
        return error_set(err, EINVAL, "the %s is no load run that has ended: it wants \"plan\" and \"result\"", which);
    if (!cJSON_IsArray(get(result, "series")) || isnan(number(result, "seconds")))
        return error_set(err, EINVAL, "the %s has no \"seconds\" and \"series\" in its result", which);
    return 0;
}

int compare_runs(const cJSON *before, const cJSON *after, struct json_writer *w, struct error *err)
{
    const cJSON *first = get(before, "result"), *second = get(after, "result");
    unsigned counts[UNKNOWN + 1] = {0};

    int rc = check_run(before, "first", err);
    if (rc == 0)
        rc = check_run(after, "second", err);
    if (rc < 0)
        return rc;
    json_begin_object(w);
    json_key(w, "figures");
    json_begin_array(w);
    for (size_t i = 0; i < ARRAY_SIZE(FIGURES); i++)
        counts[write_figure(w, &FIGURES[i], first, second)]++;
    json_end_array(w);
    json_member_string(w, "verdict", verdict_of_all(counts));
    compare_plans(get(before, "plan"), get(after, "plan"), w);
    json_key(w, "notes");
    json_begin_array(w);
    write_note(w, "first", first);
    write_note(w, "second", second);
    json_end_array(w);
    json_end_object(w);
    return 0;
}
