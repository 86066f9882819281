/* supervisor/api/body and json_check: what is JSON, what a field may be, and what a refusal says. */
#include "supervisor/api/body.h"
#include "supervisor/api/json_check.h"

#include "core/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int check(const char *text)
{
    return json_check(text, strlen(text), 4, NULL);
}

static void accepts_json(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "10.5e-3",
        "1E+2",
        "\"\"",
        "\"\\u00e4 \\\" \\/ \\n\"",
        "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"",
        "true",
        " null ",
        "[]",
        "{}",
        "[1, [2, [3, [4]]]]",
        "{\"a\": {\"b\": [1, 2]}}",
        "\t{\r\n\"a\" : 1 }",
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        if (check(good[i]) != 0)
            fail_msg("refused: %s", good[i]);
    }
}

static void refuses_what_is_no_json(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "nul",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "0x10",
        "1 2",
        "{} x",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "'a'",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12",
        "\"\\u0000\"",
        "\"a\nb\"",
        "\"\t\"",
        "\"\x80\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"",
        "\"\xc3",
        "[[[[[1]]]]]",
        "\xef\xbb\xbf{}",
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        if (check(bad[i]) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(json_check("\"a\0b\"", 5, 4, NULL), -EINVAL);
    assert_int_equal(json_check("{}\0", 3, 4, NULL), -EINVAL);
}

static void says_where_it_is_wrong(void **state)
{
    (void)state;
    struct error err;

    json_check("[1, 02]", 7, 4, &err);
    assert_string_equal(err.message, "not valid JSON: a number with a leading zero, at byte 6");
    json_check("[[[[[", 5, 4, &err);
    assert_string_equal(err.message, "not valid JSON: values nested too deep, at byte 5");
}

static void reads_a_prefix_of_memory_only(void **state)
{
    (void)state;
    char *exact = malloc(3);
    memcpy(exact, "\"\\u", 3);

    assert_int_equal(json_check(exact, 3, 4, NULL), -EINVAL);
    memcpy(exact, "tru", 3);
    assert_int_equal(json_check(exact, 3, 4, NULL), -EINVAL);
    free(exact);
}

/* --- fields --- */

static struct body parse(const char *text)
{
    struct body body;
    struct error err;

    if (body_parse(&body, text, strlen(text), &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return body;
}

static void reads_an_object_or_nothing(void **state)
{
    (void)state;
    struct body body = parse("");
    assert_null(body_get(&body, "a"));
    body_done(&body);
    body = parse(" \r\n");
    body_done(&body);

    static const char *const bad[] = {"[]", "1", "\"{}\"", "null", "{", "{}{}"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(body_parse(&body, bad[i], strlen(bad[i]), NULL), -EINVAL);
}

static void bounds_the_depth(void **state)
{
    (void)state;
    struct buffer text = BUFFER_EMPTY;
    struct body body;

    for (int i = 0; i < 100000; i++)
        buffer_append_text(&text, "{\"a\":");
    assert_int_equal(body_parse(&body, text.data, text.length, NULL), -EINVAL);
    buffer_done(&text);
}

static void null_is_absent_and_unknown_is_ignored(void **state)
{
    (void)state;
    struct body body = parse("{\"a\": null, \"other\": [1, {}]}");
    int64_t value = 7;

    assert_int_equal(body_int(&body, "a", 0, 9, &value, NULL), 0);
    assert_int_equal(body_int(&body, "b", 0, 9, &value, NULL), 0);
    assert_int_equal(value, 7);
    body_done(&body);
}

static void whole_numbers_are_whole_and_in_range(void **state)
{
    (void)state;
    struct body body =
        parse("{\"a\": 5, \"b\": 5.0, \"c\": 5.5, \"d\": \"5\", \"e\": true, \"f\": 10, \"g\": -1, \"h\": 1e999, "
              "\"i\": 1e30, \"j\": [5]}");
    struct error err;
    int64_t value = 0;

    assert_int_equal(body_int(&body, "a", 0, 9, &value, NULL), 1);
    assert_int_equal(value, 5);
    assert_int_equal(body_int(&body, "b", 0, 9, &value, NULL), 1);
    for (char key[] = "c"; key[0] <= 'j'; key[0]++)
        assert_int_equal(body_int(&body, key, 0, 9, &value, NULL), -EINVAL);
    assert_int_equal(value, 5);
    body_int(&body, "c", 1, 9, &value, &err);
    assert_string_equal(err.message, "c must be a whole number from 1 to 9");
    body_done(&body);
}

static void numbers_are_finite_and_in_range(void **state)
{
    (void)state;
    struct body body = parse("{\"a\": 0.5, \"b\": 1e999, \"c\": -0.1, \"d\": \"1\", \"e\": false}");
    struct error err;
    double value = 0;

    assert_int_equal(body_number(&body, "a", 0, 3600, &value, NULL), 1);
    assert_true(value == 0.5);
    for (char key[] = "b"; key[0] <= 'e'; key[0]++)
        assert_int_equal(body_number(&body, key, 0, 3600, &value, NULL), -EINVAL);
    body_number(&body, "b", 0, 3600, &value, &err);
    assert_string_equal(err.message, "b must be a number from 0 to 3600");
    body_done(&body);
}

static void texts_are_bounded(void **state)
{
    (void)state;
    struct body body = parse("{\"a\": \"four\", \"b\": 4}");
    const char *value = NULL;

    assert_int_equal(body_text(&body, "a", 4, &value, NULL), 1);
    assert_string_equal(value, "four");
    assert_int_equal(body_text(&body, "a", 3, &value, NULL), -EINVAL);
    assert_int_equal(body_text(&body, "b", 4, &value, NULL), -EINVAL);
    body_done(&body);
}

static void lists_hold_whole_numbers(void **state)
{
    (void)state;
    struct body body =
        parse("{\"a\": [3, -1, 9007199254740991], \"b\": [], \"c\": [1, \"2\"], \"d\": {}, \"e\": [1.5], "
              "\"f\": [1e300], \"g\": [null]}");
    struct error err;
    int64_t *values = NULL;
    size_t count = 9;

    assert_int_equal(body_int_list(&body, "a", 3, &values, &count, NULL), 1);
    assert_int_equal(count, 3);
    assert_int_equal(values[1], -1);
    free(values);
    assert_int_equal(body_int_list(&body, "a", 2, &values, &count, NULL), -EINVAL);
    assert_int_equal(body_int_list(&body, "b", 3, &values, &count, NULL), 1);
    assert_int_equal(count, 0);
    free(values);
    for (char key[] = "c"; key[0] <= 'g'; key[0]++)
        assert_int_equal(body_int_list(&body, key, 3, &values, &count, NULL), -EINVAL);
    body_int_list(&body, "c", 3, &values, &count, &err);
    assert_string_equal(err.message, "c must be a list of whole numbers; entry 2 is none");
    body_done(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_json),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(says_where_it_is_wrong),
        cmocka_unit_test(reads_a_prefix_of_memory_only),
        cmocka_unit_test(reads_an_object_or_nothing),
        cmocka_unit_test(bounds_the_depth),
        cmocka_unit_test(null_is_absent_and_unknown_is_ignored),
        cmocka_unit_test(whole_numbers_are_whole_and_in_range),
        cmocka_unit_test(numbers_are_finite_and_in_range),
        cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(lists_hold_whole_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
