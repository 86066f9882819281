/* core/clock: the written forms, their caches, and clocks that run. */
#include "core/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define INSTANT INT64_C(1795422600123456) /* 2026-11-23T08:30:00.123456Z */

static void writes_iso(void **state)
{
    (void)state;
    char text[CLOCK_ISO_LENGTH + 1];
    clock_format_iso(text, INSTANT);
    assert_string_equal(text, "2026-11-23T08:30:00.123456+00:00");
    clock_format_iso(text, INSTANT + 7); /* the same second */
    assert_string_equal(text, "2026-11-23T08:30:00.123463+00:00");
    clock_format_iso(text, INSTANT + US_PER_SECOND); /* the next */
    assert_string_equal(text, "2026-11-23T08:30:01.123456+00:00");
    clock_format_iso(text, INSTANT); /* and back */
    assert_string_equal(text, "2026-11-23T08:30:00.123456+00:00");
    clock_format_iso(text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00.000000+00:00");
    clock_format_iso(text, INT64_C(1709210096000001));
    assert_string_equal(text, "2024-02-29T12:34:56.000001+00:00");
}

static void keeps_the_form_with_a_broken_clock(void **state)
{
    (void)state;
    char text[CLOCK_ISO_LENGTH + 1];
    clock_format_iso(text, -1);
    assert_string_equal(text, "1970-01-01T00:00:00.000000+00:00");
    clock_format_iso(text, INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59.999999+00:00");
}

static void writes_http_dates(void **state)
{
    (void)state;
    char text[CLOCK_HTTP_DATE_LENGTH + 1];
    clock_format_http_date(text, INSTANT);
    assert_string_equal(text, "Mon, 23 Nov 2026 08:30:00 GMT");
    clock_format_http_date(text, INSTANT + 1);
    assert_string_equal(text, "Mon, 23 Nov 2026 08:30:00 GMT");
    clock_format_http_date(text, INT64_C(784111777) * US_PER_SECOND);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

/* Every day of 40 years, against the C library. */
static void agrees_with_strftime(void **state)
{
    (void)state;
    for (int64_t second = 0; second < INT64_C(40) * 366 * 86400; second += 86400 + 3661) {
        time_t t = (time_t)second;
        struct tm tm;
        char expected[64], text[CLOCK_ISO_LENGTH + 1], date[CLOCK_HTTP_DATE_LENGTH + 1];
        gmtime_r(&t, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000+00:00", &tm);
        clock_format_iso(text, second * US_PER_SECOND);
        assert_string_equal(text, expected);
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        clock_format_http_date(date, second * US_PER_SECOND);
        assert_string_equal(date, expected);
    }
}

static void *write_many(void *data)
{
    int64_t base = *(const int64_t *)data;
    char first[CLOCK_ISO_LENGTH + 1], again[CLOCK_ISO_LENGTH + 1];
    clock_format_iso(first, base);
    for (int i = 0; i < 20000; i++) {
        clock_format_iso(again, base + (i % 3) * US_PER_SECOND);
        clock_format_iso(again, base);
        if (strcmp(first, again) != 0)
            return data;
    }
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    pthread_t threads[2];
    int64_t bases[2] = {INSTANT, INSTANT / 2};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &bases[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

static void clocks_run(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_ns();
    assert_true(before > 0);
    while (clock_monotonic_ns() == before)
        ;
    assert_true(clock_monotonic_ns() > before);
    assert_true(clock_monotonic_ms() >= before / NS_PER_MS);
    int64_t difference = clock_realtime_us() / US_PER_SECOND - (int64_t)time(NULL);
    assert_true(difference >= -1 && difference <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_iso),          cmocka_unit_test(keeps_the_form_with_a_broken_clock),
        cmocka_unit_test(writes_http_dates),   cmocka_unit_test(agrees_with_strftime),
        cmocka_unit_test(threads_do_not_meet), cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
