/*
 * `farmd help`.
 */
#include "supervisor/cli/frame/help.h"

#include "supervisor/cli/frame/manual.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/verbs.h"

#include <string.h>

static const struct cli_flag flags[] = {
    {.name = "--format",
     .kind = CLI_WORD,
     .argument = "FORMAT",
     .words = "text markdown man",
     .preset = "text",
     .help = "all of it as the documents that come with farmd: docs/cli.md, or the commands' part of farmd(1)"},
    {.name = NULL},
};

static int run(const struct cli_call *call)
{
    struct buffer out = BUFFER_EMPTY;
    const char *format = cli_text(call, "--format");
    if (strcmp(format, "text") == 0)
        return help_show(call->operands, (int)call->operand_count);
    if (strcmp(format, "markdown") == 0)
        manual_markdown(&out);
    else
        manual_man(&out);
    int code = output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

const struct cli_verb verb_help = {
    .name = "help",
    .section = SECTION_MORE,
    .operands = {.usage = "[COMMAND]", .most = 2, .completes = COMPLETES_VERBS},
    .flag_sets = {flags},
    .summary = "this page, or the page of a command",
    .details =
        "Without a command: all of them. `farmd COMMAND --help` shows the same page as `farmd help COMMAND`. The "
        "topics selectors, output, exit-codes and environment tell what holds for every command.",
    .examples = (const struct cli_example[]){{"help ps", "all of a command"},
                                             {"help selectors", "how to say which servers are meant"},
                                             {NULL, NULL}},
    .run = run,
};
