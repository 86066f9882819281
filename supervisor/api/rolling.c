/*
 * `POST /api/rolling-restart`: all (or the named) servers, a few at a time, stopping at the first that fails.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/many.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <stdlib.h>

struct rolling {
    struct many many;
    int64_t max_unavailable;
    struct error err; /* code 0: all went well */
};

static void write_head(const struct many *many, struct json_writer *w)
{
    const struct rolling *op = (const struct rolling *)many;

    json_member_string(w, "status", op->err.code == 0 ? "success" : "error");
    if (op->err.code != 0)
        json_member_string(w, "message", op->err.message);
    json_member_int(w, "max_unavailable", op->max_unavailable);
}

static void on_server(struct server *server, const struct error *err, void *data)
{
    many_result(data, server->id, err);
}

static void on_done(const struct error *err, void *data)
{
    struct rolling *op = data;

    if (err != NULL)
        op->err = *err;
    many_done(&op->many);
}

static void begin(struct http_request *request, const struct call *call, const struct targets *targets,
                  int64_t max_unavailable)
{
    struct error err = {0};
    struct rolling *op = xcalloc(1, sizeof(*op));

    op->max_unavailable = max_unavailable;
    op->many.write_head = write_head;
    if (!many_prepare(&op->many, request, call->api, targets))
        return;
    int rc = 0;
    if (targets->count == 0)
        on_done(NULL, op);
    else
        rc = farm_rolling_restart(call->api->farm, targets->ids, targets->count, (unsigned)max_unavailable, on_server,
                                  on_done, op, &err);
    if (rc == 0) {
        many_hold(&op->many, request, call->api);
        return;
    }
    respond_error(request, &err);
    many_drop(&op->many);
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
    if (targets.count == 0 && !targets.is_filter)
        http_respond_problem(request, 422, "ids names no server; leave it out for all of them");
    else if (api_may_change(request, call->api))
        begin(request, call, &targets, max_unavailable);
    targets_done(&targets);
}

void rolling_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, rolling_restart);
}
