/* farm/sample_history: seconds and tens of them come back as they were measured, for as long as is stated, whatever the
 * clock does. */
#include "supervisor/farm/sample_history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BEGIN 1700000000u /* begins ten seconds */
#define LATE (BEGIN + 100000u)

static struct sample_history history;
static struct sample_point points[SAMPLE_KEEP_MAX];

static int end(void **state)
{
    (void)state;
    sample_history_done(&history);
    return 0;
}

static struct sample_point point_at(uint32_t at_s)
{
    return (struct sample_point){.at_s = at_s,
                                 .cpu_percent = (float)(at_s % 100),
                                 .memory_mb = 64,
                                 .requests_per_second = 100,
                                 .p50_us = 200,
                                 .p99_us = 1000 + at_s % 10,
                                 .restarts = 3};
}

static void add(uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at <= to; at++) {
        struct sample_point point = point_at(at);
        sample_history_add(&history, &point);
    }
}

static const struct sample_range SECONDS = {.resolution = SAMPLE_1S}, TENS = {.resolution = SAMPLE_10S};

static size_t get(enum sample_resolution resolution, uint32_t since)
{
    struct sample_range range = {.resolution = resolution, .since = since};

    return sample_history_get(&history, &range, LATE, 3, points, SAMPLE_KEEP_MAX);
}

static void assert_close(double value, double expected)
{
    double off = value - expected;
    if (off > expected * 0.0005 + 0.001 || off < -expected * 0.0005 - 0.001)
        fail_msg("%f instead of %f", value, expected);
}

static void test_figures_come_back(void **state)
{
    (void)state;
    static const float VALUES[] = {0, 0.01f, 0.1f, 1, 9.99f, 12.34f, 99.84f, 100, 380.5f, 41234, 98765, 250000};

    for (unsigned i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        struct sample_point point = {
            .at_s = BEGIN + i,
            .cpu_percent = VALUES[i],
            .throttled_percent = VALUES[i],
            .memory_mb = VALUES[i] * 4,
            .requests_per_second = VALUES[i] * 3,
            .errors_per_second = VALUES[i],
            .p50_us = (uint32_t)VALUES[i],
            .p99_us = (uint32_t)(VALUES[i] * 7),
            .restarts = 70000 + i, /* more than the kept part counts */
        };
        sample_history_add(&history, &point);
    }
    size_t count = sample_history_get(&history, &SECONDS, LATE, 70020, points, SAMPLE_KEEP_MAX);
    assert_int_equal(count, sizeof(VALUES) / sizeof(VALUES[0]));
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(points[i].at_s, BEGIN + i);
        assert_close(points[i].cpu_percent, VALUES[i]);
        assert_close(points[i].throttled_percent, VALUES[i]);
        assert_close(points[i].memory_mb, (double)VALUES[i] * 4);
        assert_close(points[i].requests_per_second, (double)VALUES[i] * 3);
        assert_close(points[i].p50_us, (uint32_t)VALUES[i]);
        assert_int_equal(points[i].restarts, 70000 + i);
    }
}

static void test_what_is_not_counted(void **state)
{
    (void)state;
    struct sample_point point = {.at_s = BEGIN, .requests_per_second = -1};

    sample_history_add(&history, &point);
    assert_int_equal(get(SAMPLE_1S, 0), 1);
    assert_true(points[0].requests_per_second < 0);
    assert_int_equal(get(SAMPLE_10S, 0), 1);
    assert_true(points[0].requests_per_second < 0);
}

static void test_the_last_ten_minutes_and_the_last_hour(void **state)
{
    (void)state;
    const uint32_t last = BEGIN + 5000;

    for (uint32_t at = BEGIN; at <= last; at++) {
        add(at, at);
        size_t expected = at - BEGIN + 1 < SAMPLE_KEEP_1S ? at - BEGIN + 1 : SAMPLE_KEEP_1S;
        if (at % 97 == 0)
            assert_int_equal(get(SAMPLE_1S, 0), expected);
    }
    assert_int_equal(get(SAMPLE_1S, 0), SAMPLE_KEEP_1S);
    for (unsigned i = 0; i < SAMPLE_KEEP_1S; i++) {
        assert_int_equal(points[i].at_s, last - SAMPLE_KEEP_1S + 1 + i);
        assert_close(points[i].cpu_percent, points[i].at_s % 100);
    }
    assert_int_equal(get(SAMPLE_10S, 0), SAMPLE_KEEP_10S);
    assert_int_equal(points[SAMPLE_KEEP_10S - 1].at_s, last / 10 * 10);
    for (unsigned i = 0; i < SAMPLE_KEEP_10S - 1; i++) {
        assert_int_equal(points[i + 1].at_s, points[i].at_s + 10);
        assert_close(points[i].cpu_percent, points[i].at_s % 100 + 4.5); /* the mean of ten */
        assert_int_equal(points[i].p99_us, 1009);                        /* the highest of them */
        assert_int_equal(points[i].p50_us, 200);
    }
}

static void test_ten_seconds_are_told_when_they_are_over(void **state)
{
    (void)state;
    add(BEGIN, BEGIN + 14);
    assert_int_equal(sample_history_get(&history, &TENS, BEGIN + 14, 3, points, SAMPLE_KEEP_MAX), 1);
    assert_int_equal(points[0].at_s, BEGIN);
    /* also when nothing was measured after */
    assert_int_equal(sample_history_get(&history, &TENS, BEGIN + 20, 3, points, SAMPLE_KEEP_MAX), 2);
}

static void test_since(void **state)
{
    (void)state;
    add(BEGIN, BEGIN + 99);
    assert_int_equal(get(SAMPLE_1S, BEGIN + 89), 10);
    assert_int_equal(points[0].at_s, BEGIN + 90);
    assert_int_equal(get(SAMPLE_1S, BEGIN + 99), 0);
    assert_int_equal(get(SAMPLE_1S, BEGIN + 1000), 100); /* of a clock that was set back */
    assert_int_equal(get(SAMPLE_10S, BEGIN + 80), 1);
    assert_int_equal(get(SAMPLE_10S, BEGIN + 79), 2);
    assert_int_equal(sample_history_get(&history, &SECONDS, LATE, 3, NULL, SIZE_MAX), 100); /* only counts */
    assert_int_equal(sample_history_get(&history, &SECONDS, LATE, 3, points, 7), 7);
}

static size_t get_until(enum sample_resolution resolution, uint32_t since, uint32_t until)
{
    struct sample_range range = {.resolution = resolution, .since = since, .until = until};

    return sample_history_get(&history, &range, LATE, 3, points, SAMPLE_KEEP_MAX);
}

static void test_until(void **state)
{
    (void)state;
    add(BEGIN, BEGIN + 99);
    assert_int_equal(get_until(SAMPLE_1S, 0, BEGIN + 9), 10);
    assert_int_equal(points[9].at_s, BEGIN + 9);
    assert_int_equal(get_until(SAMPLE_1S, BEGIN + 4, BEGIN + 9), 5);
    assert_int_equal(points[0].at_s, BEGIN + 5);
    assert_int_equal(get_until(SAMPLE_1S, BEGIN + 9, BEGIN + 9), 0);
    assert_int_equal(get_until(SAMPLE_1S, 0, BEGIN - 1), 0);
    assert_int_equal(get_until(SAMPLE_1S, 0, BEGIN + 5000), 100);
    assert_int_equal(get_until(SAMPLE_10S, BEGIN + 25, BEGIN + 50), 3); /* 30, 40, 50 */
    assert_int_equal(points[2].at_s, BEGIN + 50);
}

static void test_seconds_without_a_measurement(void **state)
{
    (void)state;
    add(BEGIN, BEGIN + 9);
    add(BEGIN + 30, BEGIN + 39);
    assert_int_equal(get(SAMPLE_1S, 0), 20);
    assert_int_equal(points[10].at_s, BEGIN + 30);
    assert_int_equal(get(SAMPLE_10S, 0), 2);
    add(BEGIN + 620, BEGIN + 620); /* the first ones are older than ten minutes by now */
    assert_int_equal(get(SAMPLE_1S, 0), 11);
    assert_int_equal(points[0].at_s, BEGIN + 30);
    assert_int_equal(get(SAMPLE_10S, 0), 3);
    add(BEGIN + 9000, BEGIN + 9000); /* and all of them than an hour */
    assert_int_equal(get(SAMPLE_1S, 0), 1);
    assert_int_equal(get(SAMPLE_10S, 0), 1);
}

static void test_the_clock_is_set(void **state)
{
    (void)state;
    add(BEGIN, BEGIN + 50);
    sample_history_move(&history, 3600);
    assert_int_equal(get(SAMPLE_1S, 0), 51);
    assert_int_equal(points[0].at_s, BEGIN + 3600);
    sample_history_move(&history, -7200);
    add(BEGIN - 3600 + 51, BEGIN - 3600 + 60);
    assert_int_equal(get(SAMPLE_1S, 0), 61);
    assert_int_equal(points[60].at_s, BEGIN - 3600 + 60);
    assert_close(points[50].cpu_percent, (BEGIN + 50) % 100);
    /* a step that is too small to be one: the newest is measured again */
    add(BEGIN - 3600 + 59, BEGIN - 3600 + 59);
    assert_int_equal(get(SAMPLE_1S, 0), 61);
    sample_history_move(&history, -INT64_C(4000000000)); /* before 1970 */
    assert_int_equal(get(SAMPLE_1S, 0), 60);             /* but the one at 0, which is not behind it */
    assert_int_equal(points[0].at_s, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_figures_come_back, end),
        cmocka_unit_test_teardown(test_what_is_not_counted, end),
        cmocka_unit_test_teardown(test_the_last_ten_minutes_and_the_last_hour, end),
        cmocka_unit_test_teardown(test_ten_seconds_are_told_when_they_are_over, end),
        cmocka_unit_test_teardown(test_since, end),
        cmocka_unit_test_teardown(test_until, end),
        cmocka_unit_test_teardown(test_seconds_without_a_measurement, end),
        cmocka_unit_test_teardown(test_the_clock_is_set, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
