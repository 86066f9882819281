/*
 * The server under test with its handlers, and the client side by hand.
 */
#include "http_fixture.h"

#include "core/clock.h"
#include "http/problem.h"
#include "http/router.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- handlers --- */

static void handle_root(struct http_request *request, const struct http_match *match)
{
    (void)match;
    http_respond(request, 200, "text/plain", "hello", 5);
}

/* Answers with what the server made of the request: method, path, query, host, number of headers. */
static void handle_seen(struct http_request *request, const struct http_match *match)
{
    (void)match;
    struct http_slice path = http_request_path(request);
    struct http_slice query = http_request_query(request);
    struct http_slice host = http_request_host(request);
    struct http_slice method = http_request_method_name(request);
    char text[1024];
    int n =
        snprintf(text, sizeof text, "%.*s|%.*s|%.*s|%.*s|%u|1.%d", (int)method.length, method.data, (int)path.length,
                 path.data, (int)query.length, query.data ? query.data : "", (int)host.length,
                 host.data ? host.data : "", http_request_header_count(request), http_request_minor_version(request));
    http_respond(request, 200, "text/plain", text, (size_t)n);
}

static void on_echo_data(struct http_request *request, const char *data, size_t length)
{
    if (length == 0)
        http_respond_end(request);
    else
        http_respond_write(request, data, length);
}

static void handle_echo(struct http_request *request, const struct http_match *match)
{
    (void)match;
    http_request_stream_body(request, on_echo_data);
    if (http_request_has_body(request))
        http_respond_begin(request, 200, "application/octet-stream", -1);
    else
        http_respond(request, 200, NULL, NULL, 0);
}

static void on_collected(struct http_request *request, const char *body, size_t length)
{
    struct fixture *f = http_request_context(request);
    f->bodies++;
    assert_int_equal(body[length], '\0');
    http_respond(request, 200, "text/plain", body, length);
}

static void handle_collect(struct http_request *request, const struct http_match *match)
{
    http_request_set_context(request, match->data);
    http_request_read_body(request, 64, on_collected);
}

static void on_abort(struct http_request *request)
{
    struct fixture *f = http_request_context(request);
    f->aborted++;
    f->held = NULL;
}

/* Kept until the test answers. */
static void handle_hold(struct http_request *request, const struct http_match *match)
{
    struct fixture *f = match->data;
    http_request_set_context(request, f);
    http_request_on_abort(request, on_abort);
    f->held = request;
}

/* The same without on_abort: stays valid although its peer goes. */
static void handle_keep(struct http_request *request, const struct http_match *match)
{
    struct fixture *f = match->data;
    f->held = request;
}

#define STREAM_TOTAL (UINT64_C(16) << 20)

static void stream_on(struct http_request *request)
{
    static char piece[32768];
    struct fixture *f = http_request_context(request);
    while (f->streamed < STREAM_TOTAL) {
        f->streamed += sizeof piece;
        if (!http_respond_write(request, piece, sizeof piece))
            return;
    }
    http_respond_end(request);
}

/* 16 MiB in pieces, as fast as the peer takes them. */
static void handle_stream(struct http_request *request, const struct http_match *match)
{
    struct fixture *f = match->data;
    f->streamed = 0;
    http_request_set_context(request, f);
    http_request_on_abort(request, on_abort);
    http_respond_on_drain(request, stream_on);
    http_respond_begin(request, 200, "application/octet-stream", (int64_t)STREAM_TOTAL);
    stream_on(request);
}

static void handle_pieces(struct http_request *request, const struct http_match *match)
{
    (void)match;
    http_respond_begin(request, 200, "text/plain", -1);
    http_respond_write(request, "one", 3);
    http_respond_write(request, "two", 3);
    http_respond_end(request);
}

static void handle_status(struct http_request *request, const struct http_match *match)
{
    char code[4] = {0};
    memcpy(code, match->params[0].data, match->params[0].length < 3 ? match->params[0].length : 3);
    http_respond(request, (int)strtol(code, NULL, 10), "text/plain", "body", 4);
}

static void handle_short(struct http_request *request, const struct http_match *match)
{
    (void)match;
    http_respond_begin(request, 200, "text/plain", 10);
    http_respond_write(request, "four", 4);
    http_respond_end(request);
}

/* So many bytes of text, of which the place tells each; copied when kept, or taken over. */
static void handle_whole(struct http_request *request, const struct http_match *match)
{
    size_t length = strtoul(match->params[0].data, NULL, 10);
    struct buffer body = BUFFER_EMPTY;
    buffer_reserve(&body, length);
    for (size_t i = 0; i < length; i++)
        body.data[i] = (char)('a' + i % 23);
    body.length = length;
    if (http_slice_equal(http_request_query(request), "copied")) {
        http_respond(request, 200, "text/plain", body.data, body.length);
        buffer_done(&body);
    } else {
        http_respond_buffer(request, 200, "text/plain", &body);
        assert_null(body.data);
    }
}

static const struct http_route ROUTES[] = {
    {HTTP_METHOD_GET, "/whole/{bytes}", handle_whole},
    {HTTP_METHOD_GET, "/", handle_root},
    {HTTP_ANY_METHOD, "/seen", handle_seen},
    {HTTP_ANY_METHOD, "/echo", handle_echo},
    {HTTP_METHOD_POST, "/collect", handle_collect},
    {HTTP_METHOD_GET, "/hold", handle_hold},
    {HTTP_METHOD_POST, "/hold", handle_hold},
    {HTTP_METHOD_GET, "/keep", handle_keep},
    {HTTP_METHOD_GET, "/stream", handle_stream},
    {HTTP_METHOD_GET, "/pieces", handle_pieces},
    {HTTP_METHOD_GET, "/status/{code}", handle_status},
    {HTTP_METHOD_GET, "/short", handle_short},
    {HTTP_METHOD_POST, "/ignore", handle_root},
};

static void on_request(struct http_request *request, void *data)
{
    struct fixture *f = data;
    f->requests++;
    http_router_dispatch(ROUTES, sizeof ROUTES / sizeof ROUTES[0], request, f);
}

static void on_done(struct http_request *request, const struct http_done *done, void *data)
{
    struct fixture *f = data;
    f->done++;
    f->last_done = *done;
    /* still readable */
    assert_true(http_request_method_name(request).length > 0);
    if (http_request_header_count(request) > 0)
        assert_true(http_request_header_at(request, 0).name.length > 0);
}

static void on_refused(int status, void *data)
{
    struct fixture *f = data;
    f->refused++;
    f->last_refused = status;
}

static void on_accept(int code, void *data)
{
    struct fixture *f = data;
    f->accept_failures = code < 0 ? f->accept_failures + 1 : 0;
}

/* --- the server --- */

void http_fixture_start(struct fixture *f, const struct http_server_limits *limits)
{
    memset(f, 0, sizeof *f);
    f->memory.limit = SIZE_MAX;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    struct http_server_options options = {
        .limits = limits ? *limits : HTTP_SERVER_DEFAULT_LIMITS,
        .on_request = on_request,
        .on_done = on_done,
        .on_refused = on_refused,
        .on_accept = on_accept,
        .memory = &f->memory,
        .data = f,
    };
    f->server = http_server_new(&f->loop, &options);
    struct error err;
    if (http_server_listen(f->server, "127.0.0.1", 0, &err) < 0)
        fail_msg("%s", err.message);
}

void http_fixture_stop(struct fixture *f)
{
    http_server_free(f->server);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

void http_fixture_turn(struct fixture *f)
{
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

int64_t http_fixture_deadline(void)
{
    return clock_monotonic_ms() + FIXTURE_DEADLINE_MS;
}

void http_fixture_turn_until(struct fixture *f, int64_t deadline, const char *condition)
{
    http_fixture_turn(f);
    if (clock_monotonic_ms() > deadline)
        fail_msg("not in time: %s", condition);
}

/* --- the peer --- */

int peer_connect(const struct fixture *f)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(http_server_port(f->server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void peer_send(struct fixture *f, int fd, const void *data, size_t length)
{
    const char *from = data;
    int64_t deadline = http_fixture_deadline();
    while (length > 0) {
        ssize_t n = send(fd, from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            from += n;
            length -= (size_t)n;
        } else if (errno != EAGAIN) {
            return; /* the server closed; the answer tells why */
        }
        http_fixture_turn_until(f, deadline, "the server reads");
    }
}

void peer_send_text(struct fixture *f, int fd, const char *text)
{
    peer_send(f, fd, text, strlen(text));
}

void peer_receive(struct fixture *f, int fd, struct reply *reply)
{
    char data[65536];
    http_fixture_turn(f);
    ssize_t n = recv(fd, data, sizeof data, MSG_DONTWAIT);
    if (n > 0)
        buffer_append(&reply->bytes, data, (size_t)n);
    else if (n == 0)
        reply->closed = true;
    else if (errno != EAGAIN)
        reply->closed = reply->reset = true;
}

void peer_receive_answers(struct fixture *f, int fd, struct reply *reply, unsigned count)
{
    int64_t deadline = http_fixture_deadline();
    while (!reply->closed && reply_answers(reply) < count) {
        peer_receive(f, fd, reply);
        http_fixture_turn_until(f, deadline, "whole answers arrive");
    }
}

void peer_receive_all(struct fixture *f, int fd, struct reply *reply)
{
    int64_t deadline = http_fixture_deadline();
    while (!reply->closed) {
        peer_receive(f, fd, reply);
        http_fixture_turn_until(f, deadline, "the server closes");
    }
}

struct reply exchange(struct fixture *f, const char *request, size_t length, unsigned answers)
{
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send(f, fd, request, length);
    if (answers > 0)
        peer_receive_answers(f, fd, &reply, answers);
    else
        peer_receive_all(f, fd, &reply);
    close(fd);
    return reply;
}

/* --- answers --- */

void reply_done(struct reply *reply)
{
    buffer_done(&reply->bytes);
    memset(reply, 0, sizeof *reply);
}

int reply_status(const struct reply *reply)
{
    if (reply->bytes.length < 12 || strncmp(reply->bytes.data, "HTTP/1.1 ", 9) != 0)
        return 0;
    return (int)strtol(reply->bytes.data + 9, NULL, 10);
}

/* The length of the whole answer at `from`, 0 when it is not whole. */
static size_t answer_length(const char *from, size_t length)
{
    const char *end = memmem(from, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - from) + 4;
    const char *announced = memmem(from, head, "Content-Length: ", 16);
    if (announced) {
        size_t total = head + strtoul(announced + 16, NULL, 10);
        return total <= length ? total : 0;
    }
    if (!memmem(from, head, "chunked", 7))
        return head;
    const char *last = memmem(end + 2, length - head + 2, "\r\n0\r\n\r\n", 7);
    return last ? (size_t)(last - from) + 7 : 0;
}

unsigned reply_answers(const struct reply *reply)
{
    unsigned count = 0;
    size_t at = 0;
    size_t step;
    while (at < reply->bytes.length && (step = answer_length(reply->bytes.data + at, reply->bytes.length - at)) > 0) {
        at += step;
        count++;
    }
    return count;
}

bool reply_has(const struct reply *reply, const char *text)
{
    return reply->bytes.length > 0 && memmem(reply->bytes.data, reply->bytes.length, text, strlen(text));
}

const char *reply_body(const struct reply *reply)
{
    const char *end = reply->bytes.data ? strstr(reply->bytes.data, "\r\n\r\n") : NULL;
    return end ? end + 4 : "";
}
