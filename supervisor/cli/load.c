/*
 * `farmd load`: how much servers bear and how fast they answer, with a verdict.
 */
#include "core/memory.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/load/deliver.h"
#include "supervisor/cli/load/farm_body.h"
#include "supervisor/cli/load/farm_run.h"
#include "supervisor/cli/load/local.h"
#include "supervisor/cli/load/options.h"
#include "supervisor/cli/load/text.h"
#include "supervisor/cli/load/url.h"
#include "supervisor/cli/verbs.h"
#include "supervisor/farm/selector.h"
#include "supervisor/load/report.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LEFT_OUT_SHOWN 10

/* Says what is about to happen, before it does. */
static int print_headline_of(const struct load_plan *plan)
{
    struct buffer text = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&text);

    report_plan(&w, plan);
    cJSON *json = cJSON_ParseWithLength(text.data, text.length);
    int code = load_print_headline(json);
    cJSON_Delete(json);
    buffer_done(&text);
    return code;
}

/* --- by this process --- */

static int load_targets(const struct cli_call *call, const struct load_plan *plan)
{
    struct page_file page;
    struct error err;
    cJSON *run = NULL;

    if (load_local_check(plan, &err) < 0 || page_file_open(cli_text(call, "--html"), &page, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    if (load_is_for_people(call))
        print_headline_of(plan);
    int code = load_local_run(plan, !load_is_for_people(call), &run);
    if (run && cli_given(call, "--name"))
        cJSON_AddStringToObject(run, "name", cli_text(call, "--name"));
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

/* --- by the farm --- */

static bool is_filter(const char *select)
{
    struct selector *selector = NULL;
    struct error ignored;

    bool filter = select && selector_parse(select, &selector, &ignored) == 0 && selector_is_filter(selector);
    selector_free(selector);
    return filter;
}

/* Whether there is anything to load: a filter that no server meets is no mistake, and only to be asked for first. */
static int find_some(struct client *client, const char *select, bool *some, struct error *err)
{
    struct buffer target = BUFFER_EMPTY;
    struct client_answer answer;

    *some = true;
    if (!is_filter(select))
        return CLI_DONE;
    buffer_append_text(&target, "/api/servers");
    selection_append(&target, select);
    const struct client_question question = {.target = target.data};
    int code = client_ask(client, &question, &answer, err);
    buffer_done(&target);
    if (code != CLI_DONE)
        return code;
    *some = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(answer.json, "servers")) > 0;
    client_answer_done(&answer);
    return CLI_DONE;
}

/* Servers that were chosen and do not run are not loaded: who counts on them should hear of it. */
static void tell_left_out(const cJSON *test)
{
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(test, "not_running"), *id;
    struct buffer names = BUFFER_EMPTY;
    int count = cJSON_GetArraySize(ids), shown = 0;

    cJSON_ArrayForEach(id, ids)
    {
        if (shown++ < LEFT_OUT_SHOWN)
            buffer_printf(&names, "%sserver-%d", names.length > 0 ? ", " : "", id->valueint);
    }
    if (count > LEFT_OUT_SHOWN)
        buffer_printf(&names, " and %d more", count - LEFT_OUT_SHOWN);
    if (count > 0)
        fprintf(stderr, "farmd: not loaded, for %s not run: %s\n", count == 1 ? "it does" : "they do", names.data);
    buffer_done(&names);
}

static int watch(const struct cli_call *call, struct client *client, struct page_file *page, const cJSON *test)
{
    cJSON *ended = NULL;
    bool people = load_is_for_people(call);

    tell_left_out(test);
    if (people)
        load_print_headline(cJSON_GetObjectItemCaseSensitive(test, "plan"));
    int code = farm_run_watch(client, test, !people, true, &ended);
    bool cut = code == CLI_DONE && strcmp(view_text(ended, "status"), "cancelled") == 0;
    if (ended && load_deliver(call, page, ended) != CLI_DONE)
        code = CLI_FAILED;
    else if (cut)
        code = cli_fail(CLI_FAILED, "load test %s was ended before its time, by somebody else or with the farm",
                        view_text(ended, "id"));
    else if (ended && code == CLI_DONE)
        code = load_verdict(ended);
    cJSON_Delete(ended);
    return code;
}

static int begin_and_watch(const struct cli_call *call, struct client *client, const char *select, cJSON *body)
{
    struct page_file page;
    cJSON *test = NULL;
    struct error err;
    bool some;

    if (page_file_open(cli_text(call, "--html"), &page, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    int code = find_some(client, select, &some, &err);
    if (code == CLI_DONE && some)
        code = farm_run_begin(client, body, &test, &err);
    if (code != CLI_DONE)
        cli_fail(code, "%s", err.message);
    else if (!some)
        fprintf(stderr, "farmd: no server is %s; nothing was loaded\n", select);
    else
        code = watch(call, client, &page, test);
    page_file_done(&page);
    cJSON_Delete(test);
    return code;
}

static int load_servers(const struct cli_call *call, const struct load_options *options)
{
    cleanup_free char *select = NULL;
    struct client *client = NULL;
    cJSON *body = NULL;
    struct error err;

    if (cli_given(call, "--allow-remote"))
        return cli_fail(CLI_USAGE, "--allow-remote: is for URLs; a farm loads only its own servers");
    if (selection_read(call, 0, &select, &err) < 0 || !(body = load_farm_body(call, options, select, &err)))
        return cli_fail(CLI_USAGE, "%s", err.message);
    int code = client_open(call, &client, &err);
    if (code == CLI_DONE)
        code = begin_and_watch(call, client, select, body);
    else
        cli_fail(code, "%s", err.message);
    client_close(client);
    cJSON_Delete(body);
    return code;
}

/* --- the choice --- */

static int load(const struct cli_call *call, struct load_options *options)
{
    bool urls = false;

    for (size_t i = 0; i < call->operand_count; i++)
        urls = urls || load_url_is_one(call->operands[i]);
    if (urls && (cli_given(call, "--label") || cli_given(call, "--api")))
        return cli_fail(CLI_USAGE, "%s: is for servers of a farm, not for URLs",
                        cli_given(call, "--label") ? "--label" : "--api");
    if (call->operand_count == 0 && !cli_given(call, "--label"))
        return cli_fail(CLI_USAGE, "say what to load: servers of the farm (1-10, all), or http://localhost:8001/");
    return urls ? load_urls(call, options) : load_servers(call, options);
}

static int run(const struct cli_call *call)
{
    struct load_options options;
    struct error err;

    int code = load_options_read(call, &options, &err);
    if (code < 0)
        code = cli_fail(CLI_USAGE, "%s", err.message);
    else
        code = load(call, &options);
    load_options_done(&options);
    return code;
}

const struct cli_verb verb_load = {
    .name = "load",
    .section = SECTION_LOAD,
    .operands = {.usage = "SERVERS|URL...", .completes = COMPLETES_SERVERS},
    .flag_sets = {load_plan_flags, load_output_flags, load_run_flags, selection_flags, client_flags},
    .summary = "send requests to servers, and report how fast and how well they answer",
    .details =
        "SERVERS of the running farm are loaded by farmd itself, which keeps the report (`farmd load list`). URLs are "
        "loaded by this command, and no farm is needed: servers on this machine, others with --allow-remote.\n\n"
        "Closed model: -c connections to each target, each as fast as it is answered. Open model (--rate, --stages): "
        "requests leave at the instants of a schedule, whatever is answered, and their latency counts from those "
        "instants; a server that stalls cannot hide it.\n\n"
        "Exit code 1: a threshold does not hold, or nothing answered; 130: stopped by Ctrl-C, with a report of what "
        "was done. docs/load-testing.md explains what the figures mean.",
    .examples = (const struct cli_example[]){{"load 1-10 -c 20 -d 10s", "how much ten servers of the farm bear"},
                                             {"load all -r 5000 --threshold 'p99<10ms' --html report.html",
                                              "whether all answer in time at 5,000 requests a second, with plots"},
                                             {"load http://localhost:8001/ -c 64 -d 10s", "any server, without a farm"},
                                             {"load http://localhost:{8001,8002}/ --stages 10s@1000,30s@5000",
                                              "two servers, and more and more"},
                                             {NULL, NULL}},
    .run = run,
};
