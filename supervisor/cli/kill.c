/*
 * `farmd kill`.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

static int run(const struct cli_call *call)
{
    return action_run(call, "killed");
}

const struct cli_verb verb_kill = {
    .name = "kill",
    .section = SECTION_ACT,
    .operands = ACTION_OPERANDS,
    .flag_sets = ACTION_FLAGS,
    .summary = "kill servers, as a crash would",
    .details = "Everything of a server ends at once (SIGKILL); its restart policy decides what follows, as after"
               " a crash."
               "\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"kill 7", "one"},
                                             {"kill 'memory>90'", "those that are about to run out of memory"},
                                             {NULL, NULL}},
    .run = run,
};
