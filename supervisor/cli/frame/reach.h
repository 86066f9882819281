/*
 * Where the farm is that a verb speaks to, and what lets it in: addresses to try in turn, and the token.
 */
#ifndef SUPERVISOR_CLI_FRAME_REACH_H
#define SUPERVISOR_CLI_FRAME_REACH_H

#include "core/error.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/frame/address.h"

#include <stddef.h>
#include <sys/socket.h>

#define REACH_MAX_ADDRESSES 4 /* of one name */

struct reach {
    struct address address;
    char *headers; /* the token's line, or NULL */
    struct sockaddr_storage addresses[REACH_MAX_ADDRESSES];
    size_t count;
};

/* By --api, FARMD_API or the settings found here; connects to nothing. An exit code and the sentence when there is no
 * such place. Free with reach_done, also after a failure. */
int reach_find(struct reach *reach, const struct cli_call *call, struct error *err);
void reach_done(struct reach *reach);

/* What a request says in Host: "localhost:8000". Points into it. */
const char *reach_authority(const struct reach *reach);

#endif
