/* supervisor/cli: which verb a command line means, and what check, help and version print. */
#include "supervisor/cli/cli.h"

#include "core/memory.h"
#include "tests/unit/cli_capture.h"
#include "tests/unit/settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In the place of the verbs that would start something. */
static const char *ran;
static char ran_with[256];

static int note(const char *verb, int argc, char **argv)
{
    ran = verb;
    ran_with[0] = '\0';
    for (int i = 0; i < argc; i++) {
        strncat(ran_with, i ? " " : "", sizeof(ran_with) - strlen(ran_with) - 1);
        strncat(ran_with, argv[i], sizeof(ran_with) - strlen(ran_with) - 1);
    }
    return 42;
}

int cli_up(int argc, char **argv)
{
    return note("up", argc, argv);
}

int cli_doctor(int argc, char **argv)
{
    return note("doctor", argc, argv);
}

static struct outcome capture(const char *line)
{
    ran = NULL;
    return cli_capture(line);
}

static void assert_runs(const char *line, const char *verb, const char *with)
{
    struct outcome outcome = capture(line);
    assert_int_equal(outcome.code, 42);
    assert_string_equal(ran, verb);
    assert_string_equal(ran_with, with);
    cli_capture_done(&outcome);
}

static void assert_refused(const char *line, const char *message)
{
    struct outcome outcome = capture(line);
    assert_int_equal(outcome.code, CLI_USAGE);
    assert_string_equal(outcome.err, message);
    assert_string_equal(outcome.out, "");
    assert_null(ran);
    cli_capture_done(&outcome);
}

static void assert_prints(const char *line, const char *part)
{
    struct outcome outcome = capture(line);
    assert_int_equal(outcome.code, CLI_DONE);
    assert_string_equal(outcome.err, "");
    if (!strstr(outcome.out, part))
        fail_msg("`farmd %s` doesn't print \"%s\" but:\n%s", line, part, outcome.out);
    assert_null(ran);
    cli_capture_done(&outcome);
}

/* ---- the tests ------------------------------------------------------------------------------------------------- */

static void runs_the_farm_without_a_verb(void **state)
{
    (void)state;
    assert_runs("", "up", "");
    assert_runs("--servers 3", "up", "--servers 3");
    assert_runs("up", "up", "");
    assert_runs("up --servers 3", "up", "--servers 3");
    assert_runs("doctor --port 9", "doctor", "--port 9");
    char *none[] = {NULL};
    assert_int_equal(cli_main(0, none), 42);
}

static void suggests_verbs(void **state)
{
    (void)state;
    assert_refused("chekc", "farmd: \"chekc\" is not a command; did you mean check?\n");
    assert_refused("docter --port 9", "farmd: \"docter\" is not a command; did you mean doctor?\n");
    assert_refused("frobnicate", "farmd: \"frobnicate\" is not a command; `farmd help` lists them\n");
    assert_refused("help frobnicate", "farmd: there is no help on \"frobnicate\"; `farmd help` lists the commands\n");
}

static void helps(void **state)
{
    (void)state;
    static const char *const lines[] = {"help", "--help", "-h"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
            assert_prints(lines[i], verb->summary);
        for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++)
            assert_prints(lines[i], flag->flag);
    }
    for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
        char *line = xasprintf("help %s", verb->name);
        assert_prints(line, verb->details);
        free(line);
        line = xasprintf("%s --help", verb->name);
        assert_prints(line, verb->details);
        free(line);
    }
    assert_prints("up --servers 3 -h", "farmd up [flags]\n");
}

static void tells_its_version(void **state)
{
    (void)state;
    assert_prints("version", "farmd " FARMD_VERSION "\n");
    assert_prints("--version", "farmd " FARMD_VERSION "\n");
}

static void checks_settings(void **state)
{
    (void)state;
    assert_prints("check", "# in order: 50 servers; no farm.yaml here, so defaults\nservers:\n  count: 50\n");
    assert_prints("check --servers 1", "# in order: 1 server; no farm.yaml here, so defaults\nservers:\n  count: 1\n");
    struct outcome outcome = capture("check --cpu 1024");
    assert_int_equal(outcome.code, CLI_DONE);
    assert_non_null(strstr(outcome.err, "warning: cpu: 1024 of each server"));
    cli_capture_done(&outcome);
    settings_fixture_write("farm.yaml", "servers:\n  count: 3\n");
    assert_prints("check", "# in order: 3 servers; settings from farm.yaml\nservers:\n  count: 3\n");
    settings_fixture_write("farm.yaml", "servers:\n  memory: 256X\n");
    assert_refused("check", "farmd: farm.yaml:2: servers.memory: \"256X\" is not a size; write 256M, 1G or bytes\n");
    assert_refused("check now", "farmd: \"now\": unexpected; farmd takes flags only, see `farmd help`\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, settings_fixture_clear)
    const struct CMUnitTest tests[] = {
        TEST(runs_the_farm_without_a_verb),
        TEST(suggests_verbs),
        TEST(helps),
        TEST(tells_its_version),
        TEST(checks_settings),
    };
    return cmocka_run_group_tests(tests, settings_fixture_enter, settings_fixture_leave);
}
