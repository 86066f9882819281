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
    cJSON_AddNumberToObject(latency, "p90_us", p99_us / 2);
    cJSON_AddNumberToObject(latency, "p99_us", p99_us);
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(result, "service_time"), "p99_us", p99_us);
    for (unsigned i = 0; i < seconds; i++) {
        cJSON *point = cJSON_CreateObject();
        cJSON_AddNumberToObject(point, "second", i);
        cJSON_AddNumberToObject(point, "requests", rate);
        cJSON_AddNumberToObject(point, "answered", floor(rate * (0.97 + 0.06 * uniform())));
        cJSON_AddNumberToObject(point, "failed", 0);
        cJSON_AddNumberToObject(point, "p50_us", p99_us / 4 * (0.97 + 0.06 * uniform()));
        cJSON_AddNumberToObject(point, "p90_us", p99_us / 2 * (0.97 + 0.06 * uniform()));
        cJSON_AddNumberToObject(point, "p99_us", p99_us * (0.97 + 0.06 * uniform()));
        cJSON_AddNumberToObject(point, "service_p99_us", p99_us * (0.97 + 0.06 * uniform()));
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
static cJSON *compare(cJSON *a, cJSON *b)
{
    struct buffer text = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&text);
    struct error err = {0};

    if (load_compare(a, b, &w, &err) < 0)
        fail_msg("%s", err.message);
    cJSON *comparison = cJSON_ParseWithLength(text.data, text.length);
    assert_non_null(comparison);
    buffer_done(&text);
    cJSON_Delete(a);
    cJSON_Delete(b);
    return comparison;
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
}

static double number_of(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(object, key));
}

static const cJSON *metric_of(const cJSON *comparison, const char *name)
{
    const cJSON *metric;

    cJSON_ArrayForEach(metric, cJSON_GetObjectItem(comparison, "metrics"))
    {
        if (strcmp(text_of(metric, "metric"), name) == 0)
            return metric;
    }
    fail_msg("no metric %s", name);
    return NULL;
}

static const char *why_of(const cJSON *comparison, const char *name)
{
    return text_of(metric_of(comparison, name), "why");
}

/* The verdict over all, then those of rate, p50, p99 and failures. */
static void assert_verdicts(const cJSON *comparison, const char *const expected[5])
{
    static const char *const METRICS[] = {"achieved_rate", "latency_p50_us", "latency_p99_us", "failed_percent"};

    assert_string_equal(text_of(comparison, "verdict"), expected[0]);
    for (size_t i = 0; i < ARRAY_SIZE(METRICS); i++)
        assert_string_equal(text_of(metric_of(comparison, METRICS[i]), "verdict"), expected[i + 1]);
}

static void the_same_again_is_noise(void **state)
{
    (void)state;
    state_of_chance = 1;
    cJSON *comparison = compare(run_of(20, 10000, 2000), run_of(20, 10000, 2000));
    assert_verdicts(comparison, (const char *const[]){"noise", "noise", "noise", "noise", "noise"});
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(comparison, "plan_changes")), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(comparison, "cautions")), 0);
    assert_string_equal(text_of(metric_of(comparison, "latency_max_us"), "verdict"), "unknown"); /* and not judged */
    cJSON_Delete(comparison);
}

static void says_what_became_better_and_worse(void **state)
{
    (void)state;
    state_of_chance = 2;
    cJSON *comparison = compare(run_of(20, 10000, 2000), run_of(20, 12000, 1500));
    assert_verdicts(comparison, (const char *const[]){"better", "better", "better", "better", "noise"});
    const cJSON *rate = metric_of(comparison, "achieved_rate");
    assert_float_equal(number_of(rate, "change_percent"), 20, 0.01);
    assert_true(number_of(rate, "p_value") < 0.001);
    assert_float_equal(number_of(rate, "b"), 12000, 0);
    const cJSON *seconds = cJSON_GetObjectItem(cJSON_GetObjectItem(rate, "seconds"), "b");
    assert_float_equal(number_of(seconds, "count"), 20, 0);
    assert_float_equal(number_of(seconds, "median"), 12000, 240);
    assert_true(number_of(seconds, "lower_quartile") < number_of(seconds, "upper_quartile"));
    cJSON_Delete(comparison);
    comparison = compare(run_of(20, 10000, 2000), run_of(20, 12000, 3000));
    assert_verdicts(comparison, (const char *const[]){"mixed", "better", "worse", "worse", "noise"});
    cJSON_Delete(comparison);
    comparison = compare(run_of(20, 10000, 2000), run_of(20, 8000, 2000));
    assert_verdicts(comparison, (const char *const[]){"worse", "worse", "noise", "noise", "noise"});
    cJSON_Delete(comparison);
}

/* Seconds that drift leave the ranks in doubt, but not the distance. */
static void few_drifting_seconds_far_apart_are_a_change(void **state)
{
    (void)state;
    state_of_chance = 9;
    cJSON *a = run_of(8, 10000, 2000), *b = run_of(8, 2000, 2000);
    for (int i = 0; i < 8; i++) {
        set(second_of(a, i), "answered", 10000 + 20 * i);
        set(second_of(b, i), "answered", 2000 + 20 * i);
    }
    cJSON *comparison = compare(a, b);
    const cJSON *rate = metric_of(comparison, "achieved_rate");
    assert_true(number_of(rate, "p_value") > COMPARE_P_VALUE);
    assert_string_equal(text_of(rate, "verdict"), "worse");
    cJSON_Delete(comparison);
}

/* Two runs of one thing whose seconds scatter by a tenth and resemble their neighbours. */
static void drifting_noise_is_rarely_a_change(void **state)
{
    (void)state;
    unsigned changes = 0;

    state_of_chance = 10;
    for (unsigned i = 0; i < 400; i++) {
        cJSON *runs[2];
        for (size_t k = 0; k < 2; k++) {
            double drift = scatter();
            runs[k] = run_of(10, 10000, 2000);
            for (int second = 0; second < 10; second++) {
                drift = 0.5 * drift + scatter() * sqrt(0.75);
                set(second_of(runs[k], second), "answered", 10000 + 1000 * drift);
            }
        }
        cJSON *comparison = compare(runs[0], runs[1]);
        const char *verdict = text_of(metric_of(comparison, "achieved_rate"), "verdict");
        changes += strcmp(verdict, "better") == 0 || strcmp(verdict, "worse") == 0;
        cJSON_Delete(comparison);
    }
    assert_in_range(changes, 0, 20);
}

static void a_small_certain_change_is_noise(void **state)
{
    (void)state;
    state_of_chance = 3;
    cJSON *comparison = compare(run_of(60, 10000, 2000), run_of(60, 9700, 2000));
    const cJSON *rate = metric_of(comparison, "achieved_rate");
    assert_string_equal(text_of(rate, "verdict"), "noise");
    assert_true(number_of(rate, "p_value") < COMPARE_P_VALUE);
    assert_string_equal(text_of(rate, "why"), "a change, but too small to matter");
    cJSON_Delete(comparison);
}

static void few_seconds_tell_nothing(void **state)
{
    (void)state;
    state_of_chance = 4;
    cJSON *short_run = run_of(8, 20000, 1000);
    set(result_of(short_run), "seconds", 7.6); /* the eighth is a piece of one */
    cJSON *comparison = compare(run_of(20, 10000, 2000), short_run);
    assert_verdicts(comparison, (const char *const[]){"noise", "unknown", "unknown", "unknown", "noise"});
    const cJSON *rate = metric_of(comparison, "achieved_rate");
    assert_string_equal(text_of(rate, "why"), "noise is told from 8 whole seconds with answers on, and b has 7");
    assert_float_equal(number_of(rate, "change_percent"), 100, 0.01);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(rate, "p_value")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(comparison, "cautions")), 1);
    cJSON_Delete(comparison);
}

static void scattered_seconds_are_unclear(void **state)
{
    (void)state;
    state_of_chance = 8;
    cJSON *a = run_of(10, 10000, 2000), *b = run_of(10, 10500, 2000);
    for (int i = 0; i < 10; i++) {
        set(second_of(a, i), "answered", i % 2 ? 6000 : 14000);
        set(second_of(b, i), "answered", i % 2 ? 7000 : 15000);
    }
    set(second_of(b, 0), "answered", 7500);
    set(second_of(a, 1), "answered", 9000);
    set(second_of(b, 1), "answered", 12500);
    cJSON *comparison = compare(a, b);
    assert_string_equal(text_of(metric_of(comparison, "achieved_rate"), "verdict"), "unclear");
    assert_non_null(strstr(why_of(comparison, "achieved_rate"), "longer runs tell more"));
    cJSON_Delete(comparison);
}

static void one_bad_second_is_an_incident(void **state)
{
    (void)state;
    state_of_chance = 5;
    cJSON *b = run_of(20, 10000, 2000);
    set(second_of(b, 7), "p99_us", 900000);
    set(cJSON_GetObjectItem(result_of(b), "latency"), "p99_us", 850000);
    set(second_of(b, 7), "failed", 4000);
    set(result_of(b), "failed", 4000);
    cJSON *comparison = compare(run_of(20, 10000, 2000), b);
    assert_verdicts(comparison, (const char *const[]){"unclear", "noise", "noise", "unclear", "unclear"});
    static const char WHY[] =
        "due to 1 of the 20 seconds of b, which lies beyond all of a: an incident rather than another level";
    assert_string_equal(why_of(comparison, "latency_p99_us"), WHY);
    assert_string_equal(why_of(comparison, "failed_percent"), WHY);
    cJSON_Delete(comparison);
}

static void failures_need_no_seconds(void **state)
{
    (void)state;
    cJSON *b = run_of(2, 1000, 2000);
    set(result_of(b), "failed", 30);
    cJSON *comparison = compare(run_of(2, 1000, 2000), b);
    assert_verdicts(comparison, (const char *const[]){"worse", "unknown", "unknown", "unknown", "worse"});
    cJSON_Delete(comparison);
    b = run_of(2, 1000, 2000);
    set(result_of(b), "failed", 2); /* of 2,000 */
    comparison = compare(run_of(2, 1000, 2000), b);
    assert_string_equal(why_of(comparison, "failed_percent"), "as many as by chance");
    cJSON_Delete(comparison);
    b = run_of(20, 1000, 2000);
    cJSON_AddNumberToObject(result_of(b), "dropped", 500); /* is failed as well */
    comparison = compare(b, run_of(20, 1000, 2000));
    assert_string_equal(text_of(metric_of(comparison, "failed_percent"), "verdict"), "better");
    cJSON_Delete(comparison);
}

static void a_server_that_died_is_worse(void **state)
{
    (void)state;
    state_of_chance = 6;
    cJSON *b = run_of(20, 10000, 2000);
    for (int i = 0; i < 20; i++) {
        set(second_of(b, i), "answered", 0);
        set(second_of(b, i), "failed", 10000);
        set(second_of(b, i), "p50_us", 0);
        set(second_of(b, i), "p99_us", 0);
    }
    set(result_of(b), "failed", 200000);
    set(result_of(b), "achieved_rate", 0);
    cJSON_ReplaceItemInObject(result_of(b), "latency", cJSON_CreateNull());
    cJSON *comparison = compare(run_of(20, 10000, 2000), b);
    assert_verdicts(comparison, (const char *const[]){"worse", "worse", "unknown", "unknown", "worse"});
    cJSON_Delete(comparison);

    comparison = compare(run_of(20, 0, 2000), run_of(20, 10000, 2000)); /* and one that came back */
    assert_string_equal(text_of(metric_of(comparison, "achieved_rate"), "verdict"), "better");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(metric_of(comparison, "achieved_rate"), "change_percent")));
    cJSON_Delete(comparison);
}

static void assert_json(const cJSON *object, const char *key, const char *expected)
{
    char *text = cJSON_PrintUnformatted(cJSON_GetObjectItem(object, key));
    assert_string_equal(text, expected);
    free(text);
}

static void says_in_what_the_plans_differ(void **state)
{
    (void)state;
    cJSON *a = run_of(10, 10000, 2000), *b = run_of(20, 10000, 2000);
    cJSON_AddStringToObject(cJSON_AddObjectToObject(result_of(b), "engine"), "saturated_why", "out of breath");
    cJSON_AddStringToObject(result_of(a), "ended_by", "stopped");
    set(cJSON_GetObjectItem(b, "plan"), "connections", 20);
    cJSON_AddStringToObject(cJSON_GetObjectItem(b, "plan"), "path", "/x");
    cJSON *comparison = compare(a, b);
    assert_json(comparison, "plan_changes",
                "[{\"field\":\"connections\",\"a\":10,\"b\":20},{\"field\":\"duration_seconds\",\"a\":10,\"b\":20},"
                "{\"field\":\"path\",\"a\":null,\"b\":\"/x\"}]");
    assert_json(comparison, "cautions",
                "[\"the plans differ (connections, path), and a change may come from that\","
                "\"a: ended before its time\",\"b: out of breath\"]");
    cJSON_Delete(comparison);
    comparison = compare(run_of(10, 10000, 2000), run_of(20, 10000, 2000)); /* only longer */
    assert_json(comparison, "cautions", "[]");
    cJSON_Delete(comparison);
}

static void what_the_client_limits_is_unclear(void **state)
{
    (void)state;
    state_of_chance = 11;
    cJSON *b = run_of(20, 5000, 4000);
    cJSON_AddBoolToObject(cJSON_AddObjectToObject(result_of(b), "engine"), "saturated", true);
    set(result_of(b), "failed", 5000);
    cJSON *comparison = compare(run_of(20, 10000, 2000), b);
    assert_verdicts(comparison, (const char *const[]){"unclear", "unclear", "unclear", "unclear", "unclear"});
    assert_non_null(strstr(why_of(comparison, "achieved_rate"), "the client was the limit"));
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
        assert_int_equal(load_compare(bad, good, &w, &err), -EINVAL);
        assert_memory_equal(err.message, "a has no ", 9);
        assert_int_equal(load_compare(good, bad, &w, &err), -EINVAL);
        assert_memory_equal(err.message, "b has no ", 9);
        cJSON_Delete(bad);
    }
    assert_int_equal(text.length, 0);
    cJSON_Delete(good);
}

static void figures_that_are_missing_are_unknown(void **state)
{
    (void)state;
    static const char BARE[] = "{\"plan\":{},\"result\":{\"seconds\":9,\"series\":[{},7,null,{\"second\":\"x\"}]}}";
    cJSON *comparison = compare(cJSON_Parse(BARE), run_of(10, 1000, 2000));
    assert_verdicts(comparison, (const char *const[]){"unknown", "unknown", "unknown", "unknown", "unknown"});
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(metric_of(comparison, "latency_p99_us"), "a")));
    assert_string_equal(why_of(comparison, "failed_percent"), "a made no request");
    cJSON_Delete(comparison);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_textbook_values),
        cmocka_unit_test(rarely_takes_noise_for_a_difference),
        cmocka_unit_test(finds_a_difference_of_one_deviation),
        cmocka_unit_test(quantiles_lie_between_neighbours),
        cmocka_unit_test(the_same_again_is_noise),
        cmocka_unit_test(says_what_became_better_and_worse),
        cmocka_unit_test(few_drifting_seconds_far_apart_are_a_change),
        cmocka_unit_test(drifting_noise_is_rarely_a_change),
        cmocka_unit_test(a_small_certain_change_is_noise),
        cmocka_unit_test(few_seconds_tell_nothing),
        cmocka_unit_test(scattered_seconds_are_unclear),
        cmocka_unit_test(one_bad_second_is_an_incident),
        cmocka_unit_test(failures_need_no_seconds),
        cmocka_unit_test(a_server_that_died_is_worse),
        cmocka_unit_test(says_in_what_the_plans_differ),
        cmocka_unit_test(figures_that_are_missing_are_unknown),
        cmocka_unit_test(what_the_client_limits_is_unclear),
        cmocka_unit_test(refuses_what_is_no_run),
    };
    return cmocka_run_group_tests_name("load compare", tests, NULL, NULL);
}
