/* supervisor/load/latency: bounded error from 1 µs to 1 h, exact extremes, merging without loss. */
#include "supervisor/load/latency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define US INT64_C(1000)
#define HOUR (INT64_C(3600) * 1000000000)

static void error_of_a_value_is_bounded(void **state)
{
    (void)state;
    static const struct {
        unsigned bits;
        double most;
    } PRECISIONS[] = {{LATENCY_FINE_BITS, 0.001}, {LATENCY_COARSE_BITS, 0.01}};
    for (size_t k = 0; k < 2; k++) {
        for (int64_t ns = US; ns <= HOUR; ns += ns / 37 + 1) {
            struct latency latency;
            latency_init(&latency, PRECISIONS[k].bits);
            latency_add(&latency, ns);
            latency_add(&latency, 2 * ns); /* so that max is not what bounds the answer */
            latency_add(&latency, 1);
            assert_true(fabs(latency_quantile(&latency, 0.5) - (double)ns) <= PRECISIONS[k].most * (double)ns);
            latency_done(&latency);
        }
    }
}

static void quantiles_of_a_known_distribution(void **state)
{
    (void)state;
    static const double QUANTILES[] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};
    struct latency latency;
    latency_init(&latency, LATENCY_FINE_BITS);
    for (int64_t us = 100000; us > 0; us--)
        latency_add(&latency, us * US);
    for (size_t i = 0; i < sizeof(QUANTILES) / sizeof(QUANTILES[0]); i++) {
        double exact = QUANTILES[i] * 100000 * (double)US;
        assert_true(fabs(latency_quantile(&latency, QUANTILES[i]) - exact) <= 0.001 * exact);
    }
    assert_float_equal(latency_mean(&latency), 50000.5 * (double)US, 1e-3);
    assert_int_equal(latency.max_ns, 100000 * US);
    assert_int_equal(latency.min_ns, US);
    latency_done(&latency);
}

static void one_value_is_all_of_them(void **state)
{
    (void)state;
    struct latency latency;
    latency_init(&latency, LATENCY_COARSE_BITS);
    latency_add(&latency, 1234567);
    assert_float_equal(latency_quantile(&latency, 0), 1234567, 0);
    assert_float_equal(latency_quantile(&latency, 0.5), 1234567, 0);
    assert_float_equal(latency_quantile(&latency, 1), 1234567, 0);
    assert_float_equal(latency_mean(&latency), 1234567, 0);
    latency_done(&latency);
}

static void nothing_has_no_times(void **state)
{
    (void)state;
    struct latency latency;
    latency_init(&latency, LATENCY_FINE_BITS);
    assert_float_equal(latency_quantile(&latency, 0.99), 0, 0);
    assert_float_equal(latency_mean(&latency), 0, 0);
    assert_int_equal(latency_memory(&latency), 0);
    latency_done(&latency);
}

static void absurd_times_are_kept_within_bounds(void **state)
{
    (void)state;
    struct latency latency;
    latency_init(&latency, LATENCY_FINE_BITS);
    latency_add(&latency, -5);
    latency_add(&latency, INT64_MAX);
    assert_int_equal(latency.min_ns, 0);
    assert_int_equal(latency.max_ns, INT64_MAX);
    assert_true(fabs(latency_quantile(&latency, 1) - (double)HOUR) <= 0.001 * (double)HOUR);
    assert_true(latency_memory(&latency) < 160 * 1024);
    latency_done(&latency);
}

static void it_grows_to_what_it_holds(void **state)
{
    (void)state;
    struct latency latency;
    latency_init(&latency, LATENCY_COARSE_BITS);
    latency_add(&latency, 1000 * US);
    assert_true(latency_memory(&latency) <= 8 * 1024);
    for (int i = 0; i < 100000; i++)
        latency_add(&latency, i);
    assert_true(latency_memory(&latency) <= 8 * 1024);
    latency_add(&latency, HOUR);
    assert_true(latency_memory(&latency) <= 20 * 1024);
    latency_done(&latency);
}

static void merging_loses_nothing(void **state)
{
    (void)state;
    struct latency whole, parts[3], merged;
    latency_init(&whole, LATENCY_FINE_BITS);
    latency_init(&merged, LATENCY_FINE_BITS);
    for (int i = 0; i < 3; i++)
        latency_init(&parts[i], LATENCY_FINE_BITS);
    for (int64_t i = 1; i < 30000; i++) {
        latency_add(&whole, i * i);
        latency_add(&parts[i % 2], i * i); /* the third stays empty */
    }
    for (int i = 0; i < 3; i++)
        latency_merge(&merged, &parts[i]);
    assert_int_equal(merged.capacity, whole.capacity);
    assert_memory_equal(merged.counts, whole.counts, whole.capacity * sizeof(*whole.counts));
    assert_int_equal(merged.count, whole.count);
    assert_int_equal(merged.min_ns, whole.min_ns);
    assert_int_equal(merged.max_ns, whole.max_ns);
    assert_true(merged.sum_ns == whole.sum_ns);
    for (int i = 0; i < 3; i++)
        latency_done(&parts[i]);
    latency_done(&merged);
    latency_done(&whole);
}

static void cleared_it_is_as_new(void **state)
{
    (void)state;
    struct latency latency;
    latency_init(&latency, LATENCY_FINE_BITS);
    latency_clear(&latency);
    latency_add(&latency, HOUR);
    latency_clear(&latency);
    latency_add(&latency, 10 * US);
    assert_int_equal(latency.count, 1);
    assert_int_equal(latency.min_ns, 10 * US);
    assert_float_equal(latency_quantile(&latency, 1), (double)(10 * US), 0);
    latency_done(&latency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_of_a_value_is_bounded),
        cmocka_unit_test(quantiles_of_a_known_distribution),
        cmocka_unit_test(one_value_is_all_of_them),
        cmocka_unit_test(nothing_has_no_times),
        cmocka_unit_test(absurd_times_are_kept_within_bounds),
        cmocka_unit_test(it_grows_to_what_it_holds),
        cmocka_unit_test(merging_loses_nothing),
        cmocka_unit_test(cleared_it_is_as_new),
    };
    return cmocka_run_group_tests_name("load latency", tests, NULL, NULL);
}
