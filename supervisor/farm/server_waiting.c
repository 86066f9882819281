/*
 * Those who have asked something of a server and wait for what becomes of it.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <stdlib.h>

#define KILL_TOLD_MS 20000 /* nobody waits longer for a kill */

enum outcome { OUTCOME_PENDING, OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_OVERTAKEN, OUTCOME_REFUSED };

/* Of a pause or resume that has not come about: `asked` is what it waits for. */
static enum outcome outcome_of_frozen(const struct server *server, enum frozen_asked asked)
{
    if (server->own->frozen_asked == asked)
        return OUTCOME_PENDING;
    return server->own->frozen_error.code ? OUTCOME_REFUSED : OUTCOME_OVERTAKEN;
}

static enum outcome outcome_of_start(const struct server *server)
{
    switch (server->lifecycle.state) {
    case SERVER_RUNNING:
        return OUTCOME_DONE;
    case SERVER_PAUSED: /* also of one that was paused when it had just begun */
        return server->own->frozen_asked == FROZEN_RESUME || server->own->frozen_error.code
                   ? outcome_of_frozen(server, FROZEN_RESUME)
                   : OUTCOME_DONE;
    case SERVER_STARTING:
        return OUTCOME_PENDING;
    case SERVER_STOPPING:
        return server->lifecycle.after == AFTER_STOP ? OUTCOME_OVERTAKEN : OUTCOME_PENDING;
    case SERVER_STOPPED:
        return server->own->stopped_by_hand ? OUTCOME_OVERTAKEN : OUTCOME_FAILED;
    case SERVER_BACKOFF:
    case SERVER_FAILED:
    case SERVER_STATE_COUNT:
        break;
    }
    return OUTCOME_FAILED;
}

static enum outcome outcome_of(const struct server *server, enum server_action action)
{
    struct lifecycle now = server->lifecycle;
    switch (action) {
    case SERVER_ACTION_START:
    case SERVER_ACTION_RESTART:
        return outcome_of_start(server);
    case SERVER_ACTION_STOP:
        if (now.state == SERVER_STOPPED)
            return OUTCOME_DONE;
        return now.state == SERVER_STOPPING && now.after == AFTER_STOP ? OUTCOME_PENDING : OUTCOME_OVERTAKEN;
    case SERVER_ACTION_KILL:
        return now.state == SERVER_STOPPING ? OUTCOME_PENDING : OUTCOME_DONE;
    case SERVER_ACTION_PAUSE:
        if (now.state == SERVER_PAUSED && server->own->frozen_asked == FROZEN_NOT_ASKED)
            return OUTCOME_DONE;
        return outcome_of_frozen(server, FROZEN_PAUSE);
    case SERVER_ACTION_RESUME:
        if (now.state == SERVER_RUNNING && server->own->frozen_asked == FROZEN_NOT_ASKED)
            return OUTCOME_DONE;
        return outcome_of_frozen(server, FROZEN_RESUME);
    case SERVER_ACTION_COUNT:
        break;
    }
    return OUTCOME_DONE;
}

void server_finish(struct server *server, struct server_request *request, const struct error *err)
{
    server->own->asked -= request->done != NULL;
    if (request->done)
        request->done(server, err, request->data);
    free(request);
}

static void finish_by(struct server *server, struct server_request *request, enum outcome outcome)
{
    struct error err = {0};
    switch (outcome) {
    case OUTCOME_FAILED:
        error_set(&err, server->own->ending_code ? server->own->ending_code : EIO, "%s %s", server->name,
                  server->own->ending[0] ? server->own->ending : "does not run");
        break;
    case OUTCOME_OVERTAKEN:
        error_set(&err, ECANCELED, "%s: the %s was overtaken by another action", server->name,
                  server_action_name(request->action));
        break;
    case OUTCOME_REFUSED:
        err = server->own->frozen_error;
        break;
    case OUTCOME_DONE:
    case OUTCOME_PENDING:
        break;
    }
    server_finish(server, request, err.code ? &err : NULL);
}

/* Tells all whose outcome is known. They are taken off the list first: what they do next may add to it. */
void server_settle(struct server *server)
{
    struct server_private *own = server->own;
    struct server_request *known = NULL, **known_end = &known;
    own->waiting_end = &own->waiting;
    for (struct server_request **link = &own->waiting; *link;) {
        struct server_request *request = *link;
        if (outcome_of(server, request->action) == OUTCOME_PENDING) {
            own->waiting_end = link = &request->next;
            continue;
        }
        *link = request->next;
        request->next = NULL;
        *known_end = request;
        known_end = &request->next;
    }
    while (known) {
        struct server_request *request = known;
        known = request->next;
        finish_by(server, request, outcome_of(server, request->action));
    }
}

void server_wait(struct server *server, struct server_request *request)
{
    if (!request->done) {
        free(request);
        return;
    }
    request->next = NULL;
    *server->own->waiting_end = request;
    server->own->waiting_end = &request->next;
}

/* What runs it does not answer, or the kernel cannot end it: it is still stopping, and who asked for it should know. Those
 * without whom the farm cannot go on do wait. */
void server_tell_of_kill(struct server *server)
{
    struct server_private *own = server->own;
    struct error err;
    bool overdue = clock_monotonic_ms() - own->killed_at_ms >= KILL_TOLD_MS;
    if (server->lifecycle.state != SERVER_STOPPING || own->retired || farm_is_stopping(server->farm))
        return;
    if (farm_available(server->farm, &err) == 0) {
        if (!overdue)
            return;
        error_set(&err, ETIMEDOUT, "%s has not ended %d s after SIGKILL; farmd keeps trying", server->name,
                  KILL_TOLD_MS / 1000);
    }
    struct server_request *waiting = steal(&own->waiting);
    own->waiting_end = &own->waiting;
    while (waiting) {
        struct server_request *request = waiting;
        waiting = request->next;
        server_finish(server, request, &err);
    }
}

void server_cancel(struct server *server)
{
    struct error err;
    error_set(&err, ECANCELED, "%s is no longer part of the farm", server->name);
    struct server_private *own = server->own;
    server_limits_cancel(server, &err);
    struct server_request *lists[] = {own->waiting, own->queue};
    own->waiting = own->queue = own->queue_end = NULL;
    own->waiting_end = &own->waiting;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        while (lists[i]) {
            struct server_request *request = lists[i];
            lists[i] = request->next;
            server_finish(server, request, &err);
        }
    }
}
