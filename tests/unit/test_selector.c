/*
 * Selections of servers, good and bad.
 */
#include "supervisor/farm/selector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const int known[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21};
#define KNOWN (sizeof(known) / sizeof(known[0]))

static void expect(const char *text, const char *ids)
{
    int chosen[KNOWN];
    struct error err = {0};
    char got[128] = "";
    int count = selector_parse(text, known, KNOWN, chosen, KNOWN, &err);
    if (count < 0)
        fail_msg("\"%s\": %s", text, err.message);
    for (int i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%d", i ? " " : "", chosen[i]);
    assert_string_equal(got, ids);
}

static void expect_refused(const char *text, int code, const char *message)
{
    int chosen[KNOWN];
    struct error err = {0};
    assert_int_equal(selector_parse(text, known, KNOWN, chosen, KNOWN, &err), -code);
    if (!strstr(err.message, message))
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, err.message, message);
}

static void test_understood(void **state)
{
    (void)state;
    expect("7", "7");
    expect("server-7", "7");
    expect("1-3", "1 2 3");
    expect("1-3,20", "1 2 3 20");
    expect("server-1-server-3", "1 2 3");
    expect("20, 3 - 5 ,4", "3 4 5 20");
    expect("5,5,5-5", "5");
    expect("all", "1 2 3 4 5 6 7 8 9 10 20 21");
    expect("all,3", "1 2 3 4 5 6 7 8 9 10 20 21");
    expect("007", "7");
}

static void test_not_of_the_farm(void **state)
{
    (void)state;
    expect_refused("11", ENOENT, "no such server: 11");
    expect_refused("9-21", ENOENT, "no such server: 11-19");
    expect_refused("0-2,11,22-99", ENOENT, "no such server: 0, 11, 22-99");
    expect_refused("1-999999999", ENOENT, "11-19, 22-999999999");
    expect_refused("99999999999999999999999", ENOENT, "no such server");
    expect_refused("30,31,32,33,34,35,36,37,38,39", ENOENT, "30, 31, 32, 33, 34, 35, 36, 37, …");
}

static void test_not_understood(void **state)
{
    (void)state;
    const char *const bad[] = {"",    " ",   ",",       "1,",      ",1", "-1",   "1-",  "1--2", "x",     "1x",
                               "1.5", "1 2", "server-", "server7", "+1", "alle", "ALL", "0x1",  "1-2-3", "1;2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_refused(bad[i], EINVAL, "");
    expect_refused("10-1", EINVAL, "write it as 1-10");
    expect_refused("1,frog", EINVAL, "\"frog\"");
}

static void test_room(void **state)
{
    (void)state;
    int chosen[2];
    struct error err = {0};
    assert_int_equal(selector_parse("1-3", known, KNOWN, chosen, 2, &err), -EINVAL);
    assert_int_equal(selector_parse("1-2", known, KNOWN, chosen, 2, &err), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_understood),
        cmocka_unit_test(test_not_of_the_farm),
        cmocka_unit_test(test_not_understood),
        cmocka_unit_test(test_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
