/*
 * What the HTTP server does with good requests: targets, methods, versions, bodies both ways, pipelining, reuse.
 */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST "Host: a\r\n"

static int set_up(void **state)
{
    static struct fixture f;
    http_fixture_start(&f, NULL);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_fixture_stop(f);
    assert_int_equal(f->requests, f->done);
    return 0;
}

/* What /seen makes of a request. */
static void check_seen(struct fixture *f, const char *request, const char *expected)
{
    struct reply reply = exchange(f, request, strlen(request), 1);
    assert_int_equal(reply_status(&reply), 200);
    assert_string_equal(reply_body(&reply), expected);
    reply_done(&reply);
}

static void targets(void **state)
{
    check_seen(*state, "GET /seen HTTP/1.1\r\n" HOST "\r\n", "GET|/seen||a|1|1.1");
    check_seen(*state, "GET /seen?a=b&c HTTP/1.1\r\n" HOST "\r\n", "GET|/seen|a=b&c|a|1|1.1");
    check_seen(*state, "GET /seen?/?x HTTP/1.1\r\n" HOST "\r\n", "GET|/seen|/?x|a|1|1.1");
    check_seen(*state, "GET http://b:81/seen?q HTTP/1.1\r\n" HOST "\r\n", "GET|/seen|q|b:81|1|1.1");
    check_seen(*state, "PUT HTTPS://[::1]:1/seen HTTP/1.1\r\nhost:  a \t\r\nX:\r\n\r\n", "PUT|/seen||[::1]:1|2|1.1");
    check_seen(*state, "TRACE /seen HTTP/1.1\r\nHost:\r\n\r\n", "TRACE|/seen|||1|1.1");
    check_seen(*state, "GET /seen HTTP/1.0\r\n\r\n", "GET|/seen|||0|1.0");
}

static void server_wide_options(void **state)
{
    struct reply reply = exchange(*state, TEXT("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 1);
    assert_int_equal(reply_status(&reply), 204);
    assert_true(reply_has(&reply, "Allow: GET, HEAD, POST, OPTIONS\r\n"));
    assert_false(reply_has(&reply, "Content-Length"));
    reply_done(&reply);
    reply = exchange(*state, TEXT("OPTIONS http://a HTTP/1.1\r\n" HOST "\r\n"), 1);
    assert_int_equal(reply_status(&reply), 204);
    reply_done(&reply);
    reply = exchange(*state, TEXT("GET http://a HTTP/1.1\r\n" HOST "\r\n"), 1);
    assert_string_equal(reply_body(&reply), "hello");
    reply_done(&reply);
}

static void head_has_no_body(void **state)
{
    struct fixture *f = *state;
    struct reply reply = exchange(f, TEXT("HEAD / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 0);
    assert_int_equal(reply_status(&reply), 200);
    assert_true(reply_has(&reply, "Content-Length: 5\r\n"));
    assert_true(reply_has(&reply, "Date: "));
    assert_string_equal(reply_body(&reply), "");
    assert_int_equal(f->last_done.body_bytes, 0);
    reply_done(&reply);
    reply = exchange(f, TEXT("HEAD /pieces HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 0);
    assert_true(reply_has(&reply, "Transfer-Encoding: chunked\r\n"));
    assert_string_equal(reply_body(&reply), "");
    reply_done(&reply);
    reply = exchange(f, TEXT("HEAD / HTTP/1.1\r\n\r\n"), 0);
    assert_int_equal(reply_status(&reply), 400);
    assert_string_equal(reply_body(&reply), "");
    reply_done(&reply);
}

static void statuses_without_content(void **state)
{
    struct reply reply = exchange(*state, TEXT("GET /status/204 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 0);
    assert_int_equal(reply_status(&reply), 204);
    assert_false(reply_has(&reply, "Content-Length"));
    assert_string_equal(reply_body(&reply), "");
    reply_done(&reply);
    reply = exchange(*state, TEXT("GET /status/304 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 0);
    assert_string_equal(reply_body(&reply), "");
    reply_done(&reply);
    reply = exchange(*state, TEXT("GET /status/205 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 0);
    assert_true(reply_has(&reply, "Content-Length: 0\r\n"));
    assert_string_equal(reply_body(&reply), "");
    reply_done(&reply);
    reply = exchange(*state, TEXT("GET /status/599 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 0);
    assert_int_equal(reply_status(&reply), 599);
    assert_string_equal(reply_body(&reply), "body");
    reply_done(&reply);
}

/* What the connection does after an answer, by version and Connection. */
static void persistence(void **state)
{
    static const struct {
        const char *request;
        bool closes;
        const char *announced;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", false, NULL},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", true, "Connection: close\r\n"},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x, Close ,y\r\n\r\n", true, "Connection: close\r\n"},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: close\r\n\r\n", true, "Connection: close\r\n"},
        {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", false, NULL},
        {"GET / HTTP/1.0\r\n\r\n", true, "Connection: close\r\n"},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false, "Connection: keep-alive\r\n"},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", true, "Connection: close\r\n"},
        {"GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, "Connection: close\r\n"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reply reply = {0};
        int fd = peer_connect(f);
        peer_send_text(f, fd, rows[i].request);
        if (rows[i].closes) {
            peer_receive_all(f, fd, &reply);
        } else {
            peer_receive_answers(f, fd, &reply, 1);
            peer_send_text(f, fd, rows[i].request); /* another goes through */
            peer_receive_answers(f, fd, &reply, 2);
            assert_int_equal(reply_answers(&reply), 2);
        }
        assert_int_equal(reply_status(&reply), 200);
        assert_false(reply.reset);
        if (rows[i].announced)
            assert_true(reply_has(&reply, rows[i].announced));
        else
            assert_false(reply_has(&reply, "Connection:"));
        close(fd);
        reply_done(&reply);
    }
}

static void answer_in_pieces(void **state)
{
    struct reply reply = exchange(*state, TEXT("GET /pieces HTTP/1.1\r\n" HOST "\r\n"), 1);
    assert_true(reply_has(&reply, "Transfer-Encoding: chunked\r\n"));
    assert_string_equal(reply_body(&reply), "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
    reply_done(&reply);
    reply = exchange(*state, TEXT("GET /pieces HTTP/1.0\r\n\r\n"), 0);
    assert_false(reply_has(&reply, "chunked"));
    assert_string_equal(reply_body(&reply), "onetwo");
    reply_done(&reply);
}

/* Less than announced: the connection ends, so that nobody takes what follows for the rest. */
static void short_answer(void **state)
{
    struct reply reply = exchange(*state, TEXT("GET /short HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), 0);
    assert_string_equal(reply_body(&reply), "four");
    reply_done(&reply);
}

static void check_fragmented(struct fixture *f, int fd, const char *request, const char *body)
{
    struct reply reply = {0};
    for (const char *c = request; *c; c++)
        peer_send(f, fd, c, 1);
    peer_receive_answers(f, fd, &reply, 1);
    assert_string_equal(reply_body(&reply), body);
    reply_done(&reply);
}

static void fragmented_requests(void **state)
{
    struct fixture *f = *state;
    int fd = peer_connect(f);
    check_fragmented(f, fd, "\r\nGET /seen?x HTTP/1.1\r\nHost: a\r\nLonger-Name: longer value\r\n\r\n",
                     "GET|/seen|x|a|2|1.1");
    check_fragmented(f, fd, "POST /collect HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabcde", "abcde");
    check_fragmented(f, fd,
                     "POST /collect HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                     "2;x\r\nab\r\n3\r\ncde\r\n0\r\nT:\r\n\r\n",
                     "abcde");
    close(fd);
}

static void pipelining(void **state)
{
    static const char request[] = "GET /status/299 HTTP/1.1\r\n" HOST "\r\n";
    enum { COUNT = 20000 };
    struct fixture *f = *state;
    struct buffer all = BUFFER_EMPTY;
    for (unsigned i = 0; i < COUNT; i++)
        buffer_append(&all, request, sizeof request - 1);
    buffer_append_text(&all, "POST /collect HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                             "GET /pieces HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
                             "GET / HTTP/1.1\r\n" HOST "\r\n"); /* behind the end: not answered */

    struct reply reply = {0};
    int fd = peer_connect(f);
    size_t sent = 0;
    int64_t deadline = http_fixture_deadline();
    while (!reply.closed) {
        ssize_t n = sent < all.length ? send(fd, all.data + sent, all.length - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        sent += n > 0 ? (size_t)n : 0;
        peer_receive(f, fd, &reply);
        http_fixture_turn_until(f, deadline, "all answers arrive");
    }
    assert_false(reply.reset);
    assert_int_equal(reply_answers(&reply), COUNT + 2);
    assert_int_equal(f->requests, COUNT + 2);
    assert_true(reply_has(&reply, "abcHTTP/1.1 200 OK"));
    close(fd);
    reply_done(&reply);
    buffer_done(&all);
}

/* Pipelined requests wait for one that is answered later, in order. */
static void order_of_answers(void **state)
{
    struct fixture *f = *state;
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /hold HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->held);
    for (int i = 0; i < 10; i++)
        peer_receive(f, fd, &reply);
    assert_int_equal(f->requests, 1);
    assert_int_equal(reply.bytes.length, 0);
    http_respond(f->held, 200, "text/plain", "held", 4);
    assert_int_equal(f->requests, 1); /* the next one is not started on the handler's stack */
    peer_receive_answers(f, fd, &reply, 2);
    assert_true(reply_has(&reply, "heldHTTP/1.1 200"));
    close(fd);
    reply_done(&reply);
}

/* shutdown(SHUT_WR) right behind the request: the answer still comes, also a late one. */
static void half_closed_peer(void **state)
{
    struct fixture *f = *state;
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET / HTTP/1.1\r\n" HOST "\r\nGET /hold HTTP/1.1\r\n" HOST "\r\n");
    shutdown(fd, SHUT_WR);
    http_fixture_wait(f, f->held);
    for (int i = 0; i < 10; i++)
        http_fixture_turn(f);
    assert_int_equal(f->aborted, 0);
    http_respond(f->held, 200, "text/plain", "held", 4);
    peer_receive_all(f, fd, &reply);
    assert_int_equal(reply_answers(&reply), 2);
    assert_false(reply.reset);
    close(fd);
    reply_done(&reply);
}

static void expect_continue(void **state)
{
    static const char head[] = "POST /collect HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n";
    struct fixture *f = *state;
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send_text(f, fd, head);
    http_fixture_wait(f, (peer_receive(f, fd, &reply), reply.bytes.length > 0));
    assert_string_equal(reply.bytes.data, "HTTP/1.1 100 Continue\r\n\r\n");
    reply_done(&reply);
    peer_send_text(f, fd, "abc");
    peer_receive_answers(f, fd, &reply, 1);
    assert_int_equal(reply_status(&reply), 200);
    assert_string_equal(reply_body(&reply), "abc");
    close(fd);
    reply_done(&reply);

    /* not when the body is on its way already */
    fd = peer_connect(f);
    peer_send_text(f, fd, "POST /collect HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nab");
    http_fixture_wait(f, f->requests == 2);
    peer_send_text(f, fd, "c");
    peer_receive_answers(f, fd, &reply, 1);
    assert_int_equal(reply_status(&reply), 200);
    assert_false(reply_has(&reply, "100 Continue"));
    close(fd);
    reply_done(&reply);

    /* nor when nobody reads it, or it is too large, or in HTTP/1.0 */
    reply = exchange(f, TEXT("POST /ignore HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"), 0);
    assert_int_equal(reply_status(&reply), 200);
    assert_true(reply_has(&reply, "Connection: close\r\n"));
    assert_false(reply_has(&reply, "100 Continue"));
    reply_done(&reply);
    reply =
        exchange(f, TEXT("POST /collect HTTP/1.1\r\n" HOST "Content-Length: 99\r\nExpect: 100-continue\r\n\r\n"), 0);
    assert_int_equal(reply_status(&reply), 413);
    reply_done(&reply);
    reply = exchange(f, TEXT("POST /collect HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na"), 0);
    assert_int_equal(reply_status(&reply), 200);
    reply_done(&reply);
}

/* A body that no handler asks for: small ones are thrown away, large ones end the connection, the answer comes. */
static void unread_bodies(void **state)
{
    struct fixture *f = *state;
    struct reply reply =
        exchange(f,
                 TEXT("POST /ignore HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                      "POST /ignore HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
                      "GET / HTTP/1.1\r\n" HOST "\r\n"),
                 3);
    assert_int_equal(reply_answers(&reply), 3);
    reply_done(&reply);

    reply = exchange(f,
                     TEXT("POST /ignore HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nmalformed\r\n"
                          "GET / HTTP/1.1\r\n" HOST "\r\n"),
                     0);
    assert_int_equal(reply_answers(&reply), 1); /* what follows is not taken for a request */
    reply_done(&reply);

    struct buffer large = BUFFER_EMPTY;
    buffer_append_text(&large, "POST /ignore HTTP/1.1\r\n" HOST "Content-Length: 4000000\r\n\r\n");
    buffer_reserve(&large, 4000000);
    memset(large.data + large.length, 'x', 4000000);
    large.length += 4000000;
    reply = exchange(f, large.data, large.length, 0);
    assert_int_equal(reply_status(&reply), 200);
    assert_true(reply_has(&reply, "Connection: close\r\n"));
    assert_string_equal(reply_body(&reply), "hello");
    reply_done(&reply);
    buffer_done(&large);
}

/* 64 MiB through /echo, with a reader that is always behind: memory stays where it was. */
static void echo_in_constant_memory(void **state)
{
    static char piece[65536];
    const size_t total = (size_t)64 << 20;
    struct fixture *f = *state;
    struct rusage before;
    struct rusage after;
    char head[128];
    snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: %zu\r\n\r\n",
             total);
    int fd = peer_connect(f);
    peer_send_text(f, fd, head);
    getrusage(RUSAGE_SELF, &before);
    size_t sent = 0;
    size_t received = 0;
    bool closed = false;
    int64_t deadline = http_fixture_deadline() * 2;
    for (unsigned turn = 0; !closed; turn++) {
        if (sent < total) {
            ssize_t n = send(fd, piece, sizeof piece < total - sent ? sizeof piece : total - sent, MSG_DONTWAIT);
            sent += n > 0 ? (size_t)n : 0;
        }
        http_fixture_turn_until(f, deadline, "the echo is whole");
        if (turn % 4 != 0 && sent < total)
            continue;
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        received += n > 0 ? (size_t)n : 0;
        closed = n == 0;
    }
    getrusage(RUSAGE_SELF, &after);
    assert_true(received > total);
    assert_int_equal(f->last_done.body_bytes, total);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 8192); /* KiB */
    close(fd);
}

/* A large streamed answer to a reader that takes its time arrives whole; the producer is held back. */
static void backpressure(void **state)
{
    static char piece[65536];
    struct fixture *f = *state;
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /stream HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    for (int i = 0; i < 100; i++)
        http_fixture_turn(f);
    assert_in_range(f->streamed, 32768, (16 << 20) - 1);
    size_t received = 0;
    int64_t deadline = http_fixture_deadline();
    for (bool closed = false; !closed;) {
        ssize_t n = recv(fd, piece, sizeof piece, MSG_DONTWAIT);
        received += n > 0 ? (size_t)n : 0;
        closed = n == 0;
        http_fixture_turn_until(f, deadline, "the stream ends");
    }
    assert_in_range(received, 16 << 20, (16 << 20) + 400);
    assert_int_equal(f->last_done.status, 200);
    assert_int_equal(f->last_done.body_bytes, 16 << 20);
    assert_in_range(f->last_done.duration_ns, 1, UINT64_C(60000000000));
    close(fd);
}

static void what_happened_is_told(void **state)
{
    struct fixture *f = *state;
    struct reply reply = exchange(f, TEXT("GET / HTTP/1.1\r\n" HOST "\r\n"), 1);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->last_done.status, 200);
    assert_int_equal(f->last_done.body_bytes, 5);
    assert_int_equal(f->refused, 0);
    reply_done(&reply);
    reply = exchange(f, TEXT("GET / HTTP/1.1\r\n\r\n"), 0);
    assert_int_equal(f->refused, 1);
    assert_int_equal(f->last_refused, 400);
    assert_int_equal(f->requests, 1);
    reply_done(&reply);
    reply = exchange(f, TEXT("POST /collect HTTP/1.1\r\n" HOST "Content-Length: 99\r\n\r\n"), 0);
    assert_int_equal(f->last_done.status, 413);
    assert_int_equal(f->refused, 1); /* a handler saw it, so on_done tells */
    reply_done(&reply);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(targets),       TEST(server_wide_options),     TEST(head_has_no_body), TEST(statuses_without_content),
        TEST(persistence),   TEST(answer_in_pieces),        TEST(short_answer),     TEST(fragmented_requests),
        TEST(pipelining),    TEST(order_of_answers),        TEST(half_closed_peer), TEST(expect_continue),
        TEST(unread_bodies), TEST(echo_in_constant_memory), TEST(backpressure),     TEST(what_happened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
