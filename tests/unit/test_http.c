/* http/http: names, slices, percent-decoding, queries. */
#include "http/http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct http_slice slice(const char *text)
{
    return (struct http_slice){text, strlen(text)};
}

static void names_methods(void **state)
{
    (void)state;
    assert_string_equal(http_method_name(HTTP_METHOD_GET), "GET");
    assert_string_equal(http_method_name(HTTP_METHOD_CONNECT), "CONNECT");
    for (int i = 0; i < HTTP_METHOD_COUNT; i++)
        assert_non_null(http_method_name((enum http_method)i));
}

static void names_statuses(void **state)
{
    (void)state;
    assert_string_equal(http_status_text(100), "Continue");
    assert_string_equal(http_status_text(200), "OK");
    assert_string_equal(http_status_text(404), "Not Found");
    assert_string_equal(http_status_text(413), "Content Too Large");
    assert_string_equal(http_status_text(511), "Network Authentication Required");
    static const int unknown[] = {-1, 0, 99, 199, 418, 512, 599, 1 << 30};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_string_equal(http_status_text(unknown[i]), "Unknown");
}

static void compares_slices(void **state)
{
    (void)state;
    assert_true(http_slice_equal(slice("abc"), "abc"));
    assert_false(http_slice_equal(slice("abc"), "ABC"));
    assert_false(http_slice_equal(slice("ab"), "abc"));
    assert_false(http_slice_equal(slice("abcd"), "abc"));
    assert_true(http_slice_equal((struct http_slice){0}, ""));
    assert_true(http_slice_equal_nocase(slice("Content-Length"), "content-length"));
    assert_false(http_slice_equal_nocase(slice("Content-Lengt"), "content-length"));
}

static void decodes(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        bool plus;
        int rc;
        const char *out;
    } cases[] = {
        {"", false, 0, ""},
        {"a%20b", false, 3, "a b"},
        {"a+b", false, 3, "a+b"},
        {"a+b", true, 3, "a b"},
        {"%2B", true, 1, "+"},
        {"%e2%82%AC", false, 3, "€"},
        {"%", false, -EINVAL, ""},
        {"%4", false, -EINVAL, ""},
        {"%4g", false, -EINVAL, ""},
        {"%g4", false, -EINVAL, ""},
        {"%00", false, -EINVAL, ""},
        {"%%41", false, -EINVAL, ""},
        {"1234567", false, 7, "1234567"},
        {"12345678", false, -ENAMETOOLONG, ""},
        {"%31%32345678", false, -ENAMETOOLONG, ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[8] = "";
        assert_int_equal(http_percent_decode(slice(cases[i].in), cases[i].plus, out, sizeof(out)), cases[i].rc);
        if (cases[i].rc >= 0)
            assert_string_equal(out, cases[i].out);
    }
    char out[8];
    assert_int_equal(http_percent_decode((struct http_slice){"a\0b", 3}, false, out, sizeof(out)), -EINVAL);
    assert_int_equal(http_percent_decode(slice(""), false, out, 0), -ENAMETOOLONG);
    assert_int_equal(http_percent_decode((struct http_slice){"%41", 2}, false, out, sizeof(out)), -EINVAL);
}

static void finds_in_queries(void **state)
{
    (void)state;
    static const struct {
        const char *query, *name, *value; /* value NULL: absent */
    } cases[] = {
        {"a=1&b=2", "a", "1"},  {"a=1&b=2", "b", "2"}, {"a=1&b=2", "c", NULL}, {"", "a", NULL},
        {"aa=1&a=2", "a", "2"}, {"a=1&a=2", "a", "1"}, {"a", "a", ""},         {"a&b=1", "a", ""},
        {"a=", "a", ""},        {"b=x=y", "b", "x=y"}, {"&&a=1&", "a", "1"},   {"a=%20+", "a", "%20+"},
        {"ab=1", "a", NULL},    {"=1", "a", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_slice value = slice("untouched");
        bool found = http_query_get(slice(cases[i].query), cases[i].name, &value);
        assert_int_equal(found, cases[i].value != NULL);
        assert_true(http_slice_equal(value, cases[i].value ? cases[i].value : "untouched"));
    }
    struct http_slice value;
    assert_false(http_query_get((struct http_slice){0}, "a", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_methods), cmocka_unit_test(names_statuses),   cmocka_unit_test(compares_slices),
        cmocka_unit_test(decodes),       cmocka_unit_test(finds_in_queries),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
