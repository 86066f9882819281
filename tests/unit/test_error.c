/* core/error: codes, texts and truncation. */
#include "core/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void fills_code_and_text(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set(&err, EBUSY, "port %d is taken", 8007), -EBUSY);
    assert_int_equal(err.code, EBUSY);
    assert_string_equal(err.message, "port 8007 is taken");
}

static void adds_the_reason(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set_errno(&err, ENOENT, "cannot open %s", "x"), -ENOENT);
    assert_string_equal(err.message, "cannot open x: No such file or directory");
}

static void needs_no_place(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, EIO, "lost"), -EIO);
    assert_int_equal(error_set_errno(NULL, EIO, "lost"), -EIO);
}

static void is_never_success(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(error_set(&err, 0, "no code"), -EINVAL);
    assert_int_equal(error_set(&err, -EPERM, "wrong sign"), -EPERM);
    assert_int_equal(err.code, EPERM);
}

static void truncates(void **state)
{
    (void)state;
    struct error err = {0};
    char text[2 * ERROR_MESSAGE_MAX];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set_errno(&err, EIO, "%s", text);
    assert_int_equal(strlen(err.message), ERROR_MESSAGE_MAX - 1);
}

static void adds_context_to_itself(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, EIO, "inner");
    error_set(&err, err.code, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_code_and_text), cmocka_unit_test(adds_the_reason),
        cmocka_unit_test(needs_no_place),      cmocka_unit_test(is_never_success),
        cmocka_unit_test(truncates),           cmocka_unit_test(adds_context_to_itself),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
