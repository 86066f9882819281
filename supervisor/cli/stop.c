/*
 * `farmd stop`.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

static int run(const struct cli_call *call)
{
    return action_run(call, "stopped");
}

const struct cli_verb verb_stop = {
    .name = "stop",
    .section = SECTION_ACT,
    .operands = ACTION_OPERANDS,
    .flag_sets = ACTION_FLAGS,
    .summary = "stop servers and keep them stopped",
    .details = "Sends SIGTERM and waits; what has not ended within the group's stop_grace is killed. A stopped "
               "server is started again by `farmd start` alone."
               "\n\n" SELECTION_HELP,
    .examples =
        (const struct cli_example[]){{"stop 1-10", "ten of them"}, {"stop -l zone=a", "a whole zone"}, {NULL, NULL}},
    .run = run,
};
