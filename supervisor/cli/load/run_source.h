/*
 * A load run that was made before: from a file that -o json wrote, or from the farm that keeps it.
 */
#ifndef SUPERVISOR_CLI_LOAD_RUN_SOURCE_H
#define SUPERVISOR_CLI_LOAD_RUN_SOURCE_H

#include "core/error.h"
#include "supervisor/cli/cli.h"

struct cJSON;
struct client;

#define RUN_SOURCE_HELP                                                                                                \
    "RUN is the id of one that the farm keeps (`farmd load list`), or a file that -o json has written: its name has "  \
    "a dot or a slash in it, and - is the standard input."

/* Sets `run`, the caller's to delete. `client` is opened when the first id comes, and the caller's to close. CLI_DONE, or
 * an exit code and the sentence. */
int run_source_read(const struct cli_call *call, const char *source, struct client **client, struct cJSON **run,
                    struct error *err);

#endif
