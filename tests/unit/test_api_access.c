/* supervisor/api/access: which hosts are served, and the token. How requests are answered is tested over the real
 * farmd. */
#include "supervisor/api/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char api_host[64] = "localhost", dashboard_host[64] = "localhost";
static char extra[] = "farm.example", extra6[] = "2001:db8::7";
static char *allowed[] = {extra, extra6, NULL};

static struct settings settings_for(const char *host)
{
    snprintf(api_host, sizeof(api_host), "%s", host);
    return (struct settings){
        .api = {.host = api_host, .port = 8000},
        .dashboard = {.host = dashboard_host, .port = 3000},
    };
}

static struct http_slice slice(const char *text)
{
    return (struct http_slice){text, strlen(text)};
}

static bool serves(const struct settings *settings, const char *authority, const struct sockaddr_storage *local)
{
    return access_serves_host(settings, access_host_of(slice(authority)), local);
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        storage.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        storage.ss_family = AF_INET6;
    return storage;
}

static void takes_the_host_out_of_an_authority(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"localhost", "localhost"},
        {"localhost:8000", "localhost"},
        {"localhost.", "localhost"},
        {"[::1]", "[::1]"},
        {"[::1]:8000", "[::1]"},
        {"127.0.0.1:1", "127.0.0.1"},
        {"", ""},
        {"[::1", "[::1"},
        {":80", ""},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct http_slice host = access_host_of(slice(pairs[i][0]));
        assert_int_equal(host.length, strlen(pairs[i][1]));
        assert_memory_equal(host.data, pairs[i][1], host.length);
    }
}

static void serves_this_machine_only_by_default(void **state)
{
    (void)state;
    struct settings settings = settings_for("localhost");
    static const char *const good[] = {"localhost", "LocalHost:8000", "127.0.0.1", "[::1]:3000", "localhost.:80"};
    static const char *const bad[] = {"evil.example",
                                      "localhost.evil.example",
                                      "127.0.0.1.evil.example",
                                      "10.0.0.1",
                                      "",
                                      "[::2]",
                                      "localhos",
                                      "[",
                                      "[]"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(serves(&settings, good[i], NULL));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(serves(&settings, bad[i], NULL));
}

/* HTTP/1.0 may come without a Host: then there is not even a pointer. */
static void nothing_is_no_host(void **state)
{
    (void)state;
    struct settings settings = settings_for("localhost");
    struct http_slice nothing = {NULL, 0};

    assert_int_equal(access_host_of(nothing).length, 0);
    assert_false(access_serves_host(&settings, nothing, NULL));
}

static void serves_what_is_configured(void **state)
{
    (void)state;
    struct settings settings = settings_for("192.0.2.1");
    settings.allowed_hosts = allowed;

    assert_true(serves(&settings, "192.0.2.1:8000", NULL));
    assert_true(serves(&settings, "FARM.example", NULL));
    assert_true(serves(&settings, "[2001:db8::7]:8000", NULL));
    assert_false(serves(&settings, "other.example", NULL));
}

static void serves_the_address_that_was_called(void **state)
{
    (void)state;
    struct settings settings = settings_for("0.0.0.0");
    struct sockaddr_storage v4 = address("192.0.2.9"), v6 = address("2001:db8::9"),
                            mapped = address("::ffff:192.0.2.9");

    assert_true(serves(&settings, "192.0.2.9:8000", &v4));
    assert_true(serves(&settings, "192.0.2.9", &mapped));
    assert_true(serves(&settings, "[2001:db8::9]", &v6));
    assert_false(serves(&settings, "192.0.2.8", &v4));
}

static void compares_tokens_whole(void **state)
{
    (void)state;

    assert_true(access_token_equal("secret", slice("secret")));
    assert_false(access_token_equal("secret", slice("secre")));
    assert_false(access_token_equal("secret", slice("secrets")));
    assert_false(access_token_equal("secret", slice("secretsecret")));
    assert_false(access_token_equal("secret", slice("")));
    assert_false(access_token_equal("secret", slice("Secret")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_host_out_of_an_authority),
        cmocka_unit_test(serves_this_machine_only_by_default),
        cmocka_unit_test(nothing_is_no_host),
        cmocka_unit_test(serves_what_is_configured),
        cmocka_unit_test(serves_the_address_that_was_called),
        cmocka_unit_test(compares_tokens_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
