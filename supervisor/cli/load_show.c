/*
 * `farmd load show` and `farmd load cancel`: one load test, by its id.
 */
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/deliver.h"
#include "supervisor/cli/load/farm_run.h"
#include "supervisor/cli/load/run_source.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <string.h>

static int print(const struct cli_call *call, const cJSON *run)
{
    struct page_file page;
    struct error err;

    if (page_file_open(cli_text(call, "--html"), &page, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    if (load_is_for_people(call))
        load_print_headline(cJSON_GetObjectItemCaseSensitive(run, "plan"));
    int code = load_deliver(call, &page, run);
    page_file_done(&page);
    return code;
}

static int show(const struct cli_call *call)
{
    struct client *client = NULL;
    cJSON *run = NULL, *ended = NULL;
    struct error err;

    int code = run_source_read(call, call->operands[0], &client, &run, &err);
    if (code != CLI_DONE)
        cli_fail(code, "%s", err.message);
    else if (strcmp(view_text(run, "status"), "running") == 0)
        code = farm_run_watch(client, run, !load_is_for_people(call), false, &ended);
    if (code == CLI_DONE)
        code = print(call, ended ? ended : run);
    if (code == CLI_DONE)
        code = load_verdict(ended ? ended : run);
    client_close(client);
    cJSON_Delete(run);
    cJSON_Delete(ended);
    return code;
}

const struct cli_verb verb_load_show = {
    .name = "load show",
    .section = SECTION_LOAD,
    .operands = {.usage = "RUN", .least = 1, .most = 1, .missing = "say which: `farmd load list` has the ids"},
    .flag_sets = {load_output_flags, client_flags},
    .summary = "the report of a load test; of one that runs, when it has ended",
    .details = RUN_SOURCE_HELP "\n\nThe exit code is that of the run: 1 when a threshold does not hold or nothing "
                               "answered. Ctrl-C ends the watching of one that runs, not the test.",
    .examples = (const struct cli_example[]){{"load show mx3bgw1h", "how it went"},
                                             {"load show run.json --html run.html", "a page with plots of it"},
                                             {NULL, NULL}},
    .run = show,
};

static int cancel(const struct cli_call *call)
{
    struct client *client = NULL;
    cJSON *ended = NULL;
    struct error err;

    int code = client_open(call, &client, &err);
    if (code == CLI_DONE)
        code = farm_run_cancel(client, call->operands[0], &ended, &err);
    if (code == CLI_DONE)
        code = print(call, ended);
    else
        cli_fail(code, "%s", err.message);
    client_close(client);
    cJSON_Delete(ended);
    return code;
}

const struct cli_verb verb_load_cancel = {
    .name = "load cancel",
    .section = SECTION_LOAD,
    .operands = {.usage = "ID", .least = 1, .most = 1, .missing = "say which: `farmd load list` has the ids"},
    .flag_sets = {load_output_flags, client_flags},
    .summary = "end a load test before its time",
    .details = "Prints the report of what was done. One that has ended already stays as it is.",
    .examples = (const struct cli_example[]){{"load cancel mx3bgw1h", "whoever has begun it"}, {NULL, NULL}},
    .run = cancel,
};
