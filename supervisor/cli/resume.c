/*
 * `farmd resume`.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

static int run(const struct cli_call *call)
{
    return action_run(call, "resumed");
}

const struct cli_verb verb_resume = {
    .name = "resume",
    .section = SECTION_ACT,
    .operands = ACTION_OPERANDS,
    .flag_sets = ACTION_FLAGS,
    .summary = "thaw paused servers",
    .details = "Goes on where pause stopped it; it is probed at once."
               "\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"resume state:paused", "all that are paused"}, {NULL, NULL}},
    .run = run,
};
