/* http/accept: which quality an Accept line gives a media type. */
#include "http/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static unsigned quality(const char *line, const char *type)
{
    struct http_accept found = {0};

    http_accept_scan((struct http_slice){line, strlen(line)}, type, &found);
    return found.quality;
}

static void takes_the_most_specific_range(void **state)
{
    (void)state;
    static const char line[] = "text/*;q=0.3, text/plain;q=0.7, text/plain;version=0.0.4;q=0.4, */*;q=0.5";

    assert_int_equal(quality(line, "text/plain"), 700);
    assert_int_equal(quality(line, "text/html"), 300);
    assert_int_equal(quality(line, "image/png"), 500);
    assert_int_equal(quality("*/*, text/plain;q=0", "text/plain"), 0);
}

static void reads_what_clients_send(void **state)
{
    (void)state;
    static const char prometheus[] =
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    static const char browser[] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    static const char axios[] = "application/json, text/plain, */*";

    assert_int_equal(quality(prometheus, "application/openmetrics-text"), 500);
    assert_int_equal(quality(prometheus, "text/plain"), 300);
    assert_int_equal(quality(prometheus, "application/json"), 200);
    assert_int_equal(quality(browser, "application/json"), 800);
    assert_int_equal(quality(browser, "text/plain"), 800);
    assert_int_equal(quality(axios, "application/json"), 1000);
    assert_int_equal(quality(axios, "text/plain"), 1000);
    assert_int_equal(quality("*/*", "application/json"), 1000);
}

static void ignores_case_and_blanks(void **state)
{
    (void)state;
    assert_int_equal(quality("  TEXT/Plain ; Q=0.25\t, x/y", "text/plain"), 250);
    assert_int_equal(quality("text/plain;x=\"a,b;q=0.1\";q=0.6", "text/plain"), 600);
    assert_int_equal(quality("text/plain; q=1.000", "text/plain"), 1000);
    assert_int_equal(quality("text/plain;q=0.001", "text/plain"), 1);
}

static void passes_over_nonsense(void **state)
{
    (void)state;
    assert_int_equal(quality("text/plain;q=2", "text/plain"), 0);
    assert_int_equal(quality("text/plain;q=1.001", "text/plain"), 0);
    assert_int_equal(quality("text/plain;q=-1", "text/plain"), 0);
    assert_int_equal(quality("text/plain;q=0.1234", "text/plain"), 0);
    assert_int_equal(quality("text/plain;q=", "text/plain"), 0);
    assert_int_equal(quality(",,;;,=,\"", "text/plain"), 0);
    assert_int_equal(quality("\"abc\\", "text/plain"), 0);
    assert_int_equal(quality("", "text/plain"), 0);
    assert_int_equal(quality("text/plai*", "text/plain"), 0);
    assert_int_equal(quality("text/plain;q=2, text/*;q=0.5", "text/plain"), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_most_specific_range),
        cmocka_unit_test(reads_what_clients_send),
        cmocka_unit_test(ignores_case_and_blanks),
        cmocka_unit_test(passes_over_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
