/* core/histogram: bucket bounds, error bound, quantiles. */
#include "core/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < 32; us++) {
        assert_int_equal(histogram_bucket(us), us);
        assert_int_equal(histogram_bucket_upper_us((unsigned)us), us);
    }
}

static void buckets_follow_each_other(void **state)
{
    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t upper = histogram_bucket_upper_us(i);
        assert_int_equal(histogram_bucket(upper), i);
        if (i + 1 < HISTOGRAM_BUCKETS)
            assert_int_equal(histogram_bucket(upper + 1), i + 1);
    }
    assert_int_equal(histogram_bucket_upper_us(HISTOGRAM_BUCKETS - 1), HISTOGRAM_MAX_US - 1);
}

static void error_is_bounded(void **state)
{
    (void)state;
    for (uint64_t us = 1; us < HISTOGRAM_MAX_US; us += us / 7 + 1) {
        uint64_t upper = histogram_bucket_upper_us(histogram_bucket(us));
        assert_true(upper >= us);
        assert_true((double)(upper - us) <= 0.0625 * (double)us);
    }
}

static void the_longest_share_the_last_bucket(void **state)
{
    (void)state;
    assert_int_equal(histogram_bucket(HISTOGRAM_MAX_US), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket_upper_us(HISTOGRAM_BUCKETS + 5), HISTOGRAM_MAX_US - 1);
}

static void finds_quantiles(void **state)
{
    (void)state;
    static uint64_t counts[HISTOGRAM_BUCKETS];
    memset(counts, 0, sizeof(counts));
    assert_int_equal(histogram_quantile_us(counts, 0.5), 0);

    counts[histogram_bucket(7)] = 1;
    assert_int_equal(histogram_quantile_us(counts, 0), 7);
    assert_int_equal(histogram_quantile_us(counts, 0.5), 7);
    assert_int_equal(histogram_quantile_us(counts, 1), 7);

    memset(counts, 0, sizeof(counts));
    counts[3] = 90;
    counts[9] = 9;
    counts[histogram_bucket(1000)] = 1;
    uint64_t slow = histogram_bucket_upper_us(histogram_bucket(1000));
    assert_int_equal(histogram_quantile_us(counts, 0.5), 3);
    assert_int_equal(histogram_quantile_us(counts, 0.90), 3);
    assert_int_equal(histogram_quantile_us(counts, 0.91), 9);
    assert_int_equal(histogram_quantile_us(counts, 0.99), 9);
    assert_int_equal(histogram_quantile_us(counts, 0.999), slow);
    assert_int_equal(histogram_quantile_us(counts, 1), slow);
    assert_int_equal(histogram_quantile_us(counts, 7), slow);
    assert_int_equal(histogram_quantile_us(counts, -1), 3);
}

/* 0.07 × 100 is 7.000000000000001 in binary; the seventh value is meant. */
static void is_not_misled_by_binary_fractions(void **state)
{
    (void)state;
    static uint64_t counts[HISTOGRAM_BUCKETS];
    memset(counts, 0, sizeof(counts));
    counts[1] = 7;
    counts[2] = 93;
    assert_int_equal(histogram_quantile_us(counts, 0.07), 1);
    assert_int_equal(histogram_quantile_us(counts, 0.08), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_values_are_exact), cmocka_unit_test(buckets_follow_each_other),
        cmocka_unit_test(error_is_bounded),       cmocka_unit_test(the_longest_share_the_last_bucket),
        cmocka_unit_test(finds_quantiles),        cmocka_unit_test(is_not_misled_by_binary_fractions),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
