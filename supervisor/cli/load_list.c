/*
 * `farmd load list`: the load tests that the farm knows of.
 */
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/table.h"
#include "supervisor/cli/frame/text.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/farm_run.h"
#include "supervisor/cli/load/text.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_COLUMNS 12 /* to which a name may be cut */

static const struct cli_flag flags[] = {
    {.name = "--limit",
     .letter = 'n',
     .kind = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 1000,
     .preset = "50",
     .help = "the newest so many"},
    {.name = "--output",
     .letter = 'o',
     .kind = CLI_WORD,
     .argument = "FORMAT",
     .words = "table wide json jsonl yaml",
     .preset = "table",
     .help = "table, wide (more columns), json (the API's answer), jsonl (an entry a line), yaml"},
    {.name = "--no-headers", .kind = CLI_SWITCH, .help = "rows only, without headings"},
    {.name = NULL},
};

static const struct table_column COLUMNS[] = {
    {.title = "ID"},
    {.title = "STARTED"},
    {.title = "STATUS"},
    {.title = "MODEL", .dispensable = 3},
    {.title = "SERVERS", .right = true, .dispensable = 2},
    {.title = "TIME", .right = true, .dispensable = 4},
    {.title = "ANSWERED", .right = true, .dispensable = 1},
    {.title = "FAILED", .right = true},
    {.title = "RATE/S", .right = true},
    {.title = "P50", .right = true, .wide = true},
    {.title = "P99 MS", .right = true},
    {.title = "NAME", .least = NAME_COLUMNS},
};

static void append_status(struct table *table, const cJSON *test)
{
    const cJSON *passed = cJSON_GetObjectItemCaseSensitive(test, "passed");
    bool missed = cJSON_IsFalse(passed);

    table_cell(table, missed ? PAINT_BAD : PAINT_PLAIN, "%s", missed ? "missed" : view_text(test, "status"));
}

static void append_test(struct table *table, const cJSON *test)
{
    char time[24], length[24], text[LOAD_TEXT];
    double failed = view_number(test, "failed", 0);
    bool answered = view_number(test, "answered", 0) > 0;

    text_format_time(time, view_time(test, "started_at"));
    units_format_duration(length, llround(view_number(test, "seconds", 0) * 1000));
    table_cell(table, PAINT_STRONG, "%s", view_text(test, "id"));
    table_cell(table, PAINT_PLAIN, "%s", time);
    append_status(table, test);
    table_cell(table, PAINT_PLAIN, "%s", view_text(test, "model"));
    table_cell(table, PAINT_PLAIN, "%.0f", view_number(test, "servers", 0));
    table_cell(table, PAINT_PLAIN, "%s", length);
    table_cell(table, PAINT_PLAIN, "%s", load_text_count(view_number(test, "answered", 0), text));
    table_cell(table, failed > 0 ? PAINT_BAD : PAINT_PLAIN, "%s", load_text_count(failed, text));
    table_cell(table, PAINT_PLAIN, "%s", load_text_count(view_number(test, "achieved_rate", 0), text));
    table_cell(table, PAINT_PLAIN, "%s", answered ? load_text_ms(view_number(test, "p50_us", 0), text) : "-");
    table_cell(table, PAINT_PLAIN, "%s", answered ? load_text_ms(view_number(test, "p99_us", 0), text) : "-");
    table_cell(table, PAINT_FAINT, "%s", view_text(test, "name"));
}

static int print(const struct cli_call *call, const cJSON *answer)
{
    const cJSON *tests = cJSON_GetObjectItemCaseSensitive(answer, "load_tests"), *test;
    struct buffer out = BUFFER_EMPTY;
    struct output output;

    output_init(&output, call);
    if (output_is_machine(&output)) {
        output_answer(&output, answer, "load_tests", &out);
    } else if (cJSON_GetArraySize(tests) == 0) {
        fprintf(stderr, "farmd: there was no load test yet; farmd load all -d 10s\n");
    } else {
        struct table *table = table_new(COLUMNS, ARRAY_SIZE(COLUMNS));
        cJSON_ArrayForEach(test, tests) append_test(table, test);
        table_append(table, &output, &out);
        table_free(table);
    }
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

static int run(const struct cli_call *call)
{
    char target[64];
    const struct client_question question = {.target = target};
    struct client_answer answer;
    struct client *client = NULL;
    struct error err;

    snprintf(target, sizeof(target), LOAD_TESTS "?limit=%d", (int)cli_int(call, "--limit"));
    int code = client_open(call, &client, &err);
    if (code == CLI_DONE)
        code = client_ask(client, &question, &answer, &err);
    if (code == CLI_DONE) {
        code = print(call, answer.json);
        client_answer_done(&answer);
    } else {
        cli_fail(code, "%s", err.message);
    }
    client_close(client);
    return code;
}

const struct cli_verb verb_load_list = {
    .name = "load list",
    .section = SECTION_LOAD,
    .flag_sets = {flags, client_flags},
    .summary = "the farm's load tests, the newest first",
    .details = "Those that run and those that have ended. \"missed\": a threshold did not hold, or was not to be told.",
    .examples = (const struct cli_example[]){{"load list -n 5", "the last five"}, {NULL, NULL}},
    .run = run,
};
