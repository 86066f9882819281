/*
 * What start, stop, restart, kill, pause and resume have in common: each is one word to the API.
 */
#ifndef SUPERVISOR_CLI_FRAME_ACTION_H
#define SUPERVISOR_CLI_FRAME_ACTION_H

#include "supervisor/cli/frame/acting.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/selection.h"

/* The verb's name is the action. `done`: "restarted". */
int action_run(const struct cli_call *call, const char *done);

/* The members of such a verb's row. */
#define ACTION_OPERANDS                                                                                                \
    {                                                                                                                  \
        .usage = "SERVERS", .least = 1, .missing = ACTING_WHICH, .completes = COMPLETES_SERVERS                        \
    }
#define ACTION_FLAGS                                                                                                   \
    {                                                                                                                  \
        selection_flags, acting_flags, output_flags, client_flags                                                      \
    }

#endif
