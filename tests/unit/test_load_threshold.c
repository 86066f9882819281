/* supervisor/load/threshold, peers: what is a threshold, verdicts over all and per target, what stands out. */
#include "supervisor/load/result.h"

#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

static struct threshold threshold_of(const char *text)
{
    struct threshold threshold;
    struct error err = {0};

    if (threshold_parse(text, &threshold, &err) < 0)
        fail_msg("%s", err.message);
    return threshold;
}

static void reads_thresholds(void **state)
{
    (void)state;
    struct threshold t = threshold_of("p99<10ms");
    assert_int_equal(t.metric, THRESHOLD_QUANTILE);
    assert_int_equal(t.relation, THRESHOLD_LESS);
    assert_int_equal(t.of, THRESHOLD_OF_LATENCY);
    assert_float_equal(t.quantile, 0.99, 1e-12);
    assert_float_equal(t.limit, 10, 0);
    assert_false(t.per_target);

    t = threshold_of("target.service.p99.9<=1.5s");
    assert_true(t.per_target);
    assert_int_equal(t.of, THRESHOLD_OF_SERVICE);
    assert_float_equal(t.quantile, 0.999, 1e-12);
    assert_int_equal(t.relation, THRESHOLD_AT_MOST);
    assert_float_equal(t.limit, 1500, 0);

    t = threshold_of("send_delay.max<100us");
    assert_int_equal(t.of, THRESHOLD_OF_DELAY);
    assert_int_equal(t.metric, THRESHOLD_MAX);
    assert_float_equal(t.limit, 0.1, 1e-12);

    t = threshold_of("errors<0.1%");
    assert_int_equal(t.metric, THRESHOLD_ERRORS);
    assert_true(t.percent);
    assert_float_equal(t.limit, 0.1, 0);
    t = threshold_of("dropped<=0");
    assert_int_equal(t.metric, THRESHOLD_DROPPED);
    assert_false(t.percent);
    t = threshold_of("rate>4900/s");
    assert_int_equal(t.metric, THRESHOLD_RATE);
    assert_int_equal(t.relation, THRESHOLD_MORE);
    assert_int_equal(threshold_of("rate>=4900").relation, THRESHOLD_AT_LEAST);
    assert_int_equal(threshold_of("latency.mean<1s").metric, THRESHOLD_MEAN);
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"",
                                        "p99",
                                        "p99<",
                                        "p99<10",
                                        "p99=10ms",
                                        "p0<1ms",
                                        "p100<1ms",
                                        "p<1ms",
                                        "px<1ms",
                                        "p99<-1ms",
                                        "p99<10ms ",
                                        " p99<10ms",
                                        "p99<10m",
                                        "p99<nan",
                                        "errors<1ms",
                                        "rate>10%",
                                        "rate>1e",
                                        "service.rate>1",
                                        "latency.errors<1",
                                        "target.",
                                        "target.target.p99<1ms",
                                        "target.send_delay.p99<1ms",
                                        "foo<1"};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct threshold threshold;
        struct error err = {0};
        if (threshold_parse(WRONG[i], &threshold, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", WRONG[i]);
        assert_non_null(strstr(err.message, "is not a threshold; write such as"));
    }
    char lengthy[2 * THRESHOLD_MAX_LENGTH] = "rate>";
    memset(lengthy + 5, '1', THRESHOLD_MAX_LENGTH);
    struct threshold threshold;
    assert_int_equal(threshold_parse(lengthy, &threshold, NULL), -EINVAL);
}

/* Each target has 1000 answers: 99 % took `ms`, the rest ten times that. */
static struct load_result *result_of(enum load_model model, const int64_t *ms, size_t count)
{
    struct load_result *result = xcalloc(1, sizeof(*result));

    result->model = model;
    result->seconds = 10;
    result->target_count = count;
    result->targets = xcalloc(count, sizeof(*result->targets));
    latency_init(&result->latency, LATENCY_FINE_BITS);
    latency_init(&result->service, LATENCY_FINE_BITS);
    latency_init(&result->send_delay, LATENCY_FINE_BITS);
    for (size_t i = 0; i < count; i++) {
        struct load_target_result *target = &result->targets[i];
        latency_init(&target->latency, LATENCY_COARSE_BITS);
        latency_init(&target->service, LATENCY_COARSE_BITS);
        target->counts.requests = target->counts.answered = target->counts.status_class[1] = 1000;
        for (int k = 0; k < 1000; k++) {
            int64_t ns = (k < 990 ? 1 : 10) * ms[i] * MS;
            latency_add(&target->latency, ns);
            latency_add(&result->latency, ns);
        }
        load_counts_add(&result->counts, &target->counts);
    }
    return result;
}

static bool passes(struct load_result *result, const char *text)
{
    struct threshold threshold = threshold_of(text);

    free(result->verdicts);
    load_result_judge(result, &threshold, 1);
    assert_int_equal(result->verdict_count, 1);
    assert_int_equal(result->passed, result->verdicts[0].passed);
    assert_string_equal(result->verdicts[0].threshold.text, text);
    return result->passed;
}

static void judges_times(void **state)
{
    (void)state;
    struct load_result *result = result_of(LOAD_CLOSED, (int64_t[]){2}, 1);
    assert_true(passes(result, "p99<2.1ms"));
    assert_false(passes(result, "p99<1.9ms"));
    assert_true(fabs(result->verdicts[0].actual - 2) < 0.002);
    assert_false(passes(result, "p99.9<19ms"));
    assert_true(passes(result, "max<=20ms"));
    assert_false(passes(result, "max<20ms"));
    assert_true(passes(result, "mean<2.19ms"));
    assert_true(passes(result, "service.p50<2.1ms")); /* the same in the closed model */
    load_result_free(result);
}

static void judges_shares_and_rates(void **state)
{
    (void)state;
    struct load_result *result = result_of(LOAD_CLOSED, (int64_t[]){2}, 1);
    assert_true(passes(result, "errors<=0"));
    assert_true(passes(result, "rate>99"));
    assert_false(passes(result, "rate>100"));
    assert_true(passes(result, "rate>=100"));
    result->counts.errors[LOAD_RESET] = 5;
    result->counts.status_class[4] = 5;
    result->counts.requests = 1000;
    result->dropped = 1000;
    assert_false(passes(result, "errors<1%"));
    assert_true(passes(result, "errors<=1%"));
    assert_true(passes(result, "errors<11"));
    assert_false(passes(result, "errors<10"));
    assert_true(passes(result, "dropped<=50%"));
    assert_false(passes(result, "dropped<50%"));
    load_result_free(result);
}

static void every_target_must_pass(void **state)
{
    (void)state;
    struct load_result *result = result_of(LOAD_CLOSED, (int64_t[]){1, 1, 7, 1}, 4);
    assert_true(passes(result, "p50<2ms"));
    assert_false(passes(result, "target.p50<2ms"));
    assert_int_equal(result->verdicts[0].worst_target, 2);
    assert_true(fabs(result->verdicts[0].actual - 7) < 0.08);
    assert_true(passes(result, "target.rate>=100"));
    latency_clear(&result->targets[3].latency); /* no answer at all is worse than a late one */
    assert_false(passes(result, "target.p50<2ms"));
    assert_int_equal(result->verdicts[0].worst_target, 3);
    result->targets[1].counts.answered = 500;
    assert_false(passes(result, "target.rate>=100"));
    assert_int_equal(result->verdicts[0].worst_target, 1);
    load_result_free(result);
}

static void one_failed_verdict_fails_the_run(void **state)
{
    (void)state;
    struct load_result *result = result_of(LOAD_CLOSED, (int64_t[]){2}, 1);
    struct threshold thresholds[] = {threshold_of("p50<3ms"), threshold_of("p50<1ms"), threshold_of("rate>1")};
    load_result_judge(result, thresholds, 3);
    assert_true(result->verdicts[0].passed);
    assert_false(result->verdicts[1].passed);
    assert_true(result->verdicts[2].passed);
    assert_false(result->passed);
    load_result_free(result);
}

/* A run in which nothing was answered has shown nothing. */
static void no_answer_is_no_pass(void **state)
{
    (void)state;
    struct load_result *result = xcalloc(1, sizeof(*result));
    latency_init(&result->latency, LATENCY_FINE_BITS);
    assert_false(passes(result, "p99<1s"));
    assert_true(isnan(result->verdicts[0].actual));
    assert_false(passes(result, "errors<1%"));
    assert_false(passes(result, "rate>=0"));
    char text[32];
    threshold_format(&result->verdicts[0].threshold, NAN, text);
    assert_string_equal(text, "no answer");
    load_result_free(result);
}

static void writes_values_with_their_units(void **state)
{
    (void)state;
    char text[32];
    struct threshold t = threshold_of("p99<10ms");
    threshold_format(&t, 1.914, text);
    assert_string_equal(text, "1.91 ms");
    threshold_format(&t, 0.054, text); /* misses 50us, and is seen to */
    assert_string_equal(text, "0.054 ms");
    t = threshold_of("errors<0.1%");
    threshold_format(&t, 0.02, text);
    assert_string_equal(text, "0.02 %");
    threshold_format(&t, 0.0042, text);
    assert_string_equal(text, "0.0042 %");
    t = threshold_of("rate>10");
    threshold_format(&t, 4998.2, text);
    assert_string_equal(text, "4998/s");
    threshold_format(&t, 0.4, text);
    assert_string_equal(text, "0.40/s");
    t = threshold_of("dropped<=0");
    threshold_format(&t, 3, text);
    assert_string_equal(text, "3");
}

/* --- what stands out --- */

static void a_slow_target_stands_out(void **state)
{
    (void)state;
    struct load_result *result = result_of(LOAD_CLOSED, (int64_t[]){2, 3, 2, 40, 2, 3}, 6);
    load_result_find_outliers(result);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(result->targets[i].stands_out[0] != '\0', i == 3);
    assert_non_null(strstr(result->targets[3].stands_out, "p99 40"));
    assert_non_null(strstr(result->targets[3].stands_out, "(peers 2."));
    load_result_free(result);
}

static void equals_do_not_stand_out(void **state)
{
    (void)state;
    static const int64_t TIMES[][6] = {{2, 3, 4, 5, 6, 7}, {10, 10, 10, 10, 14, 10}};
    for (size_t k = 0; k < 2; k++) {
        struct load_result *result = result_of(LOAD_CLOSED, TIMES[k], 6);
        load_result_find_outliers(result);
        for (size_t i = 0; i < 6; i++)
            assert_string_equal(result->targets[i].stands_out, "");
        load_result_free(result);
    }
}

static void two_have_no_peers(void **state)
{
    (void)state;
    struct load_result *result = result_of(LOAD_CLOSED, (int64_t[]){2, 900}, 2);
    result->targets[1].counts.answered = 100;
    load_result_find_outliers(result);
    assert_string_equal(result->targets[1].stands_out, "");
    load_result_free(result);
}

static void failing_and_lazy_targets_stand_out(void **state)
{
    (void)state;
    struct load_result *result = result_of(LOAD_CLOSED, (int64_t[]){2, 2, 2, 2}, 4);
    result->targets[0].counts.errors[LOAD_RESET] = 50;
    result->targets[0].counts.answered = 950;
    result->targets[2].counts.requests = result->targets[2].counts.answered = 300;
    load_result_find_outliers(result);
    assert_string_equal(result->targets[0].stands_out, "5.0 % of its requests failed (peers 0.0 %)");
    assert_string_equal(result->targets[1].stands_out, "");
    assert_string_equal(result->targets[2].stands_out, "answered 300 requests (peers 975)");
    load_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_thresholds),
        cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(judges_times),
        cmocka_unit_test(judges_shares_and_rates),
        cmocka_unit_test(every_target_must_pass),
        cmocka_unit_test(one_failed_verdict_fails_the_run),
        cmocka_unit_test(no_answer_is_no_pass),
        cmocka_unit_test(writes_values_with_their_units),
        cmocka_unit_test(a_slow_target_stands_out),
        cmocka_unit_test(equals_do_not_stand_out),
        cmocka_unit_test(two_have_no_peers),
        cmocka_unit_test(failing_and_lazy_targets_stand_out),
    };
    return cmocka_run_group_tests_name("load threshold", tests, NULL, NULL);
}
