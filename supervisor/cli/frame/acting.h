/*
 * A verb that does something to servers: shows how far it is, a line for each that failed, and how it ended.
 */
#ifndef SUPERVISOR_CLI_FRAME_ACTING_H
#define SUPERVISOR_CLI_FRAME_ACTING_H

#include "supervisor/cli/cli.h"

#include <stdbool.h>

struct cJSON;

extern const struct cli_flag acting_flags[]; /* --timeout */

#define ACTING_WHICH "say which servers: 7, 1-10,20, state:failed or all"

struct deed {
    const char *method; /* NULL: POST */
    const char *target; /* "/api/servers/action" */
    const char *field;  /* of the body, which takes the servers: "ids" */
    bool follow;        /* the API tells of each server as it is done */
    struct cJSON *body; /* all but the servers; taken over */
    const char *done;   /* "restarted" */
};

/* Asks for it and tells what became of it. Needs the flags of selection, output, acting and client. */
int acting_run(const struct cli_call *call, const struct deed *deed);

#endif
