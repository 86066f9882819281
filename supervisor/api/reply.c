/*
 * The request's context slot holds one `struct kept` for all that this file remembers of it. It is released when the
 * server says that the request is over, which also covers answers that the server gave by itself (413).
 */
#include "supervisor/api/reply.h"

#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"

#include <errno.h>
#include <stdlib.h>

struct kept {
    struct reply *reply; /* not answered yet */
    struct call call;
    reply_body_fn *handle;
};

static struct kept *keep(struct http_request *request)
{
    struct kept *kept = http_request_context(request);

    if (kept == NULL) {
        kept = xcalloc(1, sizeof(*kept));
        http_request_set_context(request, kept);
    }
    return kept;
}

void reply_request_ended(struct http_request *request)
{
    struct kept *kept = http_request_context(request);

    if (kept == NULL)
        return;
    http_request_set_context(request, NULL);
    struct reply *reply = kept->reply;
    free(kept);
    if (reply != NULL) {
        reply->request = NULL;
        if (reply->on_abort != NULL)
            reply->on_abort(reply);
    }
}

void reply_hold(struct reply *reply, struct http_request *request, void (*on_abort)(struct reply *reply))
{
    reply->request = request;
    reply->on_abort = on_abort;
    keep(request)->reply = reply;
    http_request_on_abort(request, reply_request_ended);
}

bool reply_is_open(const struct reply *reply)
{
    return reply->request != NULL;
}

/* From here on the peer's going away is nobody's business any more. */
static struct http_request *reply_take(struct reply *reply)
{
    struct http_request *request = steal(&reply->request);

    if (request != NULL)
        keep(request)->reply = NULL;
    return request;
}

void reply_release(struct reply *reply)
{
    reply_take(reply);
}

struct reply *reply_of(struct http_request *request)
{
    return keep(request)->reply;
}

void reply_json(struct reply *reply, int status, struct buffer *body)
{
    struct http_request *request = reply_take(reply);

    if (request != NULL)
        respond_json(request, status, body);
    else
        buffer_done(body);
}

void reply_error(struct reply *reply, const struct error *err)
{
    struct http_request *request = reply_take(reply);

    if (request != NULL)
        respond_error(request, err);
}

void respond_json(struct http_request *request, int status, struct buffer *body)
{
    http_respond_header(request, "Cache-Control", "no-store");
    http_respond_buffer(request, status, JSON_CONTENT_TYPE, body);
}

int status_of_error(const struct error *err)
{
    static const struct {
        int code;
        int status;
    } STATUSES[] = {
        {EINVAL, 422},  {ERANGE, 422},    {NO_SUCH_SERVER, 404}, {EBUSY, 409},  {ECANCELED, 409}, {EADDRINUSE, 409},
        {ENOTSUP, 409}, {ETIMEDOUT, 504}, {EAGAIN, 503},         {EMFILE, 503}, {ENFILE, 503},    {ENOMEM, 503},
        {ENOBUFS, 503}, {ENOSPC, 503},    {EDQUOT, 503},         {EFBIG, 503},  {ENOTCONN, 503},
    };

    for (size_t i = 0; i < ARRAY_SIZE(STATUSES); i++) {
        if (STATUSES[i].code == err->code)
            return STATUSES[i].status;
    }
    return 500;
}

void respond_error(struct http_request *request, const struct error *err)
{
    int status = status_of_error(err);

    if (status == 503)
        http_respond_header(request, "Retry-After", "1");
    http_respond_problem(request, status, "%s", err->message);
}

void respond_overload(struct http_request *request, const char *detail)
{
    http_respond_header(request, "Retry-After", "1");
    http_respond_problem(request, 503, "%s", detail);
}

bool respond_reserve(struct http_request *request, struct buffer *out, size_t bytes)
{
    if (buffer_try_reserve(out, bytes))
        return true;
    respond_overload(request, "There is no memory for the answer; try again later");
    return false;
}

static void on_body(struct http_request *request, const char *text, size_t length)
{
    struct kept *kept = http_request_context(request);
    struct body body;
    struct error err = {0};

    if (body_parse(&body, text, length, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    /* A copy: the answer may end the request, and `kept` with it. */
    struct call call = kept->call;
    kept->handle(request, &call, &body);
    body_done(&body);
}

void reply_read_body(struct http_request *request, struct api *api, int server_id, reply_body_fn *handle)
{
    struct kept *kept = keep(request);

    kept->call = (struct call){.api = api, .server_id = server_id};
    kept->handle = handle;
    http_request_on_abort(request, reply_request_ended);
    http_request_read_body(request, API_MAX_BODY, on_body);
}
