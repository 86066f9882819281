/*
 * `POST /api/scale`: more or fewer servers, the others untouched.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"

#include <stdlib.h>

#define GROUP_MAX 64

struct scale {
    struct reply reply;
    struct api *api; /* used while the reply is open only: the farm may be gone after */
    int64_t wanted;
    size_t before;
};

static void on_scaled(const struct error *err, void *data)
{
    struct scale *op = data;

    if (err != NULL) {
        reply_error(&op->reply, err);
    } else if (reply_is_open(&op->reply)) {
        struct buffer out = BUFFER_EMPTY;
        struct json_writer w = json_writer_to(&out);
        json_begin_object(&w);
        json_member_string(&w, "status", "success");
        json_member_int(&w, "servers", op->wanted);
        json_member_uint(&w, "servers_before", op->before);
        json_member_uint(&w, "total_servers", farm_server_count(op->api->farm));
        view_timestamp(&w);
        json_end_object(&w);
        reply_json(&op->reply, 200, &out);
    }
    free(op);
}

static void scale(struct http_request *request, const struct call *call, const struct body *body)
{
    struct error err = {0};
    const char *group = NULL;
    int64_t servers = 0;

    if (body_text(body, "group", GROUP_MAX, &group, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    int least = group == NULL; /* one group may be empty, the farm not */
    int rc = body_int(body, "servers", least, SETTINGS_MAX_SERVERS, &servers, &err);
    if (rc == 0) {
        http_respond_problem(request, 422, "servers is missing: a whole number from %d to %d", least,
                             SETTINGS_MAX_SERVERS);
        return;
    }
    if (rc < 0) {
        respond_error(request, &err);
        return;
    }
    if (!api_may_change(request, call->api))
        return;

    struct scale *op = xcalloc(1, sizeof(*op));
    op->api = call->api;
    op->wanted = servers;
    op->before = farm_server_count(call->api->farm);
    reply_hold(&op->reply, request, NULL);
    if (farm_scale(call->api->farm, group, (unsigned)servers, on_scaled, op, &err) < 0) {
        reply_error(&op->reply, &err);
        free(op);
    }
}

void scale_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, scale);
}
