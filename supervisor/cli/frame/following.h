/*
 * A stream of the API followed for as long as the farm lives, across connections that are cut and farmds that take each
 * other's place.
 */
#ifndef SUPERVISOR_CLI_FRAME_FOLLOWING_H
#define SUPERVISOR_CLI_FRAME_FOLLOWING_H

#include "core/error.h"
#include "supervisor/cli/frame/client.h"

/* Calls on_event for each event but "end". Returns CLI_DONE when the farm has stopped in order (said on the standard
 * error), CLI_UNREACHABLE when it is gone, or what on_event returned. */
int following_run(struct client *client, const char *target, client_event_fn *on_event, void *data, struct error *err);

#endif
