/*
 * start, stop, restart, kill, pause, resume: of one server or of many, answered when they are done.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/many.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <errno.h>
#include <stdlib.h>

#define ACTION_MAX 32

static const char ALLOWED[] = "start, stop, restart, kill, pause or resume";

static bool read_action(struct http_request *request, const struct body *body, enum server_action *action)
{
    struct error err = {0};
    const char *text = NULL;

    int rc = body_text(body, "action", ACTION_MAX, &text, &err);
    if (rc < 0)
        respond_error(request, &err);
    else if (rc == 0)
        http_respond_problem(request, 422, "action is missing; allowed: %s", ALLOWED);
    else if (server_action_parse(text, action) < 0)
        http_respond_problem(request, 400, "Invalid action \"%s\"; allowed: %s", text, ALLOWED);
    else
        return true;
    return false;
}

/* --- one --- */

struct action {
    struct reply reply;
    int server_id;
    enum server_action action;
};

static void on_one_done(struct server *server, const struct error *err, void *data)
{
    struct action *op = data;
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (err != NULL) {
        reply_error(&op->reply, err);
        free(op);
        return;
    }
    json_begin_object(&w);
    json_member_int(&w, "server_id", op->server_id);
    json_member_string(&w, "action", server_action_name(op->action));
    json_member_string(&w, "status", "success");
    json_member_string(&w, "state", server_state_name(server->lifecycle.state));
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&op->reply, 200, &out);
    free(op);
}

static void act_on_one(struct http_request *request, const struct call *call, const struct body *body)
{
    enum server_action action;
    struct server *server = farm_server(call->api->farm, call->server_id);

    if (server == NULL) { /* scaled away while the body came in */
        http_respond_problem(request, 404, "server_id %d: no such server", call->server_id);
        return;
    }
    if (!read_action(request, body, &action) || !api_may_change(request, call->api))
        return;
    struct action *op = xcalloc(1, sizeof(*op));
    op->server_id = call->server_id;
    op->action = action;
    reply_hold(&op->reply, request, NULL);
    server_act(server, action, on_one_done, op);
}

void actions_one(struct http_request *request, const struct http_match *match)
{
    struct server *server;

    if (api_match_server(request, match, &server))
        reply_read_body(request, api_of(match), server->id, act_on_one);
}

/* --- many --- */

struct acting {
    struct many many;
    enum server_action action;
};

static void write_action(const struct many *many, struct json_writer *w)
{
    json_member_string(w, "action", server_action_name(((const struct acting *)many)->action));
}

static void on_many_server(struct server *server, const struct error *err, void *data)
{
    many_result(data, server->id, err);
}

static void on_many_done(const struct error *err, void *data)
{
    (void)err; /* each server has its own */
    many_done(data);
}

static void act_on_many(struct http_request *request, const struct call *call, const struct body *body)
{
    struct targets targets;
    enum server_action action;

    if (!read_action(request, body, &action) || !targets_read(request, call->api->farm, body, "ids", &targets))
        return;
    if (!targets.given || (targets.count == 0 && !targets.is_filter)) {
        http_respond_problem(request, 422,
                             "ids is missing; allowed: a list of server ids, or a selector such as \"1-10,20\", "
                             "\"state:failed\" or \"all\"");
    } else if (api_may_change(request, call->api)) {
        struct acting *op = xcalloc(1, sizeof(*op));
        op->action = action;
        op->many.write_head = write_action;
        if (many_prepare(&op->many, request, call->api, &targets)) {
            farm_act_many(call->api->farm, targets.ids, targets.count, action, on_many_server, on_many_done, op);
            many_hold(&op->many, request, call->api);
        }
    }
    targets_done(&targets);
}

void actions_many(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, act_on_many);
}
