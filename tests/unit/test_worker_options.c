/* worker/options: environment, flags, what is refused and how. */
#include "worker/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int clear_environment(void **state)
{
    (void)state;
    static const char *const names[] = {
        "PORT",       "SERVER_PORT",     "SERVER_ID",      "SERVER_HOST",       "LOG_LEVEL",
        "ACCESS_LOG", "ALLOWED_ORIGINS", "FARMD_READY_FD", "FARMD_COUNTERS_FD", "PUBLIC_PORT"};
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    return 0;
}

/* Parses up to three arguments. */
static int parse(struct worker_options *options, struct error *err, const char *a, const char *b, const char *c)
{
    char *argv[] = {"farm-worker", (char *)a, (char *)b, (char *)c, NULL};
    int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);

    return worker_options_parse(argc, argv, options, err);
}

static void has_defaults(void **state)
{
    (void)state;
    struct worker_options options;
    struct error err;

    assert_int_equal(parse(&options, &err, NULL, NULL, NULL), 0);
    assert_string_equal(options.server_id, "server-1");
    assert_string_equal(options.host, "localhost");
    assert_int_equal(options.port, 8001);
    assert_int_equal(options.mode, WORKER_SERVE);
    assert_int_equal(options.log_level, LOG_LEVEL_INFO);
    assert_int_equal(options.ready_fd, -1);
    assert_int_equal(options.counters_fd, -1);
    assert_false(options.access_log);
}

static void reads_the_environment(void **state)
{
    (void)state;
    struct worker_options options;
    struct error err;

    setenv("PORT", "9001", 1);
    setenv("SERVER_ID", "server-12", 1);
    setenv("LOG_LEVEL", "warning", 1);
    setenv("ACCESS_LOG", "1", 1);
    setenv("PUBLIC_PORT", "8012", 1);
    setenv("FARMD_READY_FD", "5", 1);
    setenv("FARMD_COUNTERS_FD", "", 1);
    setenv("ALLOWED_ORIGINS", "https://a.example, http://b.example:*", 1);
    assert_int_equal(parse(&options, &err, NULL, NULL, NULL), 0);
    assert_int_equal(options.port, 9001);
    assert_int_equal(options.public_port, 8012);
    assert_string_equal(options.server_id, "server-12");
    assert_int_equal(options.log_level, LOG_LEVEL_WARNING);
    assert_true(options.access_log);
    assert_int_equal(options.ready_fd, 5);
    assert_int_equal(options.counters_fd, -1);
    assert_int_equal(options.origin_count, 2);
    assert_string_equal(options.origins[0], "https://a.example");
    assert_string_equal(options.origins[1], "http://b.example:*");
    worker_options_done(&options);

    setenv("SERVER_PORT", "9002", 1); /* the farm's own name wins over the common one */
    assert_int_equal(parse(&options, &err, NULL, NULL, NULL), 0);
    assert_int_equal(options.port, 9002);
    worker_options_done(&options);
}

static void flags_win(void **state)
{
    (void)state;
    struct worker_options options;
    struct error err;

    setenv("SERVER_PORT", "9002", 1);
    assert_int_equal(parse(&options, &err, "--port", "0", "--access-log"), 0);
    assert_int_equal(options.port, 0);
    assert_true(options.access_log);
    assert_int_equal(parse(&options, &err, "--id=7", "--host", "::1"), 0);
    assert_string_equal(options.server_id, "server-7");
    assert_string_equal(options.host, "::1");
    assert_int_equal(parse(&options, &err, "--ready-only", NULL, NULL), 0);
    assert_int_equal(options.mode, WORKER_READY_ONLY);
    assert_int_equal(parse(&options, &err, "--version", NULL, NULL), 0);
    assert_int_equal(options.mode, WORKER_SHOW_VERSION);
}

static void refuses_bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *variable;
        const char *value;
    } variables[] = {
        {"SERVER_PORT", "65536"},
        {"SERVER_PORT", "-1"},
        {"PORT", "abc"},
        {"SERVER_ID", "seven"},
        {"SERVER_ID", "server-"},
        {"LOG_LEVEL", "chatty"},
        {"ACCESS_LOG", "maybe"},
        {"FARMD_READY_FD", "-3"},
        {"FARMD_COUNTERS_FD", "x"},
        {"ALLOWED_ORIGINS", "farm.example"},
    };
    static const struct {
        const char *flag;
        const char *value;
    } flags[] = {{"--port", "80x"},    {"--port", NULL},         {"--id", "a"},      {"--nonsense", NULL},
                 {"positional", NULL}, {"--access-log=1", NULL}, {"--ports=1", NULL}};
    struct worker_options options = {.port = 4711};
    struct error err;

    for (size_t i = 0; i < COUNT(variables); i++) {
        setenv(variables[i].variable, variables[i].value, 1);
        assert_int_equal(parse(&options, &err, NULL, NULL, NULL), -EINVAL);
        assert_non_null(strstr(err.message, variables[i].variable));
        assert_non_null(strstr(err.message, variables[i].value));
        unsetenv(variables[i].variable);
    }
    for (size_t i = 0; i < COUNT(flags); i++) {
        assert_int_equal(parse(&options, &err, flags[i].flag, flags[i].value, NULL), -EINVAL);
        assert_non_null(strstr(err.message, flags[i].flag));
        assert_null(strchr(err.message, '\n'));
    }
    assert_int_equal(options.port, 4711); /* untouched on failure */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(has_defaults, clear_environment),
        cmocka_unit_test_setup(reads_the_environment, clear_environment),
        cmocka_unit_test_setup(flags_win, clear_environment),
        cmocka_unit_test_setup(refuses_bad_values, clear_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
