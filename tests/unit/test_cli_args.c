/* supervisor/cli/frame/args: what a verb's row makes of the words of a command line. */
#include "supervisor/cli/frame/args.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_flag some[] = {
    {.name = "--tail", .letter = 'n', .kind = CLI_INT, .argument = "N", .min = 1, .max = 100, .preset = "10"},
    {.name = "--output",
     .letter = 'o',
     .kind = CLI_WORD,
     .argument = "FORMAT",
     .words = "table json",
     .preset = "table"},
    {.name = "--follow", .letter = 'f', .kind = CLI_SWITCH},
    {.name = "--watch", .letter = 'w', .kind = CLI_SWITCH},
    {.name = NULL},
};
static const struct cli_flag others[] = {
    {.name = "--label", .letter = 'l', .kind = CLI_TEXT, .argument = "NAME=VALUE", .repeats = true},
    {.name = "--rate", .kind = CLI_NUMBER, .argument = "N", .min = 0.5, .max = 1e6},
    {.name = "--timeout", .kind = CLI_DURATION, .argument = "TIME", .min = 100, .max = 60000},
    {.name = "--size", .kind = CLI_SIZE, .argument = "SIZE", .min = 1024, .max = 1 << 20},
    {.name = NULL},
};
static struct cli_verb verb;

static int reset(void **state)
{
    (void)state;
    verb = (struct cli_verb){.name = "verb", .operands = {.usage = "[SERVERS]"}, .flag_sets = {some, others}};
    return 0;
}

/* Words between blanks; the call points into them. */
static char words[512], *argv[32];

static int parse(const char *line, struct cli_call *call, struct error *err)
{
    char *rest = NULL;
    int argc = 0;
    snprintf(words, sizeof(words), "%s", line);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return args_parse(&verb, argc, argv, call, err);
}

static struct cli_call parsed(const char *line)
{
    struct cli_call call;
    struct error err;
    if (parse(line, &call, &err) < 0)
        fail_msg("\"%s\": %s", line, err.message);
    return call;
}

static void assert_refused(const char *line, const char *message)
{
    struct cli_call call;
    struct error err = {0};
    if (parse(line, &call, &err) == 0)
        fail_msg("\"%s\" was taken", line);
    assert_string_equal(err.message, message);
}

/* ---- the tests ------------------------------------------------------------------------------------------------- */

static void values_in_every_form(void **state)
{
    (void)state;
    static const char *const lines[] = {"--tail 5 -o json", "--tail=5 -ojson", "-n5 --output=json", "-n 5 -o=json",
                                        "--tail 7 -n 5 -o table -o json"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct cli_call call = parsed(lines[i]);
        assert_int_equal(cli_int(&call, "--tail"), 5);
        assert_string_equal(cli_text(&call, "--output"), "json");
        assert_true(cli_given(&call, "--tail"));
        assert_false(cli_given(&call, "--follow"));
        args_done(&call);
    }
    struct cli_call call = parsed("--rate 1.5 --timeout 1.5s --size 4K");
    assert_true(cli_number(&call, "--rate") == 1.5);
    assert_int_equal(cli_duration_ms(&call, "--timeout"), 1500);
    assert_int_equal(cli_size(&call, "--size"), 4096);
    args_done(&call);
}

static void negative_numbers_are_no_flags(void **state)
{
    (void)state;
    struct cli_call call = parsed("-1 -o json -20");
    assert_int_equal(call.operand_count, 2);
    assert_string_equal(call.operands[0], "-1"); /* so that the verb can say which numbers it takes */
    args_done(&call);
    assert_refused("--tail -1", "--tail: \"-1\" is not a whole number from 1 to 100");
}

static void presets_where_nothing_is_given(void **state)
{
    (void)state;
    struct cli_call call = parsed("");
    assert_int_equal(cli_int(&call, "--tail"), 10);
    assert_string_equal(cli_text(&call, "--output"), "table");
    assert_null(cli_text(&call, "--label"));
    assert_true(cli_number(&call, "--rate") == 0);
    assert_false(cli_given(&call, "--tail"));
    args_done(&call);
}

static void switches_in_one_word(void **state)
{
    (void)state;
    struct cli_call call = parsed("-fwn5 1-10");
    assert_true(cli_given(&call, "--follow") && cli_given(&call, "--watch"));
    assert_int_equal(cli_int(&call, "--tail"), 5);
    assert_string_equal(call.operands[0], "1-10");
    args_done(&call);
}

static void operands_anywhere(void **state)
{
    (void)state;
    struct cli_call call = parsed("1 --follow 2-3 -l zone=a -l tier=web -- -4 --watch");
    assert_int_equal(call.operand_count, 4);
    assert_string_equal(call.operands[1], "2-3");
    assert_string_equal(call.operands[2], "-4");
    assert_string_equal(call.operands[3], "--watch");
    assert_false(cli_given(&call, "--watch"));
    assert_string_equal(cli_text_at(&call, "--label", 0), "zone=a");
    assert_string_equal(cli_text_at(&call, "--label", 1), "tier=web");
    assert_null(cli_text_at(&call, "--label", 2));
    args_done(&call);
}

static void unknown_flags(void **state)
{
    (void)state;
    assert_refused("--flolow", "--flolow: unknown flag; did you mean --follow?");
    assert_refused("--colour=red", "--colour: unknown flag; `farmd help verb` lists them");
    assert_refused("-x", "-x: unknown flag; `farmd help verb` lists them");
    assert_refused("-fx", "-fx: unknown flag; `farmd help verb` lists them");
    assert_refused("--servers 3", "--servers: unknown flag; `farmd help verb` lists them");
}

static void bad_values(void **state)
{
    (void)state;
    assert_refused("--tail", "--tail: needs a value: --tail N");
    assert_refused("--tail --follow", "--tail: needs a value: --tail N");
    assert_refused("--follow=yes", "--follow: takes no value");
    assert_refused("--output xml", "--output: \"xml\" is none of table, json");
    static const char *const numbers[] = {"0",   "-1", "101", "1000000000000", "99999999999999999999999",
                                          "1.5", "x",  "NaN"};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        char *line = xasprintf("--tail=%s", numbers[i]);
        char *message = xasprintf("--tail: \"%s\" is not a whole number from 1 to 100", numbers[i]);
        assert_refused(line, message);
        free(line);
        free(message);
    }
    assert_refused("--tail -1", "--tail: \"-1\" is not a whole number from 1 to 100");
    assert_refused("--rate nan", "--rate: \"nan\" is not a number from 0.5 to 1e+06");
    assert_refused("--timeout 5parsecs",
                   "--timeout: \"5parsecs\" is not a duration from 100 ms to 1m; write 250ms, 3s or 5m");
    assert_refused("--timeout 10m", "--timeout: \"10m\" is not a duration from 100 ms to 1m; write 250ms, 3s or 5m");
    assert_refused("--size 2M", "--size: \"2M\" is not a size from 1 KB to 1 MB; write 256M, 1G or bytes");
}

static void how_many_operands(void **state)
{
    (void)state;
    verb.operands = (struct cli_operands){.usage = "SERVERS", .least = 1, .missing = "say which: 7, 1-10,20 or all"};
    assert_refused("", "say which: 7, 1-10,20 or all");
    verb.operands = (struct cli_operands){.usage = "N", .least = 1, .most = 1, .missing = "say how many"};
    assert_refused("1 2", "\"2\": unexpected; it is `farmd verb N`");
    verb.operands = (struct cli_operands){.usage = NULL};
    assert_refused("1", "\"1\": unexpected; `farmd verb` takes flags only, see `farmd help verb`");
    verb.operands = (struct cli_operands){.usage = "FORMAT",
                                          .least = 1,
                                          .most = 1,
                                          .completes = COMPLETES_WORDS,
                                          .words = "bash zsh",
                                          .missing = "which?"};
    assert_refused("csh", "verb: \"csh\" is none of bash, zsh");
    struct cli_call call = parsed("zsh");
    args_done(&call);
}

static void flags_of_the_settings_go_on(void **state)
{
    (void)state;
    verb.takes_settings = true;
    struct cli_call call = parsed("--servers 3 -f --base-port=9000 --access-log --tail 4 --port");
    assert_int_equal(call.settings_argc, 5);
    assert_string_equal(call.settings_argv[1], "3");
    assert_string_equal(call.settings_argv[2], "--base-port=9000");
    assert_string_equal(call.settings_argv[3], "--access-log");
    assert_string_equal(call.settings_argv[4], "--port"); /* whose value is missing, as settings_load will say */
    assert_int_equal(cli_int(&call, "--tail"), 4);
    assert_true(cli_given(&call, "--follow"));
    args_done(&call);
    assert_refused("--server 3", "--server: unknown flag; did you mean --servers?");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(values_in_every_form),
        TEST(presets_where_nothing_is_given),
        TEST(negative_numbers_are_no_flags),
        TEST(switches_in_one_word),
        TEST(operands_anywhere),
        TEST(unknown_flags),
        TEST(bad_values),
        TEST(how_many_operands),
        TEST(flags_of_the_settings_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
