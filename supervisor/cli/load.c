/*
 * `farmd load`: how much servers bear and how fast they answer, with a verdict.
 */
#include "core/memory.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/load/deliver.h"
#include "supervisor/cli/load/local.h"
#include "supervisor/cli/load/options.h"
#include "supervisor/cli/load/text.h"
#include "supervisor/cli/load/url.h"
#include "supervisor/cli/verbs.h"
#include "supervisor/load/report.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

/* Says what is about to happen, before it does. */
static void print_headline(const struct load_plan *plan)
{
    struct buffer text = BUFFER_EMPTY, out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&text);

    report_plan(&w, plan);
    cJSON *json = cJSON_ParseWithLength(text.data, text.length);
    load_text_headline(json, &out);
    output_write(&out, NULL);
    cJSON_Delete(json);
    buffer_done(&text);
    buffer_done(&out);
}

static int load_targets(const struct cli_call *call, const struct load_plan *plan)
{
    struct page_file page;
    struct error err;
    cJSON *run = NULL;

    if (load_local_check(plan, &err) < 0 || page_file_open(cli_text(call, "--html"), &page, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    if (load_is_for_people(call))
        print_headline(plan);
    int code = load_local_run(plan, !load_is_for_people(call), &run);
    if (run && load_deliver(call, &page, run) != CLI_DONE)
        code = CLI_FAILED;
    else if (run && code == CLI_DONE)
        code = load_verdict(run);
    page_file_done(&page);
    cJSON_Delete(run);
    return code;
}

static int load_urls(const struct cli_call *call, struct load_options *options)
{
    struct load_plan *plan = &options->plan;
    struct load_urls urls;
    struct error err;

    int code = load_urls_read(call->operands, call->operand_count, cli_given(call, "--allow-remote"), &urls, &err);
    if (code == 0 && urls.path && cli_given(call, "--path"))
        code = error_set(&err, EINVAL, "--path: the URL has a path already");
    if (code < 0) {
        code = cli_fail(CLI_USAGE, "%s", err.message);
    } else {
        plan->targets = urls.targets;
        plan->target_count = urls.count;
        plan->path = urls.path ? urls.path : plan->path;
        code = load_targets(call, plan);
    }
    load_urls_done(&urls);
    return code;
}

static int run(const struct cli_call *call)
{
    struct load_options options;
    struct error err;

    int code = load_options_read(call, &options, &err);
    if (code < 0)
        code = cli_fail(CLI_USAGE, "%s", err.message);
    else
        code = load_urls(call, &options);
    load_options_done(&options);
    return code;
}

const struct cli_verb verb_load = {
    .name = "load",
    .section = SECTION_LOAD,
    .operands = {.usage = "URL...", .least = 1, .missing = "say what to load: http://localhost:8001/"},
    .flag_sets = {load_plan_flags, load_output_flags, load_remote_flags},
    .summary = "send requests to servers, and report how fast and how well they answer",
    .details =
        "URLs are servers on this machine, others with --allow-remote; no farm is needed.\n\n"
        "Closed model: -c connections to each target, each as fast as it is answered. Open model (--rate, --stages): "
        "requests leave at the instants of a schedule, whatever is answered, and their latency counts from those "
        "instants; a server that stalls cannot hide it.\n\n"
        "Exit code 1: a threshold does not hold, or nothing answered; 130: stopped by Ctrl-C, with a report of what "
        "was "
        "done. docs/load-testing.md explains what the figures mean.",
    .examples = (const struct cli_example[]){{"load http://localhost:8001/ -c 64 -d 10s", "how much one server bears"},
                                             {"load http://localhost:8001/ -r 5000 --threshold 'p99<10ms'",
                                              "whether it answers in time at 5,000 requests a second"},
                                             {"load http://localhost:{8001,8002}/ --stages 10s@1000,30s@5000",
                                              "two servers, and more and more"},
                                             {NULL, NULL}},
    .run = run,
};
