/*
 * Answers: the head, whole bodies and bodies in pieces.
 */
#include "http/server_internal.h"

#include "http/problem.h"

#include <stdio.h>
#include <string.h>

#define SMALL_ANSWER (64 * 1024) /* the kernel takes it from a peer that reads, so no room is asked for it beforehand */
#define HEAD_FIXED_MAX 512       /* a head without its content type and the handler's own headers */

static char *put(char *to, const char *text, size_t length)
{
    memcpy(to, text, length);
    return to + length;
}

#define PUT_LITERAL(to, text) put(to, text, sizeof(text) - 1)

static char *put_decimal(char *to, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do
        digits[sizeof digits - ++n] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return put(to, digits + sizeof digits - n, n);
}

/* The Date line, formatted once a second. */
static const char *date_line(struct http_server *server)
{
    uint64_t now_ms = uv_now(server->loop);
    if (now_ms >= server->date_until_ms) {
        int64_t now_us = clock_realtime_us();
        char date[CLOCK_HTTP_DATE_LENGTH + 1];
        clock_format_http_date(date, now_us);
        snprintf(server->date_line, sizeof server->date_line, "Date: %s\r\n", date);
        server->date_until_ms = now_ms + (uint64_t)(1000 - now_us / 1000 % 1000);
    }
    return server->date_line;
}

/* Whether the connection has to close after the answer whose head is being written. An unread body that is small, or
 * of unknown size, is given the chance to be thrown away first. */
static bool must_close(const struct http_request *request)
{
    if (request->close || !request->keep_alive || request->connection->server->draining)
        return true;
    if (request->announced < 0 && !request->chunked && !request->bodiless)
        return true;
    if (request->body_done || request->use != BODY_UNASKED)
        return false;
    return request->expects_continue || (request->framing == BODY_LENGTH && request->body_left > DISCARD_MAX);
}

static char *put_status_line(char *to, int status)
{
    if (status == 200)
        return PUT_LITERAL(to, "HTTP/1.1 200 OK\r\n");
    const char *text = http_status_text(status);
    to = PUT_LITERAL(to, "HTTP/1.1 ");
    to = put_decimal(to, (unsigned)status);
    *to++ = ' ';
    to = put(to, text, strlen(text));
    return PUT_LITERAL(to, "\r\n");
}

static void write_head(struct http_request *request, int status, const char *content_type, int64_t content_length)
{
    struct connection *conn = request->connection;
    request->begun = true;
    request->status = status;
    request->announced = content_length;
    bool without_content = status == 204 || status == 304 || status < 200;
    request->bodiless = without_content || status == 205 || request->method == HTTP_METHOD_HEAD;
    request->chunked = content_length < 0 && !without_content && request->minor_version > 0;
    request->close = must_close(request);
    if (conn->state == CONNECTION_CLOSED)
        return;

    size_t type_length = content_type ? strlen(content_type) : 0;
    char *head = output_reserve(conn, HEAD_FIXED_MAX + type_length + request->extra_headers.length);
    if (!head)
        return;
    output_mark(request);
    char *to = put_status_line(head, status);
    to = put(to, date_line(conn->server), DATE_LINE_LENGTH);
    if (content_type) {
        to = PUT_LITERAL(to, "Content-Type: ");
        to = put(to, content_type, type_length);
        to = PUT_LITERAL(to, "\r\n");
    }
    if (content_length >= 0 && !without_content) {
        to = PUT_LITERAL(to, "Content-Length: ");
        to = put_decimal(to, (uint64_t)content_length);
        to = PUT_LITERAL(to, "\r\n");
    } else if (request->chunked) {
        to = PUT_LITERAL(to, "Transfer-Encoding: chunked\r\n");
    }
    if (request->close)
        to = PUT_LITERAL(to, "Connection: close\r\n");
    else if (request->minor_version == 0)
        to = PUT_LITERAL(to, "Connection: keep-alive\r\n");
    if (request->extra_headers.length > 0)
        to = put(to, request->extra_headers.data, request->extra_headers.length);
    to = PUT_LITERAL(to, "\r\n");
    output_commit(conn, (size_t)(to - head));
}

void http_respond_header(struct http_request *request, const char *name, const char *value)
{
    if (!request->begun)
        buffer_printf(&request->extra_headers, "%s: %s\r\n", name, value);
}

/* Whether a large answer may have to be kept for longer than there is room for: then it is refused as long as it can be. */
static bool refuse_for_memory(struct http_request *request, size_t length)
{
    if (length <= SMALL_ANSWER || budget_has(request->connection->server->options.memory, length))
        return false;
    buffer_done(&request->extra_headers);
    http_respond_header(request, "Retry-After", "1");
    http_respond_problem(request, 503,
                         "there is no memory left for this answer: too much waits for peers that do not "
                         "read; try again in a moment");
    return true;
}

static void respond_whole(struct http_request *request, int status, const char *content_type, struct http_slice body,
                          struct buffer *owned)
{
    if (request->begun || refuse_for_memory(request, body.length))
        return;
    write_head(request, status, content_type, status == 205 ? 0 : (int64_t)body.length);
    if (!request->bodiless) {
        request->sent = body.length;
        if (owned)
            output_send_buffer(request->connection, owned);
        else
            output_send(request->connection, body.data, body.length);
    }
    request->ended = true;
    connection_answered(request->connection);
}

void http_respond(struct http_request *request, int status, const char *content_type, const void *body, size_t length)
{
    respond_whole(request, status, content_type, (struct http_slice){body, length}, NULL);
}

void http_respond_buffer(struct http_request *request, int status, const char *content_type, struct buffer *body)
{
    respond_whole(request, status, content_type, (struct http_slice){body->data, body->length}, body);
    buffer_done(body);
}

void http_respond_begin(struct http_request *request, int status, const char *content_type, int64_t content_length)
{
    if (request->begun)
        return;
    write_head(request, status, content_type, status == 205 ? 0 : content_length);
    if (!request->connection->corked)
        output_flush(request->connection);
}

/* One piece as a chunk: size line, data, line end. */
static void send_chunk(struct connection *conn, const void *data, size_t length)
{
    char *to = output_reserve(conn, 24);
    if (!to)
        return;
    int n = snprintf(to, 24, "%zx\r\n", length);
    output_commit(conn, (size_t)n);
    output_send(conn, data, length);
    output_send(conn, "\r\n", 2);
}

bool http_respond_write(struct http_request *request, const void *data, size_t length)
{
    struct connection *conn = request->connection;
    if (!request->begun || request->ended)
        return false;
    if (!request->bodiless && length > 0) {
        if (request->announced >= 0 && length > (uint64_t)request->announced - request->sent)
            length = (size_t)((uint64_t)request->announced - request->sent);
        request->sent += length;
        if (conn->state != CONNECTION_CLOSED) {
            if (request->chunked)
                send_chunk(conn, data, length);
            else
                output_send(conn, data, length);
            if (!conn->corked)
                output_flush(conn);
        }
    }
    if (conn->orphan)
        return true; /* nobody is there to wait for, so that the handler comes to its end */
    bool behind = conn->queued > 0 || conn->state == CONNECTION_CLOSED;
    if (behind)
        request->want_drain = true;
    return !behind;
}

void http_respond_on_drain(struct http_request *request, void (*on_drain)(struct http_request *request))
{
    request->on_drain = on_drain;
}

void http_respond_end(struct http_request *request)
{
    struct connection *conn = request->connection;
    if (!request->begun || request->ended)
        return;
    request->ended = true;
    if (!request->bodiless && request->announced > 0 && request->sent < (uint64_t)request->announced) {
        output_flush(conn);
        connection_close(conn); /* shorter than announced: only the end of the connection can tell */
    } else if (request->chunked && !request->bodiless)
        output_send(conn, "0\r\n\r\n", 5);
    connection_answered(conn);
}

void http_respond_cut(struct http_request *request)
{
    struct connection *conn = request->connection;
    if (!request->begun || request->ended)
        return;
    request->ended = true;
    if (conn->orphan)
        connection_answered(conn);
    else
        connection_close(conn);
}

void http_respond_endless(struct http_request *request)
{
    request->endless = true;
}
