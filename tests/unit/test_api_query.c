/* supervisor/api/query: typed parameters of a query string. */
#include "supervisor/api/query.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct http_slice slice(const char *text)
{
    return (struct http_slice){text, strlen(text)};
}

static void reads_whole_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"a=",       "a=x",    "a=1.5", "a=-1",  "a=10", "a=99999999999999999999",
                                      "a=%31%zz", "a=1%00", "a=+1",  "a=0x1", "a=NaN"};
    struct error err;
    int64_t value = 0;

    assert_int_equal(query_int(slice("b=1&a=7&c"), "a", 0, 9, &value, NULL), 1);
    assert_int_equal(value, 7);
    assert_int_equal(query_int(slice("a=%38"), "a", 0, 9, &value, NULL), 1);
    assert_int_equal(value, 8);
    assert_int_equal(query_int(slice("aa=1"), "a", 0, 9, &value, NULL), 0);
    assert_int_equal(query_int(slice(""), "a", 0, 9, &value, NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(query_int(slice(bad[i]), "a", 0, 9, &value, NULL), -EINVAL);
    assert_int_equal(value, 8);
    query_int(slice("since=x"), "since", 0, 9, &value, &err);
    assert_string_equal(err.message, "since must be a whole number from 0 to 9");
}

static void reads_numbers(void **state)
{
    (void)state;
    double value = 0;

    assert_int_equal(query_number(slice("a=0.25"), "a", 0, 1, &value, NULL), 1);
    assert_true(value == 0.25);
    assert_int_equal(query_number(slice("a=nan"), "a", 0, 1, &value, NULL), -EINVAL);
    assert_int_equal(query_number(slice("a=1e9"), "a", 0, 1, &value, NULL), -EINVAL);
    assert_int_equal(query_number(slice("a=-1"), "a", 0, 1, &value, NULL), -EINVAL);
}

static void reads_texts(void **state)
{
    (void)state;
    struct error err;
    char text[8];

    assert_int_equal(query_text(slice("e=%2Fa%3Fb"), "e", text, sizeof(text), NULL), 1);
    assert_string_equal(text, "/a?b");
    assert_int_equal(query_text(slice("e=12345678"), "e", text, sizeof(text), &err), -EINVAL);
    assert_string_equal(err.message, "e must have at most 7 bytes");
    assert_int_equal(query_text(slice("e=%0"), "e", text, sizeof(text), &err), -EINVAL);
    assert_int_equal(query_text(slice("e=%00"), "e", text, sizeof(text), &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole_numbers),
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(reads_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
