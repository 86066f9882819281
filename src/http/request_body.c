/*
 * The body of a request on its way to the handler: by length or in chunks, collected or handed on, never more than
 * the input buffer ahead of who takes it.
 */
#include "http/server_internal.h"

#include <string.h>

static const char CONTINUE_LINE[] = "HTTP/1.1 100 Continue\r\n\r\n";

bool request_body_blocked(const struct http_request *request)
{
    return request->use == BODY_STREAM && request->connection->queued > 0;
}

static bool fits(const struct http_request *request, uint64_t length)
{
    return length <= request->body_max - request->collected.length;
}

static void collect(struct http_request *request, const char *data, size_t length)
{
    if (!fits(request, length)) {
        request_fail(request, 413, "The body is too large.");
        return;
    }
    struct budget *memory = request->connection->server->options.memory;
    bool granted = budget_take(memory, length);
    if (!granted || !buffer_try_reserve(&request->collected, length)) {
        budget_give(memory, granted ? length : 0);
        request_fail(request, 503, "There is not enough memory for the body.");
        return;
    }
    buffer_append(&request->collected, data, length);
}

/* Gives bytes of the body to whoever wants them. */
static void deliver(struct http_request *request, const char *data, size_t length)
{
    request->body_consumed += length;
    if (request->use == BODY_COLLECT && request->on_body)
        collect(request, data, length);
    else if (request->use == BODY_STREAM && request->on_data)
        request->on_data(request, data, length);
}

static void complete(struct http_request *request)
{
    request->body_done = true;
    if (request->use == BODY_COLLECT && request->on_body) {
        void (*on_body)(struct http_request *, const char *, size_t) = request->on_body;
        const char *data = request->collected.data ? request->collected.data : "";
        request->on_body = NULL;
        on_body(request, data, request->collected.length);
        request_drop_body(request);
    } else if (request->use == BODY_STREAM && request->on_data) {
        void (*on_data)(struct http_request *, const char *, size_t) = request->on_data;
        request->on_data = NULL;
        on_data(request, "", 0);
    }
}

/* --- by length --- */

static void step_length(struct connection *conn)
{
    struct http_request *request = &conn->request;
    size_t there = conn->end - conn->start;
    size_t length = there < request->body_left ? there : (size_t)request->body_left;
    const char *data = conn->input->data + conn->start;
    conn->start += length;
    request->body_left -= length;
    deliver(request, data, length);
    if (request->body_left == 0 && conn->state != CONNECTION_CLOSED)
        complete(request);
}

/* --- in chunks --- */

static void step_chunks(struct connection *conn)
{
    struct http_request *request = &conn->request;
    struct http_slice input = {conn->input->data + conn->start, conn->end - conn->start};
    struct http_slice piece;
    enum chunked_result result = chunked_next(&request->chunked_body, &input, &piece);
    conn->start = conn->end - input.length;
    switch (result) {
    case CHUNKED_MORE:
        break;
    case CHUNKED_DATA:
        deliver(request, piece.data, piece.length);
        break;
    case CHUNKED_END:
        complete(request);
        break;
    case CHUNKED_BAD:
        request_fail(request, 400, "The chunked body is malformed.");
        break;
    case CHUNKED_TOO_LARGE:
        request_fail(request, 400, "The chunk extensions or trailers of the body are too large.");
        break;
    }
}

/* --- the step --- */

bool request_body_step(struct connection *conn)
{
    struct http_request *request = &conn->request;
    if (request->body_done || request->use == BODY_UNASKED || request_body_blocked(request))
        return false;
    if (request->use == BODY_COLLECT && request->framing == BODY_LENGTH && !fits(request, request->body_left)) {
        request_fail(request, 413, "The body is too large.");
        return true;
    }
    if (conn->start == conn->end) {
        if (!conn->eof || request->ended)
            return false;
        request_fail(request, 400, "The connection ended in the middle of the body.");
        return true;
    }
    if (request->framing == BODY_LENGTH)
        step_length(conn);
    else
        step_chunks(conn);
    return true;
}

/* --- what handlers ask for --- */

/* Lets a peer that waits for it go on, and has what is there handed over once the handler has returned. */
static void start_reading(struct http_request *request)
{
    struct connection *conn = request->connection;
    conn->since_ms = uv_now(conn->server->loop);
    bool wanted = request->use == BODY_STREAM || request->framing == BODY_CHUNKED || fits(request, request->body_left);
    if (request->expects_continue && conn->start == conn->end && !request->begun && wanted) {
        output_send(conn, CONTINUE_LINE, sizeof CONTINUE_LINE - 1);
        if (!conn->corked)
            output_flush(conn);
    }
    request->expects_continue = false;
    if (!conn->corked)
        server_make_ready(conn);
}

void http_request_read_body(struct http_request *request, size_t max,
                            void (*on_body)(struct http_request *request, const char *body, size_t length))
{
    if (request->use != BODY_UNASKED || request->ended)
        return;
    request->use = BODY_COLLECT;
    request->body_max = max;
    if (request->body_done) {
        on_body(request, "", 0);
        return;
    }
    request->on_body = on_body;
    start_reading(request);
}

void http_request_stream_body(struct http_request *request,
                              void (*on_data)(struct http_request *request, const char *data, size_t length))
{
    if (request->use != BODY_UNASKED || request->ended)
        return;
    request->use = BODY_STREAM;
    if (request->body_done) {
        on_data(request, "", 0);
        return;
    }
    request->on_data = on_data;
    start_reading(request);
}
