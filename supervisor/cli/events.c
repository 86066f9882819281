/*
 * `farmd events`: what happened to the servers and the farm, and what happens.
 */
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/following.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/selection.h"
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

struct events {
    struct output output;
    bool closed; /* nobody reads the standard output any more */
};

/* Fixed widths and no table: lines that come later stand below those that came before. */
static void append_event(const struct output *output, const cJSON *event, struct buffer *out)
{
    char time[24], name[24];
    bool warning = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(event, "warning"));
    enum paint paint = warning ? PAINT_BAD : PAINT_PLAIN;
    text_format_time(time, view_time(event, "at"));
    output_server_name(event, name);
    buffer_printf(out, "%s  %s%-16s%s  %-11s  ", time, output_paint(output, paint), view_text(event, "reason"),
                  output_unpaint(output, paint), name[0] != '\0' ? name : "farm");
    text_append(out, view_text(event, "message"), SIZE_MAX);
    buffer_append_char(out, '\n');
}

static void append_each(const struct output *output, const cJSON *event, struct buffer *out)
{
    if (!output_is_machine(output)) {
        append_event(output, event, out);
        return;
    }
    output_answer(output, event, NULL, out);
}

static int on_event(const struct client_event *event, void *data)
{
    struct events *events = data;
    struct buffer out = BUFFER_EMPTY;
    if (strcmp(event->name, "lost") == 0)
        fprintf(stderr, "farmd: some events came faster than they could be told, and are gone\n");
    if (strcmp(event->name, "event") != 0)
        return CLIENT_GO_ON;
    append_each(&events->output, event->json, &out);
    int code = output_write(&out, &events->closed);
    buffer_done(&out);
    return code != CLI_DONE || events->closed ? code : CLIENT_GO_ON;
}

static int list(struct events *events, struct client *client, const char *select, const char *target, struct error *err)
{
    struct client_answer answer;
    struct buffer out = BUFFER_EMPTY;
    const cJSON *event, *list;
    int code = client_ask(client, &(struct client_question){.target = target}, &answer, err);
    if (code != CLI_DONE)
        return cli_fail(code, "%s", err->message);
    list = cJSON_GetObjectItemCaseSensitive(answer.json, "events");
    if (output_is_machine(&events->output)) {
        output_answer(&events->output, answer.json, "events", &out);
    } else {
        cJSON_ArrayForEach(event, list) append_event(&events->output, event, &out);
    }
    code = output_write(&out, NULL);
    if (code == CLI_DONE && !(list && list->child) && selection_is_nobody(client, select))
        selection_tell_nobody(select);
    buffer_done(&out);
    client_answer_done(&answer);
    return code;
}

static int show(const struct cli_call *call, struct events *events, struct client *client, const char *select,
                const char *target)
{
    struct error err;
    if (!cli_given(call, "--follow"))
        return list(events, client, select, target, &err);
    int code = following_run(client, target, on_event, events, &err);
    return code == CLI_DONE || code == CLI_INTERRUPTED || events->closed ? code : cli_fail(code, "%s", err.message);
}

static void make_target(const struct cli_call *call, const char *select, struct buffer *target)
{
    bool aged = cli_given(call, "--since"), counted = cli_given(call, "--tail");
    buffer_printf(target, "/api/events?limit=%s", aged && !counted ? "4096" : cli_text(call, "--tail"));
    if (aged)
        buffer_printf(target, "&max_age=%.3f", (double)cli_age_ms(call, "--since") / 1000);
    if (cli_given(call, "--follow"))
        buffer_append_text(target, "&follow=true");
    if (cli_given(call, "--warnings"))
        buffer_append_text(target, "&warnings=true");
    selection_append(target, select);
}

static int run(const struct cli_call *call)
{
    struct events events = {.closed = false};
    struct client *client;
    struct buffer target = BUFFER_EMPTY;
    struct error err;
    char *select = NULL;
    output_init(&events.output, call);
    if (cli_given(call, "--follow") && output_is_machine(&events.output) && events.output.format != OUTPUT_JSONL)
        return cli_fail(CLI_USAGE, "--follow goes with -o table or -o jsonl: the others would never end");
    if (selection_read(call, 0, &select, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    make_target(call, select, &target);
    int code = client_open(call, &client, &err);
    if (code == CLI_DONE) {
        code = show(call, &events, client, select, target.data);
        client_close(client);
    } else {
        cli_fail(code, "%s", err.message);
    }
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
        "and not the farm's own. The last 4,096 are kept.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"events", "the newest 50"},
                                             {"events 7 --since 10m", "all of one server's in ten minutes"},
                                             {"events -f --warnings", "only trouble, as it comes"},
                                             {NULL, NULL}},
    .run = run,
};
