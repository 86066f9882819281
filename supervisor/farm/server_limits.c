/*
 * Limits of one server, changed while it runs: at once, or when the runtime has answered. Until then it has those of before.
 */
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <stdlib.h>

static void take(struct server *server, const struct limits *limits)
{
    bool replaces = server->process && farm_runtime_ops(server->farm)->limits_replace;
    char memory[24];

    server->limits = *limits;
    server->limits_overridden = !limits_equal(limits, &server->group->limits);
    if (server->process)
        sampler_limits_changed(server);
    units_format_size(memory, limits->memory);
    events_add(farm_events(server->farm), REASON_LIMITS_CHANGED, server->id, "%s %s %.2f CPU and %s", server->name,
               replaces ? "is replaced to have" : "now has", limits->cpu, memory);
    farm_server_changed(server->farm, server);
}

int server_set_limits(struct server *server, const struct limits *limits, struct error *err)
{
    struct server_private *own = server->own;
    int code = farm_available(server->farm, err);

    if (code == 0 && server->process)
        code = farm_runtime_ops(server->farm)->set_limits(server->process, limits, err);
    if (code == -EINPROGRESS) {
        own->limits_asked = *limits;
        own->limits_pending = true;
    }
    if (code < 0)
        return code;
    take(server, limits);
    return 0;
}

const struct limits *server_limits_wanted(const struct server *server)
{
    return server->own->limits_pending ? &server->own->limits_asked : &server->limits;
}

void server_await_limits(struct server *server, server_done_fn done, void *data)
{
    struct server_request *request = xcalloc(1, sizeof(*request));

    request->done = done;
    request->data = data;
    request->next = server->own->limits_waiting;
    server->own->limits_waiting = request;
    server->own->asked++;
}

/* Whoever is told may ask anew. */
void server_limits_cancel(struct server *server, const struct error *err)
{
    struct server_private *own = server->own;
    struct server_request *waiting = steal(&own->limits_waiting);

    own->limits_pending = false;
    while (waiting) {
        struct server_request *request = waiting;
        waiting = request->next;
        own->asked--;
        request->done(server, err, request->data);
        free(request);
    }
}

void server_limits_answered(struct server *server, const struct error *err)
{
    if (!server->own->limits_pending)
        return;
    if (!err)
        take(server, &server->own->limits_asked);
    server_limits_cancel(server, err);
}

void server_limits_end(struct server *server)
{
    server_limits_answered(server, NULL);
}
