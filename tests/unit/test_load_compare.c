/* supervisor/load/rank, compare: what is more than noise, what is not, and when nothing can be said. */
#include "supervisor/load/compare.h"

#include "core/memory.h"
#include "supervisor/load/rank.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- chance, the same in every run --- */

static uint64_t state_of_chance;

static double uniform(void)
{
    state_of_chance = state_of_chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(state_of_chance >> 11) / 9007199254740992.0;
}

/* Bell-shaped enough: mean 0, deviation 1. */
static double scatter(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum;
}

/* --- the test itself --- */

static void assert_p(double p, double expected)
{
    if (fabs(p - expected) > 0.0005)
        fail_msg("p is %g and not %g", p, expected);
}

/* By hand, for Mann and Whitney's U with its correction for steps and ties; neighbours here resemble each other less than
 * by chance, so that nothing is corrected for that. */
static void knows_textbook_values(void **state)
{
    (void)state;
    static const double low[] = {1, 8, 2, 7, 3, 6, 4, 5}, high[] = {11, 18, 12, 17, 13, 16, 14, 15};
    assert_p(rank_test(low, 8, high, 8), erfc(31.5 / sqrt(64.0 / 12 * 17) / sqrt(2)));
    assert_p(rank_test(high, 8, low, 8), rank_test(low, 8, high, 8));
    static const double tied[] = {1, 2, 1, 2, 1, 2, 1, 2}, more[] = {3, 2, 3, 2, 3, 2, 3, 2};
    /* U = 8, expected 32; groups of 4, 8 and 4 equal ones */
    assert_p(rank_test(tied, 8, more, 8), erfc(23.5 / sqrt(64.0 / 12 * (17 - (60 + 504 + 60) / 240.0)) / sqrt(2)));
    static const double equal[] = {5, 5, 5, 5};
    assert_p(rank_test(equal, 4, equal, 4), 1);
    assert_p(rank_test(equal, 4, NULL, 0), 1);
}

/* Pairs of one source that pass for different. `memory`: how much a value resembles the one before. */
static unsigned false_alarms(double memory, unsigned pairs, size_t count)
{
    double series[2][64];
    unsigned alarms = 0;

    state_of_chance = 42;
    for (unsigned i = 0; i < pairs; i++) {
        for (size_t k = 0; k < 2 * count; k++) {
            double *at = &series[k / count][k % count];
            double fresh = scatter() * sqrt(1 - memory * memory);
            *at = k % count == 0 ? scatter() : memory * at[-1] + fresh;
        }
        alarms += rank_test(series[0], count, series[1], count) < COMPARE_P_VALUE;
    }
    return alarms;
}

static void rarely_takes_noise_for_a_difference(void **state)
{
    (void)state;
    assert_in_range(false_alarms(0, 4000, 10), 0, 40); /* 1 % */
    assert_in_range(false_alarms(0, 4000, 30), 4, 40);
    assert_in_range(false_alarms(0.5, 4000, 30), 0, 100); /* ten times as many without the correction */
}

static void finds_a_difference_of_one_deviation(void **state)
{
    (void)state;
    double before[40], after[40];
    unsigned found = 0;

    state_of_chance = 7;
    for (unsigned i = 0; i < 1000; i++) {
        for (size_t k = 0; k < 40; k++) {
            before[k] = scatter();
            after[k] = scatter() + 1;
        }
        found += rank_test(before, 40, after, 40) < COMPARE_P_VALUE;
    }
    assert_true(found > 850);
}

static void quantiles_lie_between_neighbours(void **state)
{
    (void)state;
    double values[] = {4, 1, 3, 2};
    rank_sort(values, 4);
    assert_float_equal(rank_quantile(values, 4, 0), 1, 0);
    assert_float_equal(rank_quantile(values, 4, 0.5), 2.5, 0);
    assert_float_equal(rank_quantile(values, 4, 1), 4, 0);
    assert_true(isnan(rank_quantile(values, 0, 0.5)));
}

/* --- runs --- */

/* A run of `seconds` seconds at about `rate` answers and times of about `p99_us`, each off by up to 3 %. */
static cJSON *run_of(unsigned seconds, double rate, double p99_us)
{
    cJSON *run = cJSON_CreateObject(), *plan = cJSON_AddObjectToObject(run, "plan");
    cJSON *result = cJSON_AddObjectToObject(run, "result"), *latency = cJSON_AddObjectToObject(result, "latency");
    cJSON *series = cJSON_AddArrayToObject(result, "series");

    cJSON_AddStringToObject(plan, "model", "closed");
    cJSON_AddNumberToObject(plan, "connections", 10);
    cJSON_AddNumberToObject(plan, "duration_seconds", seconds);
    cJSON_AddNumberToObject(result, "seconds", seconds);
    cJSON_AddNumberToObject(result, "achieved_rate", rate);
    cJSON_AddNumberToObject(result, "requests", rate * seconds);
    cJSON_AddNumberToObject(result, "failed", 0);
    cJSON_AddNumberToObject(latency, "p50_us", p99_us / 4);
    cJSON_AddNumberToObject(latency, "p99_us", p99_us);
    for (unsigned i = 0; i < seconds; i++) {
        cJSON *point = cJSON_CreateObject();
        cJSON_AddNumberToObject(point, "second", i);
        cJSON_AddNumberToObject(point, "requests", rate);
        cJSON_AddNumberToObject(point, "answered", floor(rate * (0.97 + 0.06 * uniform())));
        cJSON_AddNumberToObject(point, "failed", 0);
        cJSON_AddNumberToObject(point, "p50_us", p99_us / 4 * (0.97 + 0.06 * uniform()));
        cJSON_AddNumberToObject(point, "p99_us", p99_us * (0.97 + 0.06 * uniform()));
        cJSON_AddItemToArray(series, point);
    }
    return run;
}

static void set(cJSON *object, const char *key, double value)
{
    cJSON_SetNumberValue(cJSON_GetObjectItem(object, key), value);
}

static cJSON *result_of(cJSON *run)
{
    return cJSON_GetObjectItem(run, "result");
}

static cJSON *second_of(cJSON *run, int second)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItem(result_of(run), "series"), second);
}

/* Takes both over. */
static cJSON *compare(cJSON *before, cJSON *after)
{
    struct buffer text = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&text);
    struct error err = {0};

    if (compare_runs(before, after, &w, &err) < 0)
        fail_msg("%s", err.message);
    cJSON *comparison = cJSON_ParseWithLength(text.data, text.length);
    assert_non_null(comparison);
    buffer_done(&text);
    cJSON_Delete(before);
    cJSON_Delete(after);
    return comparison;
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
}

static const cJSON *figure_of(const cJSON *comparison, const char *name)
{
    const cJSON *figure;

    cJSON_ArrayForEach(figure, cJSON_GetObjectItem(comparison, "figures"))
    {
        if (strcmp(text_of(figure, "name"), name) == 0)
            return figure;
    }
    fail_msg("no figure %s", name);
    return NULL;
}

/* The verdict over all, then those of rate, p50, p99 and failures. */
static void assert_verdicts(const cJSON *comparison, const char *const expected[5])
{
    static const char *const NAMES[] = {"achieved_rate", "latency_p50", "latency_p99", "failed_percent"};

    assert_string_equal(text_of(comparison, "verdict"), expected[0]);
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        assert_string_equal(text_of(figure_of(comparison, NAMES[i]), "verdict"), expected[i + 1]);
}

static void the_same_again_is_the_same(void **state)
{
    (void)state;
    state_of_chance = 1;
    cJSON *comparison = compare(run_of(20, 10000, 2000), run_of(20, 10000, 2000));
    assert_verdicts(comparison, (const char *const[]){"same", "same", "same", "same", "same"});
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(comparison, "plan_differences")), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(comparison, "notes")), 0);
    cJSON_Delete(comparison);
}

static void says_what_became_better_and_worse(void **state)
{
    (void)state;
    state_of_chance = 2;
    cJSON *comparison = compare(run_of(20, 10000, 2000), run_of(20, 12000, 1500));
    assert_verdicts(comparison, (const char *const[]){"better", "better", "better", "better", "same"});
    const cJSON *rate = figure_of(comparison, "achieved_rate");
    assert_float_equal(cJSON_GetObjectItem(rate, "change")->valuedouble, 20, 2);
    assert_true(cJSON_GetObjectItem(rate, "p_value")->valuedouble < 0.001);
    assert_float_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(rate, "after"), "whole_run")->valuedouble, 12000, 0);
    cJSON_Delete(comparison);
    comparison = compare(run_of(20, 10000, 2000), run_of(20, 12000, 3000));
    assert_verdicts(comparison, (const char *const[]){"mixed", "better", "worse", "worse", "same"});
    cJSON_Delete(comparison);
    comparison = compare(run_of(20, 10000, 2000), run_of(20, 8000, 2000));
    assert_verdicts(comparison, (const char *const[]){"worse", "worse", "same", "same", "same"});
    cJSON_Delete(comparison);
}

static void a_small_certain_difference_is_the_same(void **state)
{
    (void)state;
    state_of_chance = 3;
    cJSON *comparison = compare(run_of(60, 10000, 2000), run_of(60, 9700, 2000));
    const cJSON *rate = figure_of(comparison, "achieved_rate");
    assert_string_equal(text_of(rate, "verdict"), "same");
    assert_true(cJSON_GetObjectItem(rate, "p_value")->valuedouble < COMPARE_P_VALUE);
    assert_string_equal(text_of(rate, "why"), "a difference, but too small to matter");
    cJSON_Delete(comparison);
}

static void few_seconds_tell_nothing(void **state)
{
    (void)state;
    state_of_chance = 4;
    cJSON *short_run = run_of(8, 20000, 1000);
    set(result_of(short_run), "seconds", 7.6); /* the eighth is a piece of one */
    cJSON *comparison = compare(run_of(20, 10000, 2000), short_run);
    assert_verdicts(comparison, (const char *const[]){"unclear", "unknown", "unknown", "unknown", "unknown"});
    const cJSON *rate = figure_of(comparison, "achieved_rate");
    assert_string_equal(text_of(rate, "why"),
                        "nothing can be said of noise below 8 whole seconds with answers, and the second run has 7");
    assert_float_equal(cJSON_GetObjectItem(rate, "change")->valuedouble, 100, 0.01);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(rate, "p_value")));
    cJSON_Delete(comparison);
}

static void one_bad_second_is_an_incident(void **state)
{
    (void)state;
    state_of_chance = 5;
    cJSON *after = run_of(20, 10000, 2000);
    set(second_of(after, 7), "p99_us", 900000);
    set(cJSON_GetObjectItem(result_of(after), "latency"), "p99_us", 850000);
    set(second_of(after, 7), "failed", 4000);
    set(result_of(after), "failed", 4000);
    cJSON *comparison = compare(run_of(20, 10000, 2000), after);
    assert_verdicts(comparison, (const char *const[]){"unclear", "same", "same", "unclear", "unclear"});
    const char *why = text_of(figure_of(comparison, "latency_p99"), "why");
    assert_non_null(strstr(why, "1 of 20 seconds of the second run lies beyond all of the other"));
    cJSON_Delete(comparison);
}

static void a_server_that_died_is_worse(void **state)
{
    (void)state;
    state_of_chance = 6;
    cJSON *after = run_of(20, 10000, 2000);
    for (int i = 0; i < 20; i++) {
        set(second_of(after, i), "answered", 0);
        set(second_of(after, i), "failed", 10000);
        set(second_of(after, i), "p50_us", 0);
        set(second_of(after, i), "p99_us", 0);
    }
    set(result_of(after), "failed", 200000);
    cJSON_ReplaceItemInObject(result_of(after), "latency", cJSON_CreateNull());
    cJSON *comparison = compare(run_of(20, 10000, 2000), after);
    assert_verdicts(comparison, (const char *const[]){"worse", "worse", "unknown", "unknown", "worse"});
    cJSON_Delete(comparison);

    cJSON *before = run_of(20, 0, 2000); /* and one that came back */
    comparison = compare(before, run_of(20, 10000, 2000));
    assert_string_equal(text_of(figure_of(comparison, "achieved_rate"), "verdict"), "better");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(figure_of(comparison, "achieved_rate"), "change")));
    cJSON_Delete(comparison);
}

static void says_in_what_the_plans_differ(void **state)
{
    (void)state;
    cJSON *before = run_of(10, 10000, 2000), *after = run_of(20, 10000, 2000);
    cJSON *engine = cJSON_AddObjectToObject(result_of(after), "engine");
    cJSON_AddBoolToObject(engine, "saturated", true);
    cJSON_AddStringToObject(result_of(before), "ended_by", "stopped");
    cJSON *plan = cJSON_GetObjectItem(after, "plan");
    set(plan, "connections", 20);
    cJSON_AddItemToObject(plan, "stages", cJSON_Parse("[{\"rate\":50,\"duration_seconds\":2.5},{\"rate\":9}]"));
    cJSON_AddItemToObject(plan, "targets", cJSON_Parse("[{\"name\":\"a\"},{\"name\":\"b\"}]"));
    cJSON_AddStringToObject(plan, "path", "");
    cJSON *comparison = compare(before, after);
    char *differences = cJSON_PrintUnformatted(cJSON_GetObjectItem(comparison, "plan_differences"));
    assert_string_equal(differences,
                        "[{\"field\":\"targets\",\"before\":\"none\",\"after\":\"2: a, b\",\"matters\":true},"
                        "{\"field\":\"connections\",\"before\":\"10\",\"after\":\"20\",\"matters\":true},"
                        "{\"field\":\"stages\",\"before\":\"none\",\"after\":\"50/s for 2.5 s, 9/s\",\"matters\":true},"
                        "{\"field\":\"path\",\"before\":\"none\",\"after\":\"\",\"matters\":true},"
                        "{\"field\":\"duration_seconds\",\"before\":\"10\",\"after\":\"20\",\"matters\":false}]");
    free(differences);
    char *notes = cJSON_PrintUnformatted(cJSON_GetObjectItem(comparison, "notes"));
    assert_string_equal(notes, "[\"the first run ended early: it was stopped\","
                               "\"in the second run the client, not the servers, was the limit\"]");
    free(notes);
    cJSON_Delete(comparison);
}

static void refuses_what_is_no_run(void **state)
{
    (void)state;
    static const char *const BAD[] = {"{}",
                                      "[]",
                                      "7",
                                      "{\"plan\":{},\"result\":null}",
                                      "{\"plan\":{},\"result\":{}}",
                                      "{\"plan\":{},\"result\":{\"seconds\":1,\"series\":7}}"};
    struct buffer text = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&text);
    cJSON *good = run_of(10, 100, 100);

    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        cJSON *bad = cJSON_Parse(BAD[i]);
        struct error err = {0};
        assert_int_equal(compare_runs(bad, good, &w, &err), -EINVAL);
        assert_non_null(strstr(err.message, "the first "));
        assert_int_equal(compare_runs(good, bad, &w, &err), -EINVAL);
        assert_non_null(strstr(err.message, "the second "));
        cJSON_Delete(bad);
    }
    assert_int_equal(text.length, 0);
    cJSON_Delete(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_textbook_values),
        cmocka_unit_test(rarely_takes_noise_for_a_difference),
        cmocka_unit_test(finds_a_difference_of_one_deviation),
        cmocka_unit_test(quantiles_lie_between_neighbours),
        cmocka_unit_test(the_same_again_is_the_same),
        cmocka_unit_test(says_what_became_better_and_worse),
        cmocka_unit_test(a_small_certain_difference_is_the_same),
        cmocka_unit_test(few_seconds_tell_nothing),
        cmocka_unit_test(one_bad_second_is_an_incident),
        cmocka_unit_test(a_server_that_died_is_worse),
        cmocka_unit_test(says_in_what_the_plans_differ),
        cmocka_unit_test(refuses_what_is_no_run),
    };
    return cmocka_run_group_tests_name("load compare", tests, NULL, NULL);
}
