/*
 * `farmd wait`: until servers are as a script needs them.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/selection.h"
#include "supervisor/cli/frame/view.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 100
#define NAMED 5 /* more servers than these are counted only */

static const struct cli_flag flags[] = {
    {.name = "--running", .kind = CLI_SWITCH, .help = "until all run; what holds without another of these"},
    {.name = "--healthy", .kind = CLI_SWITCH, .help = "until all run and pass their probes"},
    {.name = "--stopped", .kind = CLI_SWITCH, .help = "until none runs"},
    {.name = "--timeout",
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 0,
     .max = 86400000,
     .preset = "60s",
     .help = "give up after this, with exit code 124; 0: look once"},
    {.name = "--quiet", .letter = 'q', .kind = CLI_SWITCH, .help = "say nothing when it has come true"},
    {.name = NULL},
};

enum goal { GOAL_RUNNING, GOAL_HEALTHY, GOAL_STOPPED };
static const char *const goal_words[] = {"running", "healthy", "stopped"};

struct waiting {
    enum goal goal;
    char *select;
    char *target;
    int64_t deadline_ms;
    bool looks_once; /* there is no time to wait */
    unsigned total, lacking;
    char named[200]; /* some of those that lack it */
};

static bool is_there(const struct waiting *waiting, const cJSON *server)
{
    const char *status = view_text(server, "status");
    bool runs = strcmp(status, "running") == 0;
    switch (waiting->goal) {
    case GOAL_RUNNING:
        return runs;
    case GOAL_HEALTHY:
        return runs && strcmp(view_text(server, "health"), "healthy") == 0;
    case GOAL_STOPPED:
        return strcmp(status, "stopped") == 0 || strcmp(status, "failed") == 0;
    }
    return false;
}

/* True when all are as they should be. */
static bool look(struct waiting *waiting, const cJSON *answer)
{
    const cJSON *server;
    waiting->total = waiting->lacking = 0;
    waiting->named[0] = '\0';
    cJSON_ArrayForEach(server, cJSON_GetObjectItemCaseSensitive(answer, "servers"))
    {
        size_t used = strlen(waiting->named);
        waiting->total++;
        if (is_there(waiting, server))
            continue;
        if (waiting->lacking++ < NAMED)
            snprintf(waiting->named + used, sizeof(waiting->named) - used, "%s%s", used ? ", " : "",
                     view_text(server, "name"));
    }
    return waiting->lacking == 0;
}

/* A farm that isn't there yet may be on its way: it is waited for, too. */
static int wait_for_it(struct waiting *waiting, struct client *client, struct error *err)
{
    for (;;) {
        struct client_answer answer;
        int64_t left_ms = waiting->deadline_ms - clock_monotonic_ms();
        struct client_question question = {.target = waiting->target, .timeout_ms = left_ms > 1 ? left_ms : 1};
        if (waiting->looks_once)
            question.timeout_ms = 0; /* as long as an answer may take */
        int code = client_ask(client, &question, &answer, err);
        if (code == CLI_DONE) {
            bool done = look(waiting, answer.json);
            client_answer_done(&answer);
            if (done)
                return CLI_DONE;
        }
        bool over = clock_monotonic_ms() + LOOK_MS > waiting->deadline_ms;
        if (code != CLI_DONE && (code != CLI_UNREACHABLE || over))
            return code;
        if (over)
            return CLI_TIMED_OUT;
        if (client_sleep(client, LOOK_MS) == CLI_INTERRUPTED) {
            error_set(err, EINTR, "interrupted");
            return CLI_INTERRUPTED;
        }
    }
}

static int tell(const struct cli_call *call, const struct waiting *waiting, int code, const struct error *err,
                int64_t began_ms)
{
    char elapsed[24], limit[24];
    units_format_duration(elapsed, clock_monotonic_ms() - began_ms);
    units_format_duration(limit, cli_duration_ms(call, "--timeout"));
    if (code == CLI_TIMED_OUT && waiting->lacking > 0)
        return cli_fail(code, "%u of %u servers not %s within %s: %s%s", waiting->lacking, waiting->total,
                        goal_words[waiting->goal], limit, waiting->named, waiting->lacking > NAMED ? ", …" : "");
    if (code == CLI_TIMED_OUT)
        return cli_fail(code, "no answer within %s", limit);
    if (code != CLI_DONE)
        return cli_fail(code, "%s", err->message);
    if (waiting->total == 0)
        selection_tell_nobody(waiting->select);
    else if (!cli_given(call, "--quiet"))
        printf("%u server%s %s after %s\n", waiting->total, waiting->total == 1 ? "" : "s", goal_words[waiting->goal],
               elapsed);
    return code;
}

static int read_goal(const struct cli_call *call, enum goal *goal)
{
    int given = cli_given(call, "--running") + cli_given(call, "--healthy") + cli_given(call, "--stopped");
    if (given > 1)
        return cli_fail(CLI_USAGE, "--running, --healthy and --stopped exclude each other: give one of them");
    *goal = cli_given(call, "--healthy") ? GOAL_HEALTHY : cli_given(call, "--stopped") ? GOAL_STOPPED : GOAL_RUNNING;
    return CLI_DONE;
}

static int run(const struct cli_call *call)
{
    struct waiting waiting = {.goal = GOAL_RUNNING};
    struct client *client = NULL;
    struct buffer target = BUFFER_EMPTY;
    struct error err = {0};
    int64_t began_ms = clock_monotonic_ms();
    int code = read_goal(call, &waiting.goal);
    if (code != CLI_DONE)
        return code;
    if (selection_read(call, 0, &waiting.select, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    buffer_append_text(&target, "/api/servers");
    selection_append(&target, waiting.select);
    waiting.target = target.data;
    waiting.deadline_ms = began_ms + cli_duration_ms(call, "--timeout");
    waiting.looks_once = cli_duration_ms(call, "--timeout") == 0;
    code = client_open(call, &client, &err);
    if (code == CLI_DONE)
        code = wait_for_it(&waiting, client, &err);
    code = tell(call, &waiting, code, &err, began_ms);
    client_close(client);
    buffer_done(&target);
    free(waiting.select);
    return code;
}

const struct cli_verb verb_wait = {
    .name = "wait",
    .section = SECTION_LOOK,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {flags, selection_flags, client_flags},
    .summary = "wait until servers run, are healthy or have stopped",
    .details =
        "Returns as soon as all of SERVERS (without them: every one) are as asked for. A farm that is not there yet "
        "is waited for as well. Exit code 124: not within the time, with the servers that lack it; 3: no farm came "
        "within the time.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"wait --healthy --timeout 30s", "before the tests of a CI job"},
                                             {"wait 1-10 --stopped", "until ten are down"},
                                             {NULL, NULL}},
    .run = run,
};
