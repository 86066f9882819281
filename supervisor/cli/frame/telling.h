/*
 * What the verbs `logs` and `events` have in common: a list of the API, told once or followed with --follow.
 */
#ifndef SUPERVISOR_CLI_FRAME_TELLING_H
#define SUPERVISOR_CLI_FRAME_TELLING_H

#include "core/buffer.h"
#include "supervisor/cli/frame/client.h"
#include "supervisor/cli/frame/output.h"

#include <cjson/cJSON.h>

/* The first member of what a verb knows of its own. */
struct telling {
    const char *key;           /* of the list in an answer: "events" */
    client_event_fn *on_event; /* of the stream; its data is the telling */
    void (*append)(struct telling *telling, const cJSON *item, struct buffer *out); /* for people */
    struct output output;
    bool closed; /* nobody reads the standard output any more */
};

/* Asks for `target`, to which it adds `select` (both the caller's), and tells the answer, or follows it. Returns an exit
 * code; what went wrong has been said. */
int telling_run(const struct cli_call *call, struct telling *telling, struct buffer *target, const char *select);

/* Sets up the output and reads the operand SERVERS into *select (the caller frees it; NULL: all). Returns CLI_DONE, or
 * CLI_USAGE after having said what is wrong. */
int telling_open(const struct cli_call *call, struct telling *telling, char **select);

/* Writes an answer that has a list. Returns CLI_DONE or why it could not; telling->closed says that nobody reads. */
int telling_print(struct telling *telling, const cJSON *answer);

#endif
