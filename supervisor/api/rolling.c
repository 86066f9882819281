/*
 * `POST /api/rolling-restart`: all (or the named) servers, a few at a time, stopping at the first that fails.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/results.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <stdlib.h>

struct rolling {
    struct reply reply;
    struct results *results;
    int64_t max_unavailable;
};

static void rolling_free(struct rolling *op)
{
    results_free(op->results);
    free(op);
}

static void on_server(struct server *server, const struct error *err, void *data)
{
    struct rolling *op = data;

    results_set(op->results, server->id, err);
}

static void on_done(const struct error *err, void *data)
{
    struct rolling *op = data;
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    json_begin_object(&w);
    json_member_string(&w, "status", err == NULL ? "success" : "error");
    if (err != NULL)
        json_member_string(&w, "message", err->message);
    json_member_int(&w, "max_unavailable", op->max_unavailable);
    results_write_members(op->results, &w);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&op->reply, 200, &out);
    rolling_free(op);
}

static void begin(struct http_request *request, const struct call *call, const struct targets *targets,
                  int64_t max_unavailable)
{
    struct error err = {0};
    struct rolling *op = xcalloc(1, sizeof(*op));

    op->results = results_new(targets->ids, targets->count);
    op->max_unavailable = max_unavailable;
    reply_hold(&op->reply, request, NULL);
    if (farm_rolling_restart(call->api->farm, targets->ids, targets->count, (unsigned)max_unavailable, on_server,
                             on_done, op, &err) < 0) {
        reply_error(&op->reply, &err);
        rolling_free(op);
    }
}

static void rolling_restart(struct http_request *request, const struct call *call, const struct body *body)
{
    struct error err = {0};
    struct targets targets;
    int64_t max_unavailable = 1;

    if (body_int(body, "max_unavailable", 1, SETTINGS_MAX_SERVERS, &max_unavailable, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (!targets_read(request, call->api->farm, body, "ids", &targets))
        return;
    if (!targets.given)
        targets_all(call->api->farm, &targets);
    if (targets.count == 0)
        http_respond_problem(request, 422, "ids names no server; leave it out for all of them");
    else if (api_may_change(request, call->api))
        begin(request, call, &targets, max_unavailable);
    targets_done(&targets);
}

void rolling_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, rolling_restart);
}
