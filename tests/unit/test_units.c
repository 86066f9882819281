/* core/units: what is accepted, what is refused and how, and the written forms. */
#include "core/units.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"1048576", MIB},
        {"512K", 512 << 10},
        {"256M", 256 * MIB},
        {"256MB", 256 * MIB},
        {"256MiB", 256 * MIB},
        {"1g", 1024 * MIB},
        {"1G", 1024 * MIB},
        {"007B", 7},
        {"18446744073709551615", UINT64_MAX},
        {"16777215T", UINT64_C(16777215) << 40},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t bytes = 99;
        assert_int_equal(units_parse_size(good[i].text, &bytes), 0);
        assert_true(bytes == good[i].bytes);
    }

    static const struct {
        const char *text;
        int code;
    } bad[] = {
        {"", -EINVAL},
        {"M", -EINVAL},
        {"-1", -EINVAL},
        {"+1", -EINVAL},
        {" 1", -EINVAL},
        {"1 ", -EINVAL},
        {"256X", -EINVAL},
        {"1MBx", -EINVAL},
        {"1.5M", -EINVAL},
        {"0x10", -EINVAL},
        {"1M1", -EINVAL},
        {"1iB", -EINVAL},
        {"18446744073709551616", -ERANGE},
        {"16777216T", -ERANGE},
        {"99999999999999999999999M", -ERANGE},
        {"99999999999999999999999x", -EINVAL},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t bytes = 99;
        assert_int_equal(units_parse_size(bad[i].text, &bytes), bad[i].code);
        assert_int_equal(bytes, 99);
    }
}

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"0", 0},          {"3", 3000},
        {"250ms", 250},    {"3s", 3000},
        {"1.5s", 1500},    {"1.5", 1500},
        {"5m", 300000},    {"1h", 3600000},
        {"2d", 172800000}, {"0.001s", 1},
        {"0.0005s", 1},    {"1.5ms", 2},
        {"0.5h", 1800000}, {"1.23456789012345s", 1235},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = -7;
        assert_int_equal(units_parse_duration(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }

    static const struct {
        const char *text;
        int code;
    } bad[] = {
        {"", -EINVAL},
        {"s", -EINVAL},
        {"-1s", -EINVAL},
        {"1 s", -EINVAL},
        {"1.s", -EINVAL},
        {".5s", -EINVAL},
        {"1.5.5", -EINVAL},
        {"1S", -EINVAL},
        {"1sec", -EINVAL},
        {"1e3s", -EINVAL},
        {"inf", -EINVAL},
        {"9223372036854775808ms", -ERANGE},
        {"9223372036854775807s", -ERANGE},
        {"99999999999999999999h", -ERANGE},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = -7;
        assert_int_equal(units_parse_duration(bad[i].text, &ms), bad[i].code);
        assert_int_equal(ms, -7);
    }
}

static void reads_integers(void **state)
{
    (void)state;
    int64_t value = 5;
    assert_int_equal(units_parse_int("9223372036854775807", INT64_MIN, INT64_MAX, &value), 0);
    assert_true(value == INT64_MAX);
    assert_int_equal(units_parse_int("-9223372036854775808", INT64_MIN, INT64_MAX, &value), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(units_parse_int("-0", 0, 10, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(units_parse_int("10", 0, 10, &value), 0);
    assert_int_equal(value, 10);

    assert_int_equal(units_parse_int("11", 0, 10, &value), -ERANGE);
    assert_int_equal(units_parse_int("-1", 0, 10, &value), -ERANGE);
    assert_int_equal(units_parse_int("9223372036854775808", INT64_MIN, INT64_MAX, &value), -ERANGE);
    assert_int_equal(units_parse_int("-9223372036854775809", INT64_MIN, INT64_MAX, &value), -ERANGE);
    assert_int_equal(units_parse_int("99999999999999999999999", INT64_MIN, INT64_MAX, &value), -ERANGE);
    static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "1x", "0x1", "1.0", "--1", "1e2"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(units_parse_int(bad[i], INT64_MIN, INT64_MAX, &value), -EINVAL);
    assert_int_equal(value, 10);
}

static void reads_fractions(void **state)
{
    (void)state;
    double value = 5;
    assert_int_equal(units_parse_double("2.0", 0, 10, &value), 0);
    assert_true(value == 2.0);
    assert_int_equal(units_parse_double("-1.5e1", -20, 10, &value), 0);
    assert_true(value == -15.0);
    assert_int_equal(units_parse_double(".5", 0, 1, &value), 0);
    assert_true(value == 0.5);

    assert_int_equal(units_parse_double("10.01", 0, 10, &value), -ERANGE);
    assert_int_equal(units_parse_double("1e999", 0, 1e308, &value), -ERANGE);
    static const char *const bad[] = {"",    ".",  "-",  "nan", "inf", "infinity", "0x1p3", "1e",
                                      "1e+", "+1", " 1", "1 ",  "1,5", "1.2.3",    "abc",   "1d"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(units_parse_double(bad[i], -1e308, 1e308, &value), -EINVAL);
    assert_true(value == 0.5);
}

static void writes_sizes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1 KB"},
        {12 << 10, "12 KB"},
        {1363149, "1.3 MB"},
        {256 * MIB, "256 MB"},
        {MIB - 1, "1 MB"},
        {41 * MIB + 600000, "42 MB"},
        {12800 * MIB, "12.5 GB"},
        {2048 * MIB, "2 GB"},
        {UINT64_MAX, "16 EB"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[24];
        units_format_size(text, cases[i].bytes);
        assert_string_equal(text, cases[i].text);
    }
}

static void writes_durations(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {-5, "0 ms"},
        {0, "0 ms"},
        {21, "21 ms"},
        {999, "999 ms"},
        {1000, "1 s"},
        {3200, "3.2 s"},
        {9960, "10 s"},
        {21400, "21 s"},
        {59499, "59 s"},
        {59999, "1m"},
        {60000, "1m"},
        {250000, "4m10s"},
        {192000, "3m12s"},
        {3600000, "1h"},
        {7500000, "2h5m"},
        {86399000, "23h59m"},
        {273600000, "3d4h"},
        {259200000, "3d"},
        {INT64_MAX, "106751991167d7h"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[24];
        units_format_duration(text, cases[i].ms);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_sizes),     cmocka_unit_test(reads_durations), cmocka_unit_test(reads_integers),
        cmocka_unit_test(reads_fractions), cmocka_unit_test(writes_sizes),    cmocka_unit_test(writes_durations),
    };
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
