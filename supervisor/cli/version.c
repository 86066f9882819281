/*
 * `farmd version`.
 */
#include "supervisor/cli/verbs.h"

#include <stdio.h>

static int run(const struct cli_call *call)
{
    (void)call;
    printf("farmd " FARMD_VERSION "\n");
    return CLI_DONE;
}

const struct cli_verb verb_version = {
    .name = "version",
    .section = SECTION_MORE,
    .summary = "print the version",
    .details = "Prints \"farmd\" and the version on one line.",
    .run = run,
};
