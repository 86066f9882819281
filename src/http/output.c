/*
 * The way out of a connection: bytes are collected in the server's output buffer, leave with one write, and what the
 * kernel does not take waits in a queue of copies. Apart from response.c, which decides what the bytes are.
 */
#include "http/server_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct queued_write {
    uv_write_t write;
    size_t length;
    char *taken_over; /* instead of data; may be NULL */
    char data[];
};

void output_disown(struct connection *conn)
{
    struct output *out = &conn->server->output;
    if (out->owner != conn)
        return;
    out->owner = NULL;
    out->length = 0;
    out->generation++;
}

void output_mark(struct http_request *request)
{
    const struct output *out = &request->connection->server->output;
    request->output_start = out->length;
    request->output_generation = out->generation;
}

bool output_holds_answer(const struct http_request *request)
{
    const struct output *out = &request->connection->server->output;
    return request->begun && out->owner == request->connection && out->generation == request->output_generation;
}

void output_take_back(struct http_request *request)
{
    request->connection->server->output.length = request->output_start;
    request->begun = request->ended = request->want_drain = false;
    request->sent = 0;
}

static void queued_free(struct queued_write *queued)
{
    free(queued->taken_over);
    free(queued);
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *conn = write->handle->data;
    struct queued_write *queued = (struct queued_write *)write;

    conn->queued -= queued->length;
    budget_give(conn->server->options.memory, queued->length);
    if (status == 0)
        conn->server->bytes_sent += queued->length;
    queued_free(queued);
    if (conn->state == CONNECTION_CLOSED)
        return;
    if (status < 0) {
        connection_close(conn);
        return;
    }
    conn->since_ms = uv_now(conn->server->loop);
    if (conn->queued > 0)
        return;
    struct http_request *request = &conn->request;
    if (request->want_drain) {
        request->want_drain = false;
        conn->corked = true;
        if (request->active && request->on_drain)
            request->on_drain(request);
    }
    connection_process(conn);
}

/* What is left of two pieces after `skip` bytes of them: copied, or where it lies in `body` (may be NULL), taken over. */
static struct queued_write *queued_new(const uv_buf_t pieces[2], size_t total, size_t skip, struct buffer *body,
                                       uv_buf_t *rest)
{
    size_t length = total - skip;
    bool take_over = body && skip >= pieces[0].len;
    struct queued_write *queued = malloc(sizeof *queued + (take_over ? 0 : length));
    if (!queued)
        return NULL;
    queued->length = length;
    queued->taken_over = take_over ? buffer_detach(body) : NULL;
    if (take_over) {
        *rest = uv_buf_init(queued->taken_over + (skip - pieces[0].len), (unsigned)length);
        return queued;
    }
    char *to = queued->data;
    for (int i = 0; i < 2; i++) {
        size_t before = skip < pieces[i].len ? skip : pieces[i].len;
        if (before < pieces[i].len) /* a piece may be no memory at all */
            memcpy(to, pieces[i].base + before, pieces[i].len - before);
        to += pieces[i].len - before;
        skip -= before;
    }
    *rest = uv_buf_init(queued->data, (unsigned)length);
    return queued;
}

/* Has libuv send the rest when the peer reads again. */
static void queue_rest(struct connection *conn, const uv_buf_t pieces[2], size_t total, size_t skip,
                       struct buffer *body)
{
    size_t length = total - skip;
    struct budget *memory = conn->server->options.memory;
    uv_buf_t rest;
    if (!budget_take(memory, length)) {
        connection_close(conn);
        return;
    }
    struct queued_write *queued = queued_new(pieces, total, skip, body, &rest);
    if (!queued || uv_write(&queued->write, (uv_stream_t *)&conn->tcp, &rest, 1, on_written) < 0) {
        if (queued)
            queued_free(queued);
        budget_give(memory, length);
        connection_close(conn);
        return;
    }
    if (conn->queued == 0)
        conn->since_ms = uv_now(conn->server->loop);
    conn->queued += length;
    conn->queue_seen = conn->queued;
}

/* What the kernel takes of two pieces at once: the bytes, or a negative code. send(2) rather than uv_try_write, because
 * it costs less than write(2) and raises no SIGPIPE. */
static ssize_t send_now(struct connection *conn, const uv_buf_t pieces[2])
{
    struct iovec parts[2] = {{pieces[0].base, pieces[0].len}, {pieces[1].base, pieces[1].len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;
    do {
        if (pieces[1].len == 0)
            sent = send(conn->fd, pieces[0].base, pieces[0].len, MSG_NOSIGNAL);
        else
            sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
}

/* Sends what was collected and `tail` behind it, which may be all of `body` (else NULL). */
static void flush_with(struct connection *conn, const void *tail, size_t tail_length, struct buffer *body)
{
    struct output *out = &conn->server->output;
    size_t collected = out->owner == conn ? out->length : 0;
    size_t total = collected + tail_length;
    if (total == 0 || conn->state == CONNECTION_CLOSED) {
        output_disown(conn);
        return;
    }
    const uv_buf_t pieces[2] = {
        {.base = out->data, .len = collected},
        {.base = (char *)tail, .len = tail_length},
    };
    ssize_t sent = conn->queued > 0 ? 0 : send_now(conn, pieces);
    if (sent < 0) {
        connection_close(conn);
        return;
    }
    conn->server->bytes_sent += (size_t)sent;
    if ((size_t)sent < total)
        queue_rest(conn, pieces, total, (size_t)sent, body);
    output_disown(conn);
}

void output_flush(struct connection *conn)
{
    if (conn->server->output.owner == conn)
        flush_with(conn, NULL, 0, NULL);
}

char *output_reserve(struct connection *conn, size_t length)
{
    struct output *out = &conn->server->output;
    if (out->owner != conn) {
        if (out->owner)
            output_flush(out->owner);
        out->owner = conn;
    }
    if (out->capacity - out->length >= length)
        return out->data + out->length;
    output_flush(conn);
    if (out->capacity < length) {
        size_t capacity = length > OUTPUT_CAPACITY ? length : OUTPUT_CAPACITY;
        char *data = realloc(out->data, capacity);
        if (!data) {
            connection_close(conn);
            return NULL;
        }
        out->data = data;
        out->capacity = capacity;
    }
    out->owner = conn;
    return out->data;
}

void output_commit(struct connection *conn, size_t length)
{
    conn->server->output.length += length;
    if (conn->state == CONNECTION_CLOSED)
        output_disown(conn);
}

void output_send(struct connection *conn, const void *data, size_t length)
{
    if (conn->state == CONNECTION_CLOSED || length == 0)
        return;
    if (length > OUTPUT_COPY_MAX) {
        flush_with(conn, data, length, NULL);
        return;
    }
    char *to = output_reserve(conn, length);
    if (!to)
        return;
    memcpy(to, data, length);
    output_commit(conn, length);
}

void output_send_buffer(struct connection *conn, struct buffer *body)
{
    if (conn->state != CONNECTION_CLOSED && body->length > OUTPUT_COPY_MAX)
        flush_with(conn, body->data, body->length, body);
    else
        output_send(conn, body->data, body->length);
    buffer_done(body);
}
