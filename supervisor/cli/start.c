/*
 * `farmd start`.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

static int run(const struct cli_call *call)
{
    return action_run(call, "started");
}

const struct cli_verb verb_start = {
    .name = "start",
    .section = SECTION_ACT,
    .operands = ACTION_OPERANDS,
    .flag_sets = ACTION_FLAGS,
    .summary = "start servers that are stopped, and skip the wait of those in backoff",
    .details = "Waits until each is ready. One that was given up by its restart profile begins anew; one that is"
               " paused goes on. A server that runs stays as it is."
               "\n\n" SELECTION_HELP,
    .examples =
        (const struct cli_example[]){{"start 7", "one"}, {"start state:stopped", "all that are stopped"}, {NULL, NULL}},
    .run = run,
};
