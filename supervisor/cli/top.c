/*
 * `farmd top`: the farm on a full screen, and what can be done to it.
 */
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/top/app.h"
#include "supervisor/cli/top/terminal.h"
#include "supervisor/cli/verbs.h"

#include "core/buffer.h"
#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SORT_WORDS "id state health cpu throttled memory requests p99 restarts up"

static const struct cli_flag flags[] = {
    {.name = "--sort",
     .letter = 's',
     .kind = CLI_WORD,
     .argument = "COLUMN",
     .words = SORT_WORDS,
     .preset = "state",
     .help =
         "what comes first: the most of id (the lowest), state (what needs a person), health, cpu, throttled, memory, "
         "requests, p99, restarts or up"},
    {.name = NULL},
};

static enum model_sort sort_of(const char *word)
{
    static const char *const words[] = {
        [SORT_ID] = "id",
        [SORT_STATE] = "state",
        [SORT_HEALTH] = "health",
        [SORT_CPU] = "cpu",
        [SORT_THROTTLED] = "throttled",
        [SORT_MEMORY] = "memory",
        [SORT_RATE] = "requests",
        [SORT_P99] = "p99",
        [SORT_RESTARTS] = "restarts",
        [SORT_UP] = "up",
    };
    enum model_sort sort = SORT_ID;
    while (sort < SORT_UP && strcmp(words[sort], word) != 0)
        sort++;
    return sort;
}

/* Asked before the screen is taken, so that a farm that is not there, or a selector that it does not know, is told as by
 * every other verb, and the screen is full from the first moment. */
static int ask_first(const struct cli_call *call, const char *select, struct snapshot **first, struct error *err)
{
    struct client *client;
    struct client_answer answer;
    struct buffer target = BUFFER_EMPTY;
    int code = client_open(call, &client, err);
    if (code != CLI_DONE)
        return code;
    buffer_append_text(&target, "/api/servers");
    selection_append(&target, select);
    code = client_ask(client, &(struct client_question){.target = target.data}, &answer, err);
    if (code == CLI_DONE) {
        *first = snapshot_parse(answer.text, answer.length);
        client_answer_done(&answer);
        if (!*first) {
            error_set(err, EPROTO, "what answers at %s is no farmd", client_url(client));
            code = CLI_UNREACHABLE;
        }
    }
    buffer_done(&target);
    client_close(client);
    return code;
}

static int show(const struct cli_call *call, const char *select, struct error *err)
{
    struct app_options options = {.filter = select, .sort = sort_of(cli_text(call, "--sort"))};
    struct reach reach;
    int code = ask_first(call, select, &options.first, err);
    if (code != CLI_DONE)
        return code;
    code = reach_find(&reach, call, err);
    options.reach = &reach;
    if (code == CLI_DONE)
        code = app_run(&options, err);
    else
        snapshot_free(options.first);
    reach_done(&reach);
    return code;
}

static int run(const struct cli_call *call)
{
    struct error err = {.code = 0};
    char *select = NULL;
    int code = selection_read(call, 0, &select, &err) < 0 || terminal_check(&err) < 0 ? CLI_USAGE : CLI_DONE;
    if (code == CLI_DONE)
        code = show(call, select, &err);
    if (err.code != 0)
        cli_fail(code, "%s", err.message);
    free(select);
    return code;
}

const struct cli_verb verb_top = {
    .name = "top",
    .section = SECTION_LOOK,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {flags, selection_flags, client_flags},
    .summary = "the farm on a full screen, every second: sort, filter, open, act",
    .details =
        "A row for each server: CPU and memory as bars of its own limits, the share of time in which its limit held it "
        "back (THROT), requests a second, p99, restarts, and of one that does not run, why. Enter opens a server: why "
        "it "
        "restarted, what comes next, its events and its log as they come. Space selects, / filters with the selectors "
        "of every other verb, s sorts. Capital letters act on what is selected, and what does harm asks first. ? shows "
        "all keys.\n\n"
        "A farm that goes away is waited for. Works on any terminal of 60 × 10 or more, without colours where NO_COLOR "
        "is set.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"top", "every server, what needs a person first"},
                                             {"top state:unhealthy", "those that fail their probes"},
                                             {"top -l zone=a --sort cpu", "a zone, the busiest first"},
                                             {NULL, NULL}},
    .run = run,
};
