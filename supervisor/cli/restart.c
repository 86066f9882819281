/*
 * `farmd restart`.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

static int run(const struct cli_call *call)
{
    return action_run(call, "restarted");
}

const struct cli_verb verb_restart = {
    .name = "restart",
    .section = SECTION_ACT,
    .operands = ACTION_OPERANDS,
    .flag_sets = ACTION_FLAGS,
    .summary = "stop and start servers, all at once",
    .details = "Waits until each is ready again. To keep most of them serving meanwhile, use rolling-restart."
               "\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"restart 7", "one"},
                                             {"restart state:unhealthy", "those that fail their probes"},
                                             {NULL, NULL}},
    .run = run,
};
