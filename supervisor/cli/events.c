/*
 * `farmd events`: what happened to the servers and the farm, and what happens.
 */
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
    {.name = "--follow", .letter = 'f', .kind = CLI_SWITCH, .help = "go on with what happens, until Ctrl-C"},
    {.name = "--tail",
     .letter = 'n',
     .kind = CLI_INT,
     .argument = "N",
     .min = 0,
     .max = 4096,
     .preset = "50",
     .help = "the newest N"},
    {.name = "--since",
     .kind = CLI_AGE,
     .argument = "TIME",
     .min = 0,
     .max = 31536000000.0,
     .help = "only what is younger than this, and all of it: 30s, 5m, 2h, or since then: 14:05, 2026-11-23T14:05"},
    {.name = "--warnings", .kind = CLI_SWITCH, .help = "only what should not have happened"},
    {.name = NULL},
};

/* Fixed widths and no table: lines that come later stand below those that came before. */
static void append_event(struct telling *telling, const cJSON *event, struct buffer *out)
{
    char time[24], name[24];
    const struct output *output = &telling->output;
    bool warning = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(event, "warning"));
    enum paint paint = warning ? PAINT_BAD : PAINT_PLAIN;
    text_format_time(time, view_time(event, "at"));
    output_server_name(event, name);
    buffer_printf(out, "%s  %s%-16s%s  %-11s  ", time, output_paint(output, paint), view_text(event, "reason"),
                  output_unpaint(output, paint), name[0] != '\0' ? name : "farm");
    text_append(out, view_text(event, "message"), SIZE_MAX);
    buffer_append_char(out, '\n');
}

static int on_event(const struct client_event *event, void *data)
{
    struct telling *telling = data;
    struct buffer out = BUFFER_EMPTY;
    if (strcmp(event->name, "lost") == 0)
        fprintf(stderr, "farmd: some events came faster than they could be told, and are gone\n");
    if (strcmp(event->name, "event") != 0)
        return CLIENT_GO_ON;
    if (output_is_machine(&telling->output))
        output_answer(&telling->output, event->json, NULL, &out);
    else
        append_event(telling, event->json, &out);
    int code = output_write(&out, &telling->closed);
    buffer_done(&out);
    return code != CLI_DONE || telling->closed ? code : CLIENT_GO_ON;
}

static void make_target(const struct cli_call *call, struct buffer *target)
{
    bool aged = cli_given(call, "--since"), counted = cli_given(call, "--tail");
    buffer_printf(target, "/api/events?limit=%s", aged && !counted ? "4096" : cli_text(call, "--tail"));
    if (aged)
        buffer_printf(target, "&max_age=%.3f", (double)cli_age_ms(call, "--since") / 1000);
    if (cli_given(call, "--follow"))
        buffer_append_text(target, "&follow=true");
    if (cli_given(call, "--warnings"))
        buffer_append_text(target, "&warnings=true");
}

static int run(const struct cli_call *call)
{
    struct telling telling = {.key = "events", .on_event = on_event, .append = append_event};
    struct buffer target = BUFFER_EMPTY;
    char *select = NULL;
    int code = telling_open(call, &telling, &select);
    if (code != CLI_DONE)
        return code;
    make_target(call, &target);
    code = telling_run(call, &telling, &target, select);
    buffer_done(&target);
    free(select);
    return code;
}

const struct cli_verb verb_events = {
    .name = "events",
    .section = SECTION_LOOK,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {flags, selection_flags, output_flags, client_flags},
    .summary = "what happened to the servers and the farm; -f goes on with it",
    .details =
        "Oldest first: the time, a word for what happened, whom it happened to, a sentence. With SERVERS only theirs, "
        "and not the farm's own. They outlive farmd: up to 100,000 of the last 30 days are kept.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"events", "the newest 50"},
                                             {"events 7 --since 10m", "all of one server's in ten minutes"},
                                             {"events -f --warnings", "only trouble, as it comes"},
                                             {NULL, NULL}},
    .run = run,
};
