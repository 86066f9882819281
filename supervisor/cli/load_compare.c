/*
 * `farmd load compare`: what changed between two load runs, and whether it is more than noise.
 */
#include "core/json.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/compare_text.h"
#include "supervisor/cli/load/run_source.h"
#include "supervisor/cli/verbs.h"
#include "supervisor/load/compare.h"

#include <cjson/cJSON.h>
#include <string.h>

static const struct cli_flag flags[] = {
    {.name = "--output",
     .letter = 'o',
     .kind = CLI_WORD,
     .argument = "FORMAT",
     .words = "table json yaml",
     .preset = "table",
     .help = "table, json or yaml (with the scatter of the seconds)"},
    {.name = "--no-headers", .kind = CLI_SWITCH, .help = "a table without headings"},
    {.name = NULL},
};

/* NULL with -EINVAL in `err`. */
static cJSON *compare(const cJSON *const runs[2], struct error *err)
{
    struct buffer text = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&text);
    cJSON *comparison = NULL;

    if (load_compare(runs[0], runs[1], &w, err) == 0)
        comparison = cJSON_ParseWithLength(text.data, text.length);
    buffer_done(&text);
    return comparison;
}

static int print(const struct cli_call *call, const cJSON *comparison, const cJSON *const runs[2])
{
    struct buffer out = BUFFER_EMPTY;
    struct output output;

    output_init(&output, call);
    if (output_is_machine(&output))
        output_answer(&output, comparison, NULL, &out);
    else
        load_compare_text(&output, comparison, runs, (const char *const *)call->operands, &out);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

static int compare_and_print(const struct cli_call *call, const cJSON *const runs[2])
{
    struct error err;
    cJSON *comparison = compare(runs, &err);

    if (!comparison)
        return cli_fail(CLI_USAGE, "%s", err.message);
    int code = print(call, comparison, runs);
    const char *verdict = view_text(comparison, "verdict");
    if (code == CLI_DONE && (strcmp(verdict, "worse") == 0 || strcmp(verdict, "mixed") == 0))
        code = CLI_FAILED;
    cJSON_Delete(comparison);
    return code;
}

static int run(const struct cli_call *call)
{
    cJSON *runs[2] = {NULL, NULL};
    struct client *client = NULL;
    struct error err;
    int code = CLI_DONE;

    for (size_t i = 0; i < 2 && code == CLI_DONE; i++)
        code = run_source_read(call, call->operands[i], &client, &runs[i], &err);
    if (code != CLI_DONE)
        cli_fail(code, "%s", err.message);
    else
        code = compare_and_print(call, (const cJSON *const *)runs);
    client_close(client);
    cJSON_Delete(runs[0]);
    cJSON_Delete(runs[1]);
    return code;
}

const struct cli_verb verb_load_compare = {
    .name = "load compare",
    .section = SECTION_LOAD,
    .operands = {.usage = "RUN RUN",
                 .least = 2,
                 .most = 2,
                 .missing = "say which two: ids of `farmd load list`, or files that -o json wrote"},
    .flag_sets = {flags, client_flags},
    .summary = "what changed between two load tests, and whether it is more than noise",
    .details =
        "A is the first, B the second, and the verdict is of B. " RUN_SOURCE_HELP
        "\n\nA metric is better or worse when the seconds of the two runs differ by more than they scatter, and by "
        "so much that it matters: 5% of the rate and of p50 and p90, 10% of p99. \"unclear\" is what rests on a few "
        "seconds or scatters too much; below 8 whole seconds nothing is said. Run A twice and compare these two to "
        "learn how much this machine changes by itself. docs/load-testing.md tells more.\n\n"
        "Exit code 1: something has become worse.",
    .examples = (const struct cli_example[]){{"load compare before.json after.json", "two files"},
                                             {"load compare mx3bgw1h mx3bi0aa", "two that the farm keeps"},
                                             {NULL, NULL}},
    .run = run,
};
