/*
 * See deliver.h.
 */
#include "supervisor/cli/load/deliver.h"

#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/render.h"
#include "supervisor/cli/load/csv.h"
#include "supervisor/cli/load/html.h"
#include "supervisor/cli/load/text.h"

#include <cjson/cJSON.h>
#include <string.h>

const struct cli_flag load_output_flags[] = {
    {.name = "--output",
     .letter = 'o',
     .kind = CLI_WORD,
     .argument = "FORMAT",
     .words = "text wide json yaml csv",
     .preset = "text",
     .help = "text, wide (with every target), json or yaml (the whole report), csv (a row per target)"},
    {.name = "--html",
     .kind = CLI_TEXT,
     .argument = "FILE",
     .help = "write the report as a page with plots into this file, too"},
    {.name = NULL},
};

static bool is_format(const struct cli_call *call, const char *format)
{
    return strcmp(cli_text(call, "--output"), format) == 0;
}

bool load_is_for_people(const struct cli_call *call)
{
    return is_format(call, "text") || is_format(call, "wide");
}

int load_verdict(const cJSON *run)
{
    const cJSON *result = cJSON_GetObjectItemCaseSensitive(run, "result");
    const cJSON *answered = cJSON_GetObjectItemCaseSensitive(result, "answered");
    bool passed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "passed"));

    return passed && cJSON_IsNumber(answered) && answered->valuedouble > 0 ? CLI_DONE : CLI_FAILED;
}

int load_print_headline(const cJSON *plan)
{
    struct buffer out = BUFFER_EMPTY;

    load_text_headline(plan, &out);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

static int print_report(const struct cli_call *call, const cJSON *run)
{
    struct buffer out = BUFFER_EMPTY;
    struct output output = {.headers = true};

    output_look(&output);
    if (is_format(call, "json"))
        render_json(&out, run);
    else if (is_format(call, "yaml"))
        render_yaml(&out, run);
    else if (is_format(call, "csv"))
        load_csv_report(run, &out);
    else
        load_text_report(&output, is_format(call, "wide"), run, &out);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

static int write_page(struct page_file *page, const cJSON *run)
{
    struct buffer out = BUFFER_EMPTY;
    struct error err;

    load_html_report(run, &out);
    int rc = page_file_write(page, &out, &err);
    buffer_done(&out);
    return rc < 0 ? cli_fail(CLI_FAILED, "%s", err.message) : CLI_DONE;
}

int load_deliver(const struct cli_call *call, struct page_file *page, const cJSON *run)
{
    int code = print_report(call, run);

    if (page->path && write_page(page, run) != CLI_DONE)
        code = CLI_FAILED;
    return code;
}
