/*
 * A verb that shows an answer of the API about servers, once or again and again: asks, prints it in the format wanted,
 * and says so when no server is meant.
 */
#ifndef SUPERVISOR_CLI_FRAME_LISTING_H
#define SUPERVISOR_CLI_FRAME_LISTING_H

#include "supervisor/cli/cli.h"
#include "supervisor/cli/frame/output.h"

struct cJSON;

extern const struct cli_flag listing_flags[]; /* --watch, --interval */

struct listing {
    const char *target; /* "/api/servers"; the selection is added */
    const char *list;   /* the member with an entry for each server; NULL: there is none */
    /* For people; the machine formats are the answer itself. */
    void (*show)(const struct output *output, const struct cJSON *answer, struct buffer *out);
    int (*verdict)(const struct cJSON *answer); /* exit code; NULL: CLI_DONE */
};

int listing_run(const struct cli_call *call, const struct listing *listing);

#endif
