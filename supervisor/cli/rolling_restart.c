/*
 * `farmd rolling-restart`: a few servers at a time, so that the others serve.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>

static const struct cli_flag flags[] = {
    {.name = "--max-unavailable",
     .kind = CLI_INT,
     .argument = "N",
     .min = 1,
     .max = 10000,
     .preset = "1",
     .help = "how many may be down at the same time"},
    {.name = NULL},
};

static int run(const struct cli_call *call)
{
    struct deed deed = {.target = "/api/rolling-restart", .field = "ids", .follow = true, .done = "restarted"};
    deed.body = cJSON_CreateObject();
    cJSON_AddNumberToObject(deed.body, "max_unavailable", (double)cli_int(call, "--max-unavailable"));
    return acting_run(call, &deed);
}

const struct cli_verb verb_rolling_restart = {
    .name = "rolling-restart",
    .section = SECTION_ACT,
    .operands = {.usage = "[SERVERS]", .completes = COMPLETES_SERVERS},
    .flag_sets = {flags, selection_flags, acting_flags, output_flags, client_flags},
    .summary = "restart servers a few at a time, stopping at the first that does not come back",
    .details = "Each must be ready again before the next one goes down. Stopped and failed servers stay as they are. "
               "Without SERVERS: all of them.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"rolling-restart --max-unavailable 2", "all, two at a time"},
                                             {"rolling-restart group:web", "one group"},
                                             {NULL, NULL}},
    .run = run,
};
