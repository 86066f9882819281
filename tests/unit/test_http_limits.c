/*
 * The HTTP server under pressure and at its end: slow, idle and vanishing peers, too many connections, no descriptors
 * left, draining, and being freed in the middle of everything.
 */
#include "http_fixture.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
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
#define LONG_MS 60000

static struct fixture fixture;

static int no_set_up(void **state)
{
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    http_fixture_stop(f);
    assert_int_equal(f->requests, f->done);
    return 0;
}

static struct http_server_limits limits_of(unsigned header_ms, unsigned idle_ms, unsigned progress_ms)
{
    struct http_server_limits limits = HTTP_SERVER_DEFAULT_LIMITS;
    limits.header_timeout_ms = header_ms;
    limits.idle_timeout_ms = idle_ms;
    limits.progress_timeout_ms = progress_ms;
    return limits;
}

static void reset_on_close(int fd)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* --- time --- */

static void slow_header(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = limits_of(50, LONG_MS, LONG_MS);
    http_fixture_start(f, &limits);
    struct reply reply = {0};
    int fd = peer_connect(f);
    int64_t start = clock_monotonic_ms();
    int64_t deadline = http_fixture_deadline();
    /* bytes that keep coming don't help */
    peer_send_text(f, fd, "GET / HTTP/1.1\r\nX: ");
    while (!reply.closed) {
        send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        peer_receive(f, fd, &reply);
        http_fixture_turn_until(f, deadline, "408");
        usleep(1000);
    }
    assert_int_equal(reply_status(&reply), 408);
    assert_in_range(clock_monotonic_ms() - start, 50, 5000);
    close(fd);
    reply_done(&reply);

    /* nor does sending nothing at all */
    fd = peer_connect(f);
    peer_receive_all(f, fd, &reply);
    assert_int_equal(reply_status(&reply), 408);
    assert_int_equal(f->refused, 2);
    close(fd);
    reply_done(&reply);
}

static void idle_connection(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = limits_of(LONG_MS, 50, LONG_MS);
    http_fixture_start(f, &limits);
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
    peer_receive_all(f, fd, &reply);
    assert_int_equal(reply_answers(&reply), 1);
    assert_true(reply.bytes.length > 0 && strcmp(reply_body(&reply), "hello") == 0); /* and not a word more */
    assert_int_equal(f->refused, 0);
    close(fd);
    reply_done(&reply);
}

static void slow_body(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = limits_of(LONG_MS, LONG_MS, 50);
    http_fixture_start(f, &limits);
    struct reply reply = exchange(f, TEXT("POST /collect HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab"), 0);
    assert_int_equal(reply_status(&reply), 408);
    assert_int_equal(f->bodies, 0);
    reply_done(&reply);
    reply = exchange(f, TEXT("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab"), 0);
    assert_int_equal(reply_status(&reply), 200); /* begun, then cut: the last chunk is missing */
    assert_int_equal(reply_answers(&reply), 0);
    reply_done(&reply);
    /* an unread one */
    reply = exchange(f, TEXT("POST /ignore HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nab"), 0);
    assert_int_equal(reply_status(&reply), 200);
    reply_done(&reply);
}

static void slow_reader(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = limits_of(LONG_MS, LONG_MS, 50);
    http_fixture_start(f, &limits);
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->aborted == 1);
    assert_int_equal(http_server_connections(f->server), 0);
    assert_int_equal(f->last_done.status, 200);
    close(fd);
}

/* A handler at work is not a slow peer. */
static void slow_handler(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = limits_of(20, 20, 20);
    http_fixture_start(f, &limits);
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->held);
    int64_t until = clock_monotonic_ms() + 150;
    http_fixture_wait(f, clock_monotonic_ms() > until);
    assert_int_equal(f->aborted, 0);
    http_respond(f->held, 200, "text/plain", "late", 4);
    peer_receive_answers(f, fd, &reply, 1);
    assert_string_equal(reply_body(&reply), "late");
    close(fd);
    reply_done(&reply);
}

/* --- numbers --- */

static void thousand_slow_connections(void **state)
{
    enum { COUNT = 1000 };
    static int fds[COUNT];
    struct fixture *f = *state;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    struct rlimit more = {.rlim_cur = files.rlim_max, .rlim_max = files.rlim_max};
    setrlimit(RLIMIT_NOFILE, &more);
    http_fixture_start(f, NULL);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = peer_connect(f);
        peer_send_text(f, fds[i], "GET / HTTP/1.1\r\nHo");
    }
    http_fixture_wait(f, http_server_connections(f->server) == COUNT);
    int64_t start = clock_monotonic_ms();
    struct reply reply = exchange(f, TEXT("GET / HTTP/1.1\r\n" HOST "\r\n"), 1);
    assert_int_equal(reply_status(&reply), 200);
    assert_in_range(clock_monotonic_ms() - start, 0, 1000);
    reply_done(&reply);
    /* and they are still served */
    peer_send_text(f, fds[COUNT / 2], "st: a\r\n\r\n");
    peer_receive_answers(f, fds[COUNT / 2], &reply, 1);
    assert_int_equal(reply_status(&reply), 200);
    reply_done(&reply);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    http_fixture_wait(f, http_server_connections(f->server) == 0);
    setrlimit(RLIMIT_NOFILE, &files);
}

static void too_many_connections(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = HTTP_SERVER_DEFAULT_LIMITS;
    limits.max_connections = 2;
    http_fixture_start(f, &limits);
    int first = peer_connect(f);
    int second = peer_connect(f);
    http_fixture_wait(f, http_server_connections(f->server) == 2);
    struct reply reply = exchange(f, TEXT("GET / HTTP/1.1\r\n" HOST "\r\n"), 0);
    assert_int_equal(reply_status(&reply), 503);
    assert_true(reply_has(&reply, "Retry-After: "));
    assert_true(reply_has(&reply, "Connection: close\r\n"));
    assert_false(reply.reset);
    assert_int_equal(f->last_refused, 503);
    reply_done(&reply);
    close(first);
    http_fixture_wait(f, http_server_connections(f->server) <= 1);
    reply = exchange(f, TEXT("GET / HTTP/1.1\r\n" HOST "\r\n"), 1);
    assert_int_equal(reply_status(&reply), 200);
    reply_done(&reply);
    close(second);
}

static void on_pause_over(uv_timer_t *timer)
{
    (void)timer;
}

/* While there is no descriptor for new connections, one after another is told so by means of the last one; the others wait,
 * without burning CPU, and are served after. */
static void out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    int refused = peer_connect(f), fd = peer_connect(f);
    struct rlimit none = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = files.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);

    struct reply reply = {0};
    peer_receive_answers(f, refused, &reply, 1);
    assert_int_equal(reply_status(&reply), 503);
    assert_true(reply_has(&reply, "Retry-After: "));
    assert_true(f->accept_failures > 0);
    reply_done(&reply);

    struct rusage before;
    struct rusage after;
    peer_send_text(f, fd, "GET / HTTP/1.1\r\n" HOST "\r\n");
    getrusage(RUSAGE_SELF, &before);
    uv_timer_t pause;
    uv_timer_init(&f->loop, &pause);
    uv_timer_start(&pause, on_pause_over, 210, 0); /* a tenth of what the refused one is given to go */
    while (uv_is_active((uv_handle_t *)&pause))
        uv_run(&f->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&pause, NULL);
    getrusage(RUSAGE_SELF, &after);
    int64_t used_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * US_PER_SECOND + after.ru_utime.tv_usec -
                      before.ru_utime.tv_usec + (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * US_PER_SECOND +
                      after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    assert_in_range(used_us, 0, 100000);
    assert_int_equal(f->requests, 0);

    setrlimit(RLIMIT_NOFILE, &files);
    peer_receive_answers(f, fd, &reply, 1);
    assert_int_equal(reply_status(&reply), 200);
    assert_int_equal(f->accept_failures, 0);
    close(refused);
    close(fd);
    reply_done(&reply);
}

static void header_limits(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = HTTP_SERVER_DEFAULT_LIMITS;
    limits.max_header_bytes = 200;
    limits.max_headers = 3;
    http_fixture_start(f, &limits);
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nD: e\r\n\r\n", 200},
        {"GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nD: e\r\nF: g\r\n\r\n", 431},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
         431},
        {"GET "
         "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         " HTTP/1.1\r\nHost: a\r\n\r\n",
         414},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reply reply = exchange(f, rows[i].request, strlen(rows[i].request), 1);
        assert_int_equal(reply_status(&reply), rows[i].status);
        reply_done(&reply);
    }
}

/* --- peers that vanish --- */

static void abort_of_a_waiting_request(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->held);
    reset_on_close(fd);
    http_fixture_wait(f, f->aborted == 1);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->last_done.status, 0);
}

/* Without on_abort the handler may answer long after its peer has gone. */
static void answer_to_nobody(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /keep HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->held);
    reset_on_close(fd);
    http_fixture_wait(f, http_server_connections(f->server) == 0);
    for (int i = 0; i < 5; i++)
        http_fixture_turn(f);
    assert_int_equal(f->done, 0);
    assert_int_equal(http_request_path(f->held).length, 5);
    assert_int_equal(http_request_socket(f->held), -1);
    http_respond_begin(f->held, 200, "text/plain", -1);
    http_respond_write(f->held, "x", 1);
    http_respond_end(f->held);
    assert_int_equal(f->done, 1);
}

static void reset_in_a_body(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    int fd = peer_connect(f);
    peer_send_text(f, fd, "POST /collect HTTP/1.1\r\n" HOST "Content-Length: 30\r\n\r\nabc");
    http_fixture_wait(f, f->requests == 1);
    reset_on_close(fd);
    http_fixture_wait(f, f->done == 1);
    assert_int_equal(f->bodies, 0);
}

static void reset_in_a_stream(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->streamed > 0);
    reset_on_close(fd);
    http_fixture_wait(f, f->aborted == 1);
    assert_int_equal(f->last_done.status, 200);
}

/* --- the end of the server --- */

static void count_drained(void *data)
{
    struct fixture *f = data;
    f->drained++;
}

static void drain(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    struct reply reply = {0};
    int busy = peer_connect(f);
    int idle = peer_connect(f);
    int fresh = peer_connect(f);
    peer_send_text(f, idle, "GET / HTTP/1.1\r\n" HOST "\r\n");
    peer_receive_answers(f, idle, &reply, 1);
    reply_done(&reply);
    peer_send_text(f, busy, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->held);
    /* a request that the server has not read yet, on a connection that it has not accepted yet */
    int late = peer_connect(f);
    assert_true(send(late, TEXT("GET / HTTP/1.1\r\n" HOST "\r\n"), MSG_NOSIGNAL) > 0);

    http_server_drain(f->server, LONG_MS, count_drained, f);
    peer_receive_all(f, idle, &reply);
    assert_int_equal(reply.bytes.length, 0);
    reply_done(&reply);
    peer_receive_all(f, fresh, &reply);
    reply_done(&reply);
    peer_receive_all(f, late, &reply);
    assert_int_equal(reply_status(&reply), 200);
    assert_true(reply_has(&reply, "Connection: close\r\n"));
    reply_done(&reply);
    assert_int_equal(f->drained, 0);
    http_respond(f->held, 200, "text/plain", "held", 4);
    peer_receive_all(f, busy, &reply);
    assert_true(reply_has(&reply, "Connection: close\r\n"));
    reply_done(&reply);
    http_fixture_wait(f, f->drained == 1);

    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(http_server_port(f->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int refused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(refused, (struct sockaddr *)&address, sizeof address), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(refused);
    close(busy);
    close(idle);
    close(fresh);
    close(late);
}

static void drain_without_connections(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    http_server_drain(f->server, LONG_MS, count_drained, f);
    assert_int_equal(f->drained, 0); /* not from inside the call */
    http_fixture_wait(f, f->drained == 1);
}

/* Its head promised that the connection stays. */
static void drain_closes_after_an_answer_that_had_begun(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->held);
    http_respond_begin(f->held, 200, "text/plain", 4);
    http_respond_write(f->held, "ha", 2);
    http_server_drain(f->server, LONG_MS, count_drained, f);
    http_respond_write(f->held, "lf", 2);
    http_respond_end(f->held);
    peer_receive_all(f, fd, &reply);
    assert_string_equal(reply_body(&reply), "half");
    http_fixture_wait(f, f->drained == 1);
    close(fd);
    reply_done(&reply);
}

static void drain_cuts_what_takes_too_long(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    struct reply reply = {0};
    int fd = peer_connect(f);
    peer_send_text(f, fd, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
    http_fixture_wait(f, f->held);
    http_server_drain(f->server, 50, count_drained, f);
    http_fixture_wait(f, f->drained == 1);
    assert_int_equal(f->aborted, 1);
    peer_receive_all(f, fd, &reply);
    assert_int_equal(reply.bytes.length, 0);
    close(fd);
    reply_done(&reply);
}

/* Freed with connections in every state. */
static void free_in_the_middle(void **state)
{
    static const char *const inputs[] = {
        "",
        "GET / HT",
        "GET / HTTP/1.1\r\n" HOST "\r\n",
        "GET /hold HTTP/1.1\r\n" HOST "\r\n",
        "GET /stream HTTP/1.1\r\n" HOST "\r\n",
        "POST /collect HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
        "POST /ignore HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nabc",
        "BAD\r\n\r\n",
    };
    enum { COUNT = sizeof inputs / sizeof inputs[0] };
    struct fixture *f = *state;
    int fds[COUNT];
    http_fixture_start(f, NULL);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = peer_connect(f);
        peer_send_text(f, fds[i], inputs[i]);
    }
    http_fixture_wait(f, f->requests == 6 && f->refused == 1);
    http_server_free(f->server);
    assert_int_equal(f->aborted, 2);
    assert_int_equal(f->done, 6);
    f->server = NULL;
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
}

static void nothing_runs_without_connections(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits limits = limits_of(40, 40, 40);
    http_fixture_start(f, &limits);
    struct reply reply = exchange(f, TEXT("GET / HTTP/1.1\r\n" HOST "\r\n"), 1);
    reply_done(&reply);
    http_fixture_wait(f, http_server_connections(f->server) == 0);
    /* no timer is due ever: the loop would sleep until a connection comes */
    http_fixture_wait(f, uv_backend_timeout(&f->loop) == -1);
}

/* --- listening --- */

static void taken_port(void **state)
{
    struct fixture *f = *state;
    struct error err = {0};
    http_fixture_start(f, NULL);
    struct http_server_options options = {.limits = HTTP_SERVER_DEFAULT_LIMITS};
    struct http_server *second = http_server_new(&f->loop, &options);
    assert_int_equal(http_server_listen(second, "127.0.0.1", http_server_port(f->server), &err), -EADDRINUSE);
    assert_non_null(strstr(err.message, "127.0.0.1"));
    assert_int_equal(http_server_listen(second, "localhost", http_server_port(f->server), &err), -EADDRINUSE);
    assert_int_equal(http_server_listen(second, "example.org", 0, &err), -EINVAL);
    assert_int_equal(http_server_port(second), 0);
    http_server_free(second);
}

static void both_addresses_of_localhost(void **state)
{
    struct fixture *f = *state;
    http_fixture_start(f, NULL);
    struct http_server_options options = {.limits = HTTP_SERVER_DEFAULT_LIMITS};
    struct http_server *both = http_server_new(&f->loop, &options);
    struct error err;
    assert_int_equal(http_server_listen(both, "localhost", 0, &err), 0);
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(http_server_port(both)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd4 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd4, (struct sockaddr *)&v4, sizeof v4), 0);
    if (fd6 >= 0 && connect(fd6, (struct sockaddr *)&v6, sizeof v6) < 0)
        assert_int_not_equal(errno, ECONNREFUSED); /* a machine without IPv6 says something else */
    close(fd4);
    close(fd6);
    http_server_free(both);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, no_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(slow_header),
        TEST(idle_connection),
        TEST(slow_body),
        TEST(slow_reader),
        TEST(slow_handler),
        TEST(thousand_slow_connections),
        TEST(too_many_connections),
        TEST(out_of_descriptors),
        TEST(header_limits),
        TEST(abort_of_a_waiting_request),
        TEST(answer_to_nobody),
        TEST(reset_in_a_body),
        TEST(reset_in_a_stream),
        TEST(drain),
        TEST(drain_without_connections),
        TEST(drain_closes_after_an_answer_that_had_begun),
        TEST(drain_cuts_what_takes_too_long),
        TEST(free_in_the_middle),
        TEST(nothing_runs_without_connections),
        TEST(taken_port),
        TEST(both_addresses_of_localhost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
