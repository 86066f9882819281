/*
 * One action on many servers with a bound on how many are in flight. A rolling restart is the same with a small bound
 * and an end at the first failure. Each server is referenced, so that it may leave the farm meanwhile.
 */
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <stdlib.h>

#define MANY_IN_FLIGHT 64

struct farm_batch {
    struct farm *farm;
    enum server_action action;
    bool stops_on_failure;
    struct server **servers;
    size_t count, next, in_flight, bound, skipped;
    bool pumping;
    struct error error; /* the first failure, when that ends it */
    server_done_fn on_server;
    farm_done_fn done;
    void *data;
};

static void pump(struct farm_batch *batch);

static void on_done(struct server *server, const struct error *err, void *data)
{
    struct farm_batch *batch = data;
    batch->in_flight--;
    if (err && batch->stops_on_failure && !batch->error.code)
        batch->error = *err;
    if (batch->on_server)
        batch->on_server(server, err, batch->data);
    server_unref(server);
    pump(batch);
}

static void skip_the_rest(struct farm_batch *batch)
{
    struct error err;
    error_set(&err, ECANCELED, "not tried: %s", batch->error.message);
    while (batch->next < batch->count) {
        struct server *server = batch->servers[batch->next++];
        if (batch->on_server)
            batch->on_server(server, &err, batch->data);
        server_unref(server);
    }
}

static void report_rolling(struct farm_batch *batch)
{
    struct farm *farm = batch->farm;
    if (batch->error.code)
        events_add(farm->events, REASON_ROLLING_RESTART, 0, "the rolling restart stopped: %s", batch->error.message);
    else
        events_add(farm->events, REASON_ROLLING_RESTART, 0, "the rolling restart of %zu servers is done%s",
                   batch->count - batch->skipped, batch->skipped > 0 ? "; stopped ones stay stopped" : "");
    farm->rolling = NULL;
}

static void end(struct farm_batch *batch)
{
    skip_the_rest(batch);
    if (batch->stops_on_failure)
        report_rolling(batch);
    if (batch->done)
        batch->done(batch->error.code ? &batch->error : NULL, batch->data);
    free(batch->servers);
    free(batch);
}

/* What was stopped on purpose, or given up, is not to be started by a restart of all. */
static bool is_left_alone(struct farm_batch *batch, struct server *server)
{
    if (!batch->stops_on_failure || server_is_up(server))
        return false;
    struct error err;
    error_set(&err, EALREADY, "%s", server->error[0] ? server->error : server_state_name(server->lifecycle.state));
    batch->skipped++;
    if (batch->on_server)
        batch->on_server(server, &err, batch->data);
    server_unref(server);
    return true;
}

/* An action may be done before server_act returns; then the loop below goes on with the next one, not a deeper call. */
static void pump(struct farm_batch *batch)
{
    if (batch->pumping)
        return;
    batch->pumping = true;
    while (batch->next < batch->count && batch->in_flight < batch->bound && !batch->error.code) {
        struct server *server = batch->servers[batch->next++];
        if (is_left_alone(batch, server))
            continue;
        batch->in_flight++;
        server_act(server, batch->action, on_done, batch);
    }
    batch->pumping = false;
    if (batch->in_flight == 0)
        end(batch);
}

static struct farm_batch *batch_new(struct farm *farm, const int *ids, size_t count, server_done_fn on_server,
                                    farm_done_fn done, void *data)
{
    struct farm_batch *batch = xcalloc(1, sizeof(*batch));
    batch->farm = farm;
    batch->servers = xcalloc(count, sizeof(struct server *));
    batch->on_server = on_server;
    batch->done = done;
    batch->data = data;
    for (size_t i = 0; i < count; i++) {
        struct server *server = farm_server(farm, ids[i]);
        if (server)
            batch->servers[batch->count++] = server_ref(server);
    }
    return batch;
}

void farm_act_many(struct farm *farm, const int *ids, size_t count, enum server_action action, server_done_fn on_server,
                   farm_done_fn done, void *data)
{
    struct farm_batch *batch = batch_new(farm, ids, count, on_server, done, data);
    batch->action = action;
    batch->bound = MANY_IN_FLIGHT;
    pump(batch);
}

int farm_rolling_restart(struct farm *farm, const int *ids, size_t count, unsigned max_unavailable,
                         server_done_fn on_server, farm_done_fn done, void *data, struct error *err)
{
    if (max_unavailable == 0)
        return error_set(err, EINVAL, "max_unavailable: must be at least 1");
    if (farm->stopping)
        return error_set(err, EBUSY, "the farm is being stopped");
    if (farm->rolling)
        return error_set(err, EBUSY, "a rolling restart is under way; wait for its end");
    for (size_t i = 0; i < count; i++) {
        if (!farm_server(farm, ids[i]))
            return error_set(err, ENOENT, "no such server: %d", ids[i]);
    }
    struct farm_batch *batch = batch_new(farm, ids, count, on_server, done, data);
    batch->action = SERVER_ACTION_RESTART;
    batch->bound = max_unavailable;
    batch->stops_on_failure = true;
    farm->rolling = batch;
    events_add(farm->events, REASON_ROLLING_RESTART, 0, "rolling restart of %zu servers, %u at a time", count,
               max_unavailable);
    pump(batch);
    return 0;
}
