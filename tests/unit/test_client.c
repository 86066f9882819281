/*
 * http/client against a peer played by hand: one thread runs the loop and the peer's sockets in turn, so that every
 * fragment arrives alone and nothing depends on timing.
 */
#include "http/client.h"

#include "core/buffer.h"
#include "core/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 10000

static uv_loop_t loop;
static int listener;
static uint16_t port;
static struct http_client *client;

/* What on_done saw last. */
static struct {
    int calls;
    enum http_outcome outcome;
    int status;
    struct buffer body;
    uint64_t duration_ns;
} seen;

static const struct http_client_request get = {
    .method = "GET", .target = "/x", .timeout_ms = DEADLINE_MS, .max_body = 100};
static const struct http_client_request post = {
    .method = "POST", .target = "/x", .timeout_ms = DEADLINE_MS, .max_body = 100, .body = "b", .body_length = 1};

static void record(void *data, const struct http_client_response *response)
{
    (void)data;
    seen.calls++;
    seen.outcome = response->outcome;
    seen.status = response->status;
    seen.duration_ns = response->duration_ns;
    buffer_clear(&seen.body);
    assert_non_null(response->body);
    assert_int_equal(response->body[response->body_length], 0);
    buffer_append(&seen.body, response->body, response->body_length);
}

/* --- the peer --- */

static bool past(int64_t deadline)
{
    return clock_monotonic_ms() > deadline;
}

static int accept_peer(void)
{
    int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
        assert_false(past(deadline));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

static bool nobody_connects(void)
{
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) < 0 && errno == EAGAIN;
}

/* Reads one request: its head and `body_length` bytes more. */
static const char *read_request(int fd, size_t body_length)
{
    static struct buffer request;
    int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
    buffer_clear(&request);
    for (;;) {
        const char *head_end = request.data ? strstr(request.data, "\r\n\r\n") : NULL;
        if (head_end && request.length >= (size_t)(head_end + 4 - request.data) + body_length)
            return request.data;
        assert_false(past(deadline));
        uv_run(&loop, UV_RUN_NOWAIT);
        buffer_reserve(&request, 65536);
        ssize_t n = recv(fd, request.data + request.length, 65536, 0);
        assert_int_not_equal(n, 0);
        if (n > 0) {
            request.length += (size_t)n;
            request.data[request.length] = '\0';
        }
    }
}

static void answer(int fd, const char *text)
{
    size_t length = strlen(text);
    assert_int_equal(send(fd, text, length, MSG_NOSIGNAL), length);
}

static void answer_byte_by_byte(int fd, const char *text)
{
    for (; *text; text++) {
        assert_int_equal(send(fd, text, 1, MSG_NOSIGNAL), 1);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void reset(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
}

/* --- the exchange --- */

static void begin(const struct http_client_request *request)
{
    int before = seen.calls;
    http_client_send(client, request, record, NULL);
    assert_int_equal(seen.calls, before); /* never from inside */
}

static void wait_for_calls(int calls)
{
    int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
    while (seen.calls < calls) {
        assert_false(past(deadline));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(seen.calls, calls);
}

static void expect(enum http_outcome outcome, int status, const char *body)
{
    wait_for_calls(1);
    seen.calls = 0;
    assert_string_equal(http_outcome_text(seen.outcome), http_outcome_text(outcome));
    assert_int_equal(seen.status, status);
    assert_string_equal(seen.body.data, body);
    assert_int_equal(seen.body.length, strlen(body));
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* One plain exchange; leaves a kept connection, whose other end is returned. */
static int warm_up(void)
{
    begin(&get);
    int fd = accept_peer();
    read_request(fd, 0);
    answer(fd, OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    return fd;
}

static void expect_reuse(int fd)
{
    begin(&get);
    read_request(fd, 0);
    answer(fd, OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    assert_true(nobody_connects());
}

static void expect_new_connection(void)
{
    close(warm_up());
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        return -1;
    port = ntohs(address.sin_port);
    seen.calls = 0;
    uv_loop_init(&loop);
    client = http_client_new(&loop, port);
    return 0;
}

/* No handle may be left: then the loop ends by itself and can be closed. */
static int tear_down(void **state)
{
    (void)state;
    http_client_free(client);
    close(listener);
    if (uv_run(&loop, UV_RUN_DEFAULT) != 0)
        return -1;
    return uv_loop_close(&loop);
}

/* --- bodies --- */

static void sends_a_request_and_reads_content_length(void **state)
{
    (void)state;
    begin(&get);
    int fd = accept_peer();
    char expected[128];
    snprintf(expected, sizeof(expected), "GET /x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", port);
    assert_string_equal(read_request(fd, 0), expected);
    answer_byte_by_byte(fd, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    expect(HTTP_OK, 404, "hello");
    assert_true(seen.duration_ns > 0);
    expect_reuse(fd);
    close(fd);
}

static void sends_bodies_and_headers(void **state)
{
    (void)state;
    struct http_client_request request = post;
    request.content_type = "application/json";
    request.headers = "X-One: 1\r\nX-Two: 2\r\n";
    request.body = "{}";
    request.body_length = 2;
    request.close = true;
    begin(&request);
    int fd = accept_peer();
    char expected[256];
    snprintf(expected, sizeof(expected),
             "POST /x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\nContent-Type: application/json\r\n"
             "Content-Length: 2\r\nX-One: 1\r\nX-Two: 2\r\n\r\n{}",
             port);
    assert_string_equal(read_request(fd, 2), expected);
    answer(fd, OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    expect_new_connection();
    close(fd);

    request = post;
    request.body_length = 0;
    begin(&request);
    fd = accept_peer();
    assert_non_null(strstr(read_request(fd, 0), "Content-Length: 0\r\n"));
    answer(fd, OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    close(fd);
}

static void reads_chunked(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n1;x=y\r\n \r\nA\r\n0123456789\r\n0\r\nX-Trailer: z\r\n\r\n";
    int fd = warm_up();
    begin(&get);
    read_request(fd, 0);
    answer_byte_by_byte(fd, text);
    expect(HTTP_OK, 200, "hello 0123456789");
    begin(&get);
    read_request(fd, 0);
    answer(fd, text);
    expect(HTTP_OK, 200, "hello 0123456789");
    expect_reuse(fd);
    close(fd);
}

static void reads_until_the_end(void **state)
{
    (void)state;
    begin(&get);
    int fd = accept_peer();
    read_request(fd, 0);
    answer_byte_by_byte(fd, "HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_int_equal(seen.calls, 0);
    close(fd);
    expect(HTTP_OK, 200, "all of it");
    expect_new_connection();
}

static void knows_answers_without_body(void **state)
{
    (void)state;
    struct http_client_request head = get;
    head.method = "HEAD";
    static const struct {
        bool head;
        const char *text;
        int status;
    } cases[] = {
        {true, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200},
        {true, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200},
        {false, "HTTP/1.1 204 No Content\r\n\r\n", 204},
        {false, "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", 304},
    };
    int fd = warm_up();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(cases[i].head ? &head : &get);
        read_request(fd, 0);
        answer(fd, cases[i].text);
        expect(HTTP_OK, cases[i].status, "");
    }
    expect_reuse(fd);
    close(fd);
}

static void passes_interim_answers(void **state)
{
    (void)state;
    begin(&post);
    int fd = accept_peer();
    read_request(fd, 1);
    answer_byte_by_byte(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    expect_reuse(fd);

    begin(&get);
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
    expect(HTTP_BAD_RESPONSE, 0, "");
    close(fd);
}

/* Room that several requests share: a body of use keeps what it took, one of no use gives it back. */
static void bounds_bodies_together(void **state)
{
    (void)state;
    int fd = warm_up();
    size_t room = 8;
    struct http_client_request shared = get;
    shared.max_body = 100;
    shared.body_room = &room;
    begin(&shared);
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
    expect(HTTP_OK, 200, "12345");
    assert_int_equal(room, 3);

    begin(&shared);
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n1\r\n4\r\n0\r\n\r\n");
    expect(HTTP_NO_ROOM, 0, "");
    assert_int_equal(room, 3);
    close(fd);

    fd = warm_up();
    begin(&shared);
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n12");
    close(fd);
    expect(HTTP_RESET, 0, "");
    assert_int_equal(room, 3);
}

static void bounds_bodies(void **state)
{
    (void)state;
    int fd = warm_up();
    struct http_client_request small = get;
    small.max_body = 5;
    begin(&small);
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
    expect(HTTP_OK, 200, "12345");

    begin(&small);
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n1\r\n6\r\n0\r\n\r\n");
    expect(HTTP_TOO_LARGE, 0, "");
    close(fd);

    fd = warm_up();
    struct http_client_request dropped = get;
    dropped.max_body = 0;
    begin(&dropped);
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    char piece[1000];
    memset(piece, 'x', sizeof(piece));
    for (int i = 0; i < 300; i++) {
        assert_int_equal(send(fd, piece, sizeof(piece), MSG_NOSIGNAL), sizeof(piece));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    expect(HTTP_OK, 200, "");
    expect_reuse(fd);
    close(fd);
}

static void sends_large_bodies(void **state)
{
    (void)state;
    size_t length = (size_t)6 << 20;
    char *body = malloc(length);
    assert_non_null(body);
    memset(body, 'y', length);
    struct http_client_request large = post;
    large.body = body;
    large.body_length = length;
    begin(&large);
    memset(body, 'z', length); /* it was copied */
    free(body);
    int fd = accept_peer();
    const char *request = read_request(fd, length);
    assert_int_equal(strspn(strstr(request, "\r\n\r\n") + 4, "y"), length);
    answer(fd, OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    expect_reuse(fd);
    close(fd);
}

/* The peer refuses a body without reading it: the answer counts, the connection is done with. */
static void takes_an_early_answer(void **state)
{
    (void)state;
    size_t length = (size_t)16 << 20;
    char *body = calloc(1, length);
    struct http_client_request large = post;
    large.body = body;
    large.body_length = length;
    begin(&large);
    int fd = accept_peer();
    answer(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    expect(HTTP_OK, 413, "big");
    expect_new_connection();
    close(fd);
    free(body);
}

/* --- failures --- */

static void tells_refused(void **state)
{
    (void)state;
    close(listener);
    begin(&get);
    expect(HTTP_REFUSED, 0, "");
    listener = -1;
}

static void tells_timeouts(void **state)
{
    (void)state;
    struct http_client_request hurried = get;
    hurried.timeout_ms = 30;
    begin(&hurried);
    int silent = accept_peer();
    expect(HTTP_TIMEOUT, 0, "");
    assert_true(seen.duration_ns >= 30 * (uint64_t)NS_PER_MS);
    assert_true(seen.duration_ns < DEADLINE_MS * (uint64_t)NS_PER_MS);
    close(silent);

    begin(&hurried);
    int slow = accept_peer();
    read_request(slow, 0);
    answer(slow, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123");
    expect(HTTP_TIMEOUT, 0, "");
    close(slow);
    expect_new_connection();
}

/* The loop was busy elsewhere past the limit, while the answer had come in time. */
static void does_not_blame_the_peer_for_a_busy_loop(void **state)
{
    (void)state;
    struct http_client_request hurried = get;
    hurried.timeout_ms = 40;
    int fd = warm_up();
    begin(&hurried);
    answer(fd, OK_ANSWER);
    int64_t until = clock_monotonic_ms() + 80;
    while (!past(until))
        ;
    expect(HTTP_OK, 200, "ok");
    close(fd);
}

static void tells_resets(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
        "HTTP/1.1 100 Continue\r\n\r\n",
    };
    for (size_t i = 0; i < 2 * sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        begin(&get);
        int fd = accept_peer();
        read_request(fd, 0);
        answer_byte_by_byte(fd, beginnings[i / 2]);
        if (i % 2)
            reset(fd);
        else
            close(fd);
        expect(HTTP_RESET, 0, "");
        assert_true(nobody_connects()); /* a new connection is not replaced */
    }
}

static void tells_bad_answers(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x15\x03\x01\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        begin(&get);
        int fd = accept_peer();
        read_request(fd, 0);
        answer(fd, texts[i]);
        expect(HTTP_BAD_RESPONSE, 0, "");
        close(fd);
    }
}

static void bounds_headers(void **state)
{
    (void)state;
    begin(&get);
    int fd = accept_peer();
    read_request(fd, 0);
    answer(fd, "HTTP/1.1 200 OK\r\n");
    char line[1024];
    memset(line, 'h', sizeof(line));
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
    while (seen.calls == 0) {
        assert_false(past(deadline));
        (void)!send(fd, line, sizeof(line), MSG_NOSIGNAL);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    expect(HTTP_BAD_RESPONSE, 0, "");
    close(fd);
}

static void tells_local_errors(void **state)
{
    (void)state;
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    begin(&get);
    wait_for_calls(1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect(HTTP_LOCAL_ERROR, 0, "");
    expect_new_connection();
}

/* --- kept connections --- */

static void replaces_a_connection_that_was_closed(void **state)
{
    (void)state;
    const struct http_client_request *const requests[] = {&get, &post};
    for (int i = 0; i < 4; i++) {
        int fd = warm_up();
        if (i < 2)
            close(fd);
        else
            reset(fd);
        begin(requests[i % 2]); /* the loop has not run: the client cannot know yet */
        fd = accept_peer();
        read_request(fd, requests[i % 2]->body_length);
        answer(fd, OK_ANSWER);
        expect(HTTP_OK, 200, "ok");
        close(fd);
        assert_true(nobody_connects());
    }
}

static void replays_once_and_only_the_idempotent(void **state)
{
    (void)state;
    int fd = warm_up();
    begin(&get);
    read_request(fd, 0);
    close(fd); /* without a byte: the peer may have given the connection up before it saw the request */
    fd = accept_peer();
    read_request(fd, 0);
    close(fd);
    expect(HTTP_RESET, 0, "");
    assert_true(nobody_connects());

    fd = warm_up();
    begin(&post);
    read_request(fd, 1);
    close(fd);
    expect(HTTP_RESET, 0, "");
    assert_true(nobody_connects());

    fd = warm_up();
    begin(&get);
    read_request(fd, 0);
    answer_byte_by_byte(fd, "H");
    close(fd);
    expect(HTTP_RESET, 0, "");
    assert_true(nobody_connects());
}

static void keeps_only_what_can_be_kept(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", OK_ANSWER "HTTP/1.1 200 OK\r\n", /* more than was asked for */
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        begin(&get);
        int fd = accept_peer();
        read_request(fd, 0);
        answer(fd, texts[i]);
        expect(HTTP_OK, 200, "ok");
        expect_new_connection();
        close(fd);
    }

    begin(&get);
    int fd = accept_peer();
    read_request(fd, 0);
    answer(fd, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    expect(HTTP_OK, 200, "ok");
    expect_reuse(fd);

    answer(fd, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"); /* nobody asked */
    expect_new_connection();
    close(fd);
}

static void keep_running(uv_idle_t *idle)
{
    (void)idle;
}

static void gives_an_idle_connection_up_when_the_peer_does(void **state)
{
    (void)state;
    uv_idle_t idle; /* as in a program that has more to do */
    uv_idle_init(&loop, &idle);
    uv_idle_start(&idle, keep_running);
    int fd = warm_up();
    shutdown(fd, SHUT_WR);
    int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) < 0) {
        assert_false(past(deadline));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(n, 0);
    close(fd);
    uv_close((uv_handle_t *)&idle, NULL);
    expect_new_connection();
}

static void an_idle_connection_does_not_hold_the_loop(void **state)
{
    (void)state;
    int fd = warm_up();
    assert_false(uv_loop_alive(&loop));
    expect_reuse(fd);
    close(fd);
}

/* --- callbacks that do things --- */

static void free_in_callback(void *data, const struct http_client_response *response)
{
    record(data, response);
    http_client_free(client);
    client = NULL;
}

static void may_be_freed_in_the_callback(void **state)
{
    (void)state;
    http_client_send(client, &get, free_in_callback, NULL);
    int fd = accept_peer();
    read_request(fd, 0);
    answer(fd, OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    close(fd);

    client = http_client_new(&loop, port);
    struct http_client_request hurried = get;
    hurried.timeout_ms = 1;
    http_client_send(client, &hurried, free_in_callback, NULL);
    expect(HTTP_TIMEOUT, 0, "");
}

static void freed_in_flight_is_silent(void **state)
{
    (void)state;
    http_client_free(NULL);
    for (int stage = 0; stage < 4; stage++) {
        begin(&post);
        int fd = -1;
        if (stage > 0)
            uv_run(&loop, UV_RUN_NOWAIT);
        if (stage > 1) {
            fd = accept_peer();
            read_request(fd, 1);
        }
        if (stage > 2)
            answer_byte_by_byte(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123");
        http_client_free(client);
        for (int i = 0; i < 20; i++)
            uv_run(&loop, UV_RUN_NOWAIT);
        assert_int_equal(seen.calls, 0);
        if (fd >= 0)
            close(fd);
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
            close(fd);
        client = http_client_new(&loop, port);
    }
}

static void send_again(void *data, const struct http_client_response *response)
{
    record(data, response);
    assert_string_equal(response->body, "ok");
    if (--*(int *)data > 0)
        http_client_send(client, &get, send_again, data);
    assert_string_equal(response->body, "ok"); /* still there */
}

static void may_send_again_in_the_callback(void **state)
{
    (void)state;
    int left = 50;
    http_client_send(client, &get, send_again, &left);
    int fd = accept_peer();
    for (int i = 1; i <= 50; i++) {
        read_request(fd, 0);
        answer(fd, OK_ANSWER);
        wait_for_calls(i);
    }
    assert_true(nobody_connects());
    close(fd);
}

static void once_cleans_up_after_itself(void **state)
{
    (void)state;
    assert_non_null(http_client_once(&loop, port, &get, record, NULL));
    int fd = accept_peer();
    assert_non_null(strstr(read_request(fd, 0), "Connection: close\r\n"));
    answer(fd, OK_ANSWER);
    expect(HTTP_OK, 200, "ok");
    close(fd);

    struct http_client *cancelled = http_client_once(&loop, port, &get, record, NULL);
    http_client_free(cancelled);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(seen.calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sends_a_request_and_reads_content_length),
        TEST(sends_bodies_and_headers),
        TEST(reads_chunked),
        TEST(reads_until_the_end),
        TEST(knows_answers_without_body),
        TEST(passes_interim_answers),
        TEST(bounds_bodies),
        TEST(bounds_bodies_together),
        TEST(sends_large_bodies),
        TEST(takes_an_early_answer),
        TEST(tells_refused),
        TEST(tells_timeouts),
        TEST(does_not_blame_the_peer_for_a_busy_loop),
        TEST(tells_resets),
        TEST(tells_bad_answers),
        TEST(bounds_headers),
        TEST(tells_local_errors),
        TEST(replaces_a_connection_that_was_closed),
        TEST(replays_once_and_only_the_idempotent),
        TEST(keeps_only_what_can_be_kept),
        TEST(gives_an_idle_connection_up_when_the_peer_does),
        TEST(an_idle_connection_does_not_hold_the_loop),
        TEST(may_be_freed_in_the_callback),
        TEST(freed_in_flight_is_silent),
        TEST(may_send_again_in_the_callback),
        TEST(once_cleans_up_after_itself),
    };
    int failed = cmocka_run_group_tests_name("client", tests, NULL, NULL);
    buffer_done(&seen.body);
    return failed;
}
