/*
 * `farmd logs`: what servers have printed, and what they print.
 */
#include "core/memory.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/telling.h"
#include "supervisor/cli/frame/text.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_flag flags[] = {
    {.name = "--follow", .letter = 'f', .kind = CLI_SWITCH, .help = "go on with what is written, until Ctrl-C"},
    {.name = "--tail",
     .letter = 'n',
     .kind = CLI_INT,
     .argument = "N",
     .min = 0,
     .max = 10000,
     .help = "the last N lines of each (100, or 10 each of several)"},
    {.name = "--since",
     .kind = CLI_AGE,
     .argument = "TIME",
     .min = 0,
     .max = 31536000000.0,
     .help = "only what is younger than this, such as 30s, 5m, 2h, or since then: 14:05, 2026-11-23T14:05"},
    {.name = "--timestamps", .letter = 't', .kind = CLI_SWITCH, .help = "the time before each line, to about a second"},
    {.name = NULL},
};

struct logs {
    struct telling telling; /* first: it is what the frame hands back */
    bool timestamps;
    bool several;  /* of more than one server, perhaps: each line says whose it is */
    size_t widest; /* name so far */
};

static enum paint paint_of(int server_id)
{
    static const enum paint paints[] = {PAINT_CYAN, PAINT_MAGENTA, PAINT_BLUE, PAINT_STRONG};
    return paints[server_id % (int)ARRAY_SIZE(paints)];
}

static void append_line(struct telling *telling, const cJSON *line, struct buffer *out)
{
    char name[24], time[24];
    struct logs *logs = (struct logs *)telling;
    const struct output *output = &telling->output;
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(line, "text");
    if (logs->several) {
        output_server_name(line, name);
        logs->widest = strlen(name) > logs->widest ? strlen(name) : logs->widest;
        enum paint paint = paint_of((int)view_number(line, "server_id", 0));
        buffer_printf(out, "%s%-*s |%s ", output_paint(output, paint), (int)logs->widest, name,
                      output_unpaint(output, paint));
    }
    if (logs->timestamps) {
        text_format_time(time, view_time(line, "at"));
        buffer_printf(out, "%s%s%s ", output_paint(output, PAINT_FAINT), time, output_unpaint(output, PAINT_FAINT));
    }
    buffer_append_text(out, cJSON_IsString(text) ? text->valuestring : "");
    buffer_append_char(out, '\n');
}

static int on_event(const struct client_event *event, void *data)
{
    struct telling *telling = data;
    if (strcmp(event->name, "lines") != 0)
        return CLIENT_GO_ON;
    int code = telling_print(telling, event->json);
    return code != CLI_DONE || telling->closed ? code : CLIENT_GO_ON;
}

static void make_target(const struct cli_call *call, struct buffer *target)
{
    buffer_append_text(target, "/api/logs?");
    if (cli_given(call, "--follow"))
        buffer_append_text(target, "follow=true&");
    if (cli_given(call, "--tail"))
        buffer_printf(target, "tail=%s&", cli_text(call, "--tail"));
    if (cli_given(call, "--since"))
        buffer_printf(target, "max_age=%.3f&", (double)cli_age_ms(call, "--since") / 1000);
}

/* "7" is one server; anything else may be several. */
static bool is_one(const char *select)
{
    if (!select)
        return false;
    if (strncmp(select, "server-", 7) == 0)
        select += 7;
    return strspn(select, "0123456789") == strlen(select);
}

static int run(const struct cli_call *call)
{
    struct logs logs = {
        .telling = {.key = "lines", .on_event = on_event, .append = append_line},
        .timestamps = cli_given(call, "--timestamps"),
    };
    struct buffer target = BUFFER_EMPTY;
    char *select = NULL;
    int code = telling_open(call, &logs.telling, &select);
    if (code != CLI_DONE)
        return code;
    logs.several = !is_one(select);
    make_target(call, &target);
    code = telling_run(call, &logs.telling, &target, select);
    buffer_done(&target);
    free(select);
    return code;
}

const struct cli_verb verb_logs = {
    .name = "logs",
    .section = SECTION_LOOK,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {flags, selection_flags, output_flags, client_flags},
    .summary = "what servers have printed; -f goes on with it",
    .details =
        "The output and errors of the servers' programs, of several in the order of time. Lines that were printed "
        "before this farmd began have the time of the last of them. About 3 MB of each server are "
        "kept.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"logs 7", "the last 100 lines of one"},
                                             {"logs 1-3 -f", "three of them, as they print"},
                                             {"logs all --since 1m -t", "everything of the last minute"},
                                             {NULL, NULL}},
    .run = run,
};
