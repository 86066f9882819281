/* supervisor/config: what `farmd check` prints is a farm.yaml that gives the same farm. */
#include "tests/unit/settings_fixture.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/config/settings_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_same_rows(const void *a, const void *b, bool of_group)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *row = &settings_table[i];
        bool is_of_group = row->scope == SCOPE_GROUP || row->scope == SCOPE_NAME;
        if (is_of_group != of_group || i == SETTING_CONFIG)
            continue;
        if (!row->type->equal(row, setting_field_const(row, a), setting_field_const(row, b)))
            fail_msg("%s is not the same after printing and reading back", row->path);
    }
}

static void assert_round_trip(const char *flags)
{
    struct settings *before = settings_fixture_load(flags);
    struct buffer text = BUFFER_EMPTY, again = BUFFER_EMPTY;
    settings_print(before, &text);
    clearenv();
    remove(".env");
    settings_fixture_write("farm.yaml", text.data);
    struct settings *after = settings_fixture_load("");
    assert_int_equal(before->group_count, after->group_count);
    for (size_t i = 0; i < before->group_count; i++)
        assert_same_rows(&before->groups[i], &after->groups[i], true);
    assert_same_rows(before, after, false);
    settings_print(after, &again);
    assert_string_equal(text.data, again.data);
    buffer_done(&text);
    buffer_done(&again);
    settings_free(before);
    settings_free(after);
}

static void reads_the_defaults_back(void **state)
{
    (void)state;
    assert_round_trip("");
}

static void reads_flags_and_variables_back(void **state)
{
    (void)state;
    setenv("SERVER_CPU_LIMIT", "0.3333333333333333", 1);
    setenv("FARMD_ALLOWED_HOSTS", "a.example,[::1]:8000", 1);
    setenv("AUTO_REFRESH_INTERVAL", "1234", 1);
    settings_fixture_write(".env", "SERVER_MEMORY_LIMIT=123456789\nLOG_LEVEL=WARN\n");
    assert_round_trip(
        "--servers 3 --base-port 9000 --cpu-reservation 0.1 --dashboard-port 0 --host ::1 --restart never "
        "--allow-unauthenticated --state-dir /with/a=strange,name --memory-reservation 3K");
}

static void reads_groups_and_strange_texts_back(void **state)
{
    (void)state;
    settings_fixture_write(
        "farm.yaml",
        "groups:\n"
        "  - name: a-1\n"
        "    count: 3\n"
        "    memory: 5T\n"
        "    user: root\n"
        "    command: [sh, -c, \"echo \\\"hi\\\" \\\\ # no comment\\n\\ttwo: lines\", \"\", \"null\", yes, \"1\"]\n"
        "    labels: {zone: a, \"x/y.z\": \"{[&*!|>'%@`\"}\n"
        "    environment:\n"
        "      EMPTY:\n"
        "      ACCENTS: \"\\xE9 \\u2028 \\U0001F600\\x85\\xA0 \"\n"
        "      TILDE: \"~\"\n"
        "      WORD: \"off\"\n"
        "      BELL: \"\\a\\x7F\"\n"
        "      LEADING: \" - a\"\n"
        "    probes: {startup: {enabled: false}, liveness: {path: \"/a?b=c&d\", interval: 1.5s}}\n"
        "  - name: default\n"
        "    base_port: 10001\n"
        "    restart_profile: supervisord\n"
        "api: {allowed_origins: [\"https://a.example\"]}\n");
    assert_round_trip("");
}

static void does_not_print_the_token(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("--token very-secret");
    struct buffer text = BUFFER_EMPTY;
    settings_print(settings, &text);
    assert_null(strstr(text.data, "very-secret"));
    assert_non_null(strstr(text.data, "\n  # token: (set)\n"));
    buffer_done(&text);
    settings_free(settings);
}

static void prints_as_people_write(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("");
    struct buffer text = BUFFER_EMPTY;
    settings_print(settings, &text);
    static const char beginning[] = "servers:\n"
                                    "  count: 50\n"
                                    "  base_port: 8001\n"
                                    "  cpu: 0.5\n"
                                    "  memory: 256M\n"
                                    "  cpu_reservation: 0.1\n"
                                    "  memory_reservation: 128M\n";
    assert_int_equal(strncmp(text.data, beginning, strlen(beginning)), 0);
    assert_non_null(
        strstr(text.data, "\n    liveness:\n      enabled: true\n      path: /health\n      interval: 30s\n"));
    buffer_done(&text);
    settings_free(settings);
}

/* Checks `flags` against what is printed of a farm started with `--port 8100 --state-dir /tmp/a`. */
static int check_bound(const char *flags, struct error *err)
{
    struct settings *running = settings_fixture_load("--port 8100 --state-dir /tmp/a");
    struct settings *next = settings_fixture_load(flags);
    struct buffer text = BUFFER_EMPTY;
    settings_print_bound(running, &text);
    int code = settings_check_bound(next, text.data, err);
    buffer_done(&text);
    settings_free(running);
    settings_free(next);
    return code;
}

static void what_a_farm_is_bound_to_must_be_the_same(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(check_bound("--port 8100 --state-dir /tmp/a --servers 3 --token abcdefghijklmnop", &err), 0);
    assert_true(check_bound("--port 8101 --state-dir /tmp/a", &err) < 0);
    assert_non_null(strstr(err.message, "the settings say api.port: 8101, the farm runs with api.port: 8100"));
    assert_true(check_bound("--port 8100 --state-dir /tmp/b", &err) < 0);
    assert_true(check_bound("--port 8100 --state-dir /tmp/a --enforce none", &err) < 0);
    assert_true(check_bound("--port 8100 --state-dir /tmp/a --docker-image mine", &err) < 0);
    assert_non_null(strstr(err.message, "docker.image: mine"));
}

static void what_an_older_farm_says_and_nobody_knows_is_fine(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("");
    assert_int_equal(settings_check_bound(settings, "api.port: 8000\ngone.since: 1\n", NULL), 0);
    settings_free(settings);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, settings_fixture_clear)
    const struct CMUnitTest tests[] = {
        TEST(reads_the_defaults_back),
        TEST(reads_flags_and_variables_back),
        TEST(reads_groups_and_strange_texts_back),
        TEST(does_not_print_the_token),
        TEST(prints_as_people_write),
        TEST(what_a_farm_is_bound_to_must_be_the_same),
        TEST(what_an_older_farm_says_and_nobody_knows_is_fine),
    };
    return cmocka_run_group_tests(tests, settings_fixture_enter, settings_fixture_leave);
}
