/* core/json: structure, escaping, invalid UTF-8, numbers. */
#include "core/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buffer out;

static int set_up(void **state)
{
    (void)state;
    buffer_clear(&out);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_done(&out);
    return 0;
}

static void writes_structures(void **state)
{
    (void)state;
    struct json_writer w = json_writer_to(&out);
    json_begin_object(&w);
    json_member_string(&w, "name", "server-1");
    json_member_int(&w, "id", -1);
    json_member_uint(&w, "count", UINT64_MAX);
    json_key(&w, "list");
    json_begin_array(&w);
    json_begin_array(&w);
    json_end_array(&w);
    json_begin_object(&w);
    json_end_object(&w);
    json_int(&w, 1);
    json_raw(&w, "{\"raw\":1}", 9);
    json_end_array(&w);
    json_member_bool(&w, "yes", true);
    json_member_bool(&w, "no", false);
    json_member_null(&w, "none");
    json_member_string(&w, "missing", NULL);
    json_member_fixed2(&w, "cpu", 12.345);
    json_member_timestamp(&w, "timestamp", INT64_C(1795422600123456));
    json_end_object(&w);
    assert_string_equal(out.data,
                        "{\"name\":\"server-1\",\"id\":-1,\"count\":18446744073709551615,"
                        "\"list\":[[],{},1,{\"raw\":1}],\"yes\":true,\"no\":false,\"none\":null,\"missing\":null,"
                        "\"cpu\":12.35,\"timestamp\":\"2026-11-23T08:30:00.123456+00:00\"}");
}

static const char *string_of(const char *text, size_t n)
{
    buffer_clear(&out);
    struct json_writer w = json_writer_to(&out);
    json_string_n(&w, text, n);
    return out.data;
}

static void escapes(void **state)
{
    (void)state;
    assert_string_equal(string_of("", 0), "\"\"");
    assert_string_equal(string_of("a\"b\\c/d", 7), "\"a\\\"b\\\\c/d\"");
    assert_string_equal(string_of("\b\f\n\r\t", 5), "\"\\b\\f\\n\\r\\t\"");
    assert_string_equal(string_of("\x00\x1f\x7f", 3), "\"\\u0000\\u001f\x7f\"");
}

static void keeps_valid_utf8(void **state)
{
    (void)state;
    static const char *const texts[] = {"é",
                                        "€",
                                        "😀",
                                        "\xC2\x80",
                                        "\xDF\xBF",
                                        "\xE0\xA0\x80",
                                        "\xED\x9F\xBF",
                                        "\xEE\x80\x80",
                                        "\xEF\xBF\xBF",
                                        "\xF0\x90\x80\x80",
                                        "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char expected[16];
        snprintf(expected, sizeof(expected), "\"%s\"", texts[i]);
        assert_string_equal(string_of(texts[i], strlen(texts[i])), expected);
    }
}

#define BAD "\xEF\xBF\xBD"

static void replaces_invalid_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"\x80", BAD},
        {"\xFF", BAD},
        {"a\xC3", "a" BAD},                    /* cut off */
        {"\xE2\x82", BAD},                     /* cut off after two of three */
        {"\xE2\x82z", BAD "z"},                /* what follows is kept */
        {"\xC0\xAF", BAD BAD},                 /* overlong */
        {"\xE0\x80\xAF", BAD BAD BAD},         /* overlong */
        {"\xF0\x80\x80\xAF", BAD BAD BAD BAD}, /* overlong */
        {"\xED\xA0\x80", BAD BAD BAD},         /* surrogate */
        {"\xF4\x90\x80\x80", BAD BAD BAD BAD}, /* over U+10FFFF */
        {"\xF5\x80\x80\x80", BAD BAD BAD BAD},
        {"x\xE2\x28\xA1y", "x" BAD "(" BAD "y"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[32];
        snprintf(expected, sizeof(expected), "\"%s\"", cases[i].expected);
        assert_string_equal(string_of(cases[i].text, strlen(cases[i].text)), expected);
    }
}

/* Every text of two bytes gives something that a parser takes. */
static void is_always_json(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        char text[2] = {(char)(i >> 8), (char)i};
        cJSON *parsed = cJSON_Parse(string_of(text, 2));
        assert_non_null(parsed);
        assert_true(cJSON_IsString(parsed));
        cJSON_Delete(parsed);
    }
}

static void writes_integers(void **state)
{
    (void)state;
    static const int64_t values[] = {0,    1,         9,         10,        99, 100, 101, 999,
                                     1000, 123456789, INT64_MAX, INT64_MIN, -1, -10, -99};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char expected[32];
        struct json_writer w = json_writer_to(&out);
        snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
        buffer_clear(&out);
        json_int(&w, values[i]);
        assert_string_equal(out.data, expected);
    }
    for (uint64_t value = 1; value < UINT64_MAX / 7; value = value * 7 + 3) {
        char expected[32];
        struct json_writer w = json_writer_to(&out);
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)value);
        buffer_clear(&out);
        json_uint(&w, value);
        assert_string_equal(out.data, expected);
    }
}

static const char *fixed2_of(double value)
{
    buffer_clear(&out);
    struct json_writer w = json_writer_to(&out);
    json_fixed2(&w, value);
    return out.data;
}

static void writes_two_decimals(void **state)
{
    (void)state;
    assert_string_equal(fixed2_of(0), "0.00");
    assert_string_equal(fixed2_of(-0.0), "0.00");
    assert_string_equal(fixed2_of(-0.001), "0.00");
    assert_string_equal(fixed2_of(-0.006), "-0.01");
    assert_string_equal(fixed2_of(0.05), "0.05");
    assert_string_equal(fixed2_of(1), "1.00");
    assert_string_equal(fixed2_of(1.999), "2.00");
    assert_string_equal(fixed2_of(99.995), "100.00"); /* a little more than it looks */
    assert_string_equal(fixed2_of(1.115), "1.11");    /* a little less */
    assert_string_equal(fixed2_of(-12.5), "-12.50");
    assert_string_equal(fixed2_of(999999999999999.99), "1000000000000000.00");
    assert_string_equal(fixed2_of(NAN), "0.00");
    assert_string_equal(fixed2_of(INFINITY), "0.00");
    assert_string_equal(fixed2_of(-INFINITY), "0.00");
}

static void rounds_as_printf_does(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        double value = (double)(int64_t)(seed % 2000000000) / (i % 2 ? 1000.0 : 1024.0);
        if (i % 3 == 0)
            value = (double)(seed >> 14) / 1024.0; /* large ones */
        if (i % 5 == 0)
            value = -value;
        char expected[400];
        snprintf(expected, sizeof(expected), "%.2f", value);
        if (strcmp(expected, "-0.00") == 0)
            continue;
        assert_string_equal(fixed2_of(value), expected);
    }
    static const double huge[] = {1e15, 1.5e15, -1e17, 1e22, 1.7976931348623157e308, -1.7976931348623157e308};
    for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
        cJSON *parsed = cJSON_Parse(fixed2_of(huge[i]));
        assert_non_null(parsed);
        cJSON_Delete(parsed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(writes_structures, set_up),   cmocka_unit_test_setup(escapes, set_up),
        cmocka_unit_test_setup(keeps_valid_utf8, set_up),    cmocka_unit_test_setup(replaces_invalid_utf8, set_up),
        cmocka_unit_test_setup(is_always_json, set_up),      cmocka_unit_test_setup(writes_integers, set_up),
        cmocka_unit_test_setup(writes_two_decimals, set_up), cmocka_unit_test_setup(rounds_as_printf_does, set_up),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, tear_down);
}
