/* supervisor/cli: which verb a command line means, and what check, help and version print. */
#include "supervisor/cli/verbs.h"

#include "core/memory.h"
#include "supervisor/cli/frame/topics.h"
#include "supervisor/config/settings.h"
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

/* In the place of the verbs that would start or stop something. */
static const char *ran;
static char ran_with[256];

static int note(const struct cli_call *call)
{
    ran = call->verb->name;
    ran_with[0] = '\0';
    for (int i = 0; i < call->settings_argc; i++) {
        strncat(ran_with, i ? " " : "", sizeof(ran_with) - strlen(ran_with) - 1);
        strncat(ran_with, call->settings_argv[i], sizeof(ran_with) - strlen(ran_with) - 1);
    }
    return 42;
}

#define NOTED(verb)                                                                                                    \
    const struct cli_verb verb_##verb = {                                                                              \
        .name = #verb, .takes_settings = true, .summary = "noted " #verb, .details = "Notes.", .run = note}
NOTED(up);
NOTED(down);
NOTED(upgrade);
NOTED(doctor);

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
    assert_runs("down --state-dir=x", "down", "--state-dir=x");
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
    assert_refused("help selctors", "farmd: there is no help on \"selctors\"; did you mean selectors?\n");
}

static void finds_a_verb_behind_flags(void **state)
{
    (void)state;
    assert_refused("--api :9000 ps 1-3", "farmd: flags stand behind the command: farmd ps --api :9000 1-3\n");
    assert_refused("-o json ps", "farmd: flags stand behind the command: farmd ps -o json\n");
    assert_refused("--bogus", "farmd: --bogus: unknown flag; `farmd help up` lists them\n");
    assert_runs("--state-dir logs", "up", "--state-dir logs"); /* a value, though it is a verb's name, too */
}

static void lists_every_verb_and_topic(void **state)
{
    (void)state;
    static const char *const lines[] = {"help", "--help", "-h"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
            if ((*verb)->section != SECTION_HIDDEN)
                assert_prints(lines[i], (*verb)->summary);
        }
        for (const struct topic *topic = topics; topic->name; topic++)
            assert_prints(lines[i], topic->title);
    }
}

static void helps_with_every_verb(void **state)
{
    (void)state;
    for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
        char *asked = xasprintf("help %s", (*verb)->name), *flagged = xasprintf("%s --help", (*verb)->name);
        char *usage = xasprintf("farmd %s", (*verb)->name);
        assert_prints(asked, usage);
        for (const struct cli_example *example = (*verb)->examples; example && example->command; example++)
            assert_prints(asked, example->command);
        struct outcome by_verb = capture(asked), by_flag = capture(flagged);
        assert_string_equal(by_verb.out, by_flag.out);
        cli_capture_done(&by_verb);
        cli_capture_done(&by_flag);
        free(asked);
        free(flagged);
        free(usage);
    }
    for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++)
        assert_prints("help up", flag->flag);
    assert_prints("help down", "`farmd help up`"); /* where they are */
    assert_prints("up --servers 3 -h", "farmd up [flags]\n");
    assert_prints("help selectors", "state:unhealthy");
}

static void tells_its_version(void **state)
{
    (void)state;
    assert_prints("version", "farmd " FARMD_VERSION "\n");
    assert_prints("--version", "farmd " FARMD_VERSION "\n");
    assert_refused("version now",
                   "farmd: \"now\": unexpected; `farmd version` takes flags only, see `farmd help version`\n");
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
    assert_refused("check now", "farmd: \"now\": unexpected; `farmd check` takes flags only, see `farmd help check`\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, settings_fixture_clear)
    const struct CMUnitTest tests[] = {
        TEST(runs_the_farm_without_a_verb), TEST(suggests_verbs),    TEST(lists_every_verb_and_topic),
        TEST(helps_with_every_verb),        TEST(tells_its_version), TEST(checks_settings),
        TEST(finds_a_verb_behind_flags),
    };
    return cmocka_run_group_tests(tests, settings_fixture_enter, settings_fixture_leave);
}
