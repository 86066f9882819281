/*
 * `farmd pause`.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

static int run(const struct cli_call *call)
{
    return action_run(call, "paused");
}

const struct cli_verb verb_pause = {
    .name = "pause",
    .section = SECTION_ACT,
    .operands = ACTION_OPERANDS,
    .flag_sets = ACTION_FLAGS,
    .summary = "freeze servers: they keep their connections and answer nothing",
    .details = "A paused server is not probed and not restarted. `farmd resume` thaws it."
               "\n\n" SELECTION_HELP,
    .examples =
        (const struct cli_example[]){{"pause 3-5", "three that hang, to see what their clients do"}, {NULL, NULL}},
    .run = run,
};
