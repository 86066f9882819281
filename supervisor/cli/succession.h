/*
 * The running farmd's part of `farmd upgrade`: another program takes this one's place in the same process, by exec, with
 * its sockets, its lock and its servers. Until that last step nothing is given up, and every failure leaves things as
 * they were.
 */
#ifndef SUPERVISOR_CLI_SUCCESSION_H
#define SUPERVISOR_CLI_SUCCESSION_H

#include "supervisor/api/api.h"
#include "supervisor/farm/farm.h"

/* The request, in words of a message that carries the program's descriptor: "upgrade PROTOCOL VERSION". The answer is one
 * message that begins with one of the other two. */
#define SUCCESSION_ASK "upgrade "
#define SUCCESSION_FAILED "failed "
#define SUCCESSION_DONE "done "

struct succession;

/* Listens for the request. `argc` and `argv` are the flags of this farmd. On failure there is a warning, and no upgrade. */
struct succession *succession_new(struct farm *farm, struct api *api, int argc, char **argv);

/* When the farm is stopped: whoever asked is told so. NULL is fine. */
void succession_end(struct succession *succession);

#endif
