/* http/cors: which origins are allowed. How requests are answered is tested over the real worker. */
#include "http/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool allows(const struct http_cors *cors, const char *origin)
{
    return http_cors_allows(cors, (struct http_slice){origin, strlen(origin)});
}

static void allows_pages_of_this_machine(void **state)
{
    (void)state;
    static const char *const good[] = {"http://localhost:3000", "http://localhost", "http://127.0.0.1:8000",
                                       "http://[::1]:5173", "http://LOCALHOST:1"};
    static const char *const bad[] = {
        "https://localhost:3000",
        "http://localhost:",
        "http://localhost:80x",
        "http://localhost.evil:80",
        "http://localhost:3000/",
        "http://localhost:3000:1",
        "http://127.0.0.2:80",
        "http://evil.example",
        "null",
        "",
        "http://localhost:123456",
        "localhost:3000",
        "http://evil@localhost:3000",
    };
    const struct http_cors none = {NULL, 0};

    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(allows(&none, good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(allows(&none, bad[i]));
}

static void allows_what_is_configured(void **state)
{
    (void)state;
    static const char *const list[] = {"https://farm.example", "http://lan.example:*"};
    const struct http_cors cors = {list, COUNT(list)};

    assert_true(allows(&cors, "https://farm.example"));
    assert_true(allows(&cors, "http://lan.example:8080"));
    assert_true(allows(&cors, "http://lan.example"));
    assert_false(allows(&cors, "http://farm.example"));
    assert_false(allows(&cors, "https://farm.example:444"));
    assert_false(allows(&cors, "https://farm.example.evil"));

    static const char *const any[] = {"*"};
    assert_true(allows(&(struct http_cors){any, 1}, "https://anything"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allows_pages_of_this_machine),
        cmocka_unit_test(allows_what_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
