/*
 * `farmd version`.
 */
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/verbs.h"

static int run(const struct cli_call *call)
{
    (void)call;
    char line[] = "farmd " FARMD_VERSION "\n";
    return output_write(&(struct buffer){.data = line, .length = sizeof(line) - 1}, NULL);
}

const struct cli_verb verb_version = {
    .name = "version",
    .section = SECTION_MORE,
    .summary = "print the version",
    .details = "Prints \"farmd\" and the version on one line.",
    .run = run,
};
