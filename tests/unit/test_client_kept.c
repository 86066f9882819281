/*
 * http/client: kept connections, and callbacks that use the client they came from.
 */
#include "client_fixture.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- kept connections --- */

static void replaces_a_connection_that_was_closed(void **state)
{
    (void)state;
    const struct http_client_request *const requests[] = {&client_get, &client_post};
    for (int i = 0; i < 4; i++) {
        int fd = client_warm_up();
        if (i < 2)
            close(fd);
        else
            origin_reset(fd);
        client_begin(requests[i % 2]); /* the loop has not run: the client cannot know yet */
        fd = origin_accept();
        origin_read_request(fd, requests[i % 2]->body_length);
        origin_answer(fd, OK_ANSWER);
        client_expect(HTTP_OK, 200, "ok");
        close(fd);
        assert_true(origin_is_left_alone());
    }
}

static void replays_once_and_only_the_idempotent(void **state)
{
    (void)state;
    int fd = client_warm_up();
    client_begin(&client_get);
    origin_read_request(fd, 0);
    close(fd); /* without a byte: the peer may have given the connection up before it saw the request */
    fd = origin_accept();
    origin_read_request(fd, 0);
    close(fd);
    client_expect(HTTP_RESET, 0, "");
    assert_true(origin_is_left_alone());

    fd = client_warm_up();
    client_begin(&client_post);
    origin_read_request(fd, 1);
    close(fd);
    client_expect(HTTP_RESET, 0, "");
    assert_true(origin_is_left_alone());

    fd = client_warm_up();
    client_begin(&client_get);
    origin_read_request(fd, 0);
    origin_answer_byte_by_byte(fd, "H");
    close(fd);
    client_expect(HTTP_RESET, 0, "");
    assert_true(origin_is_left_alone());
}

static void keeps_only_what_can_be_kept(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", OK_ANSWER "HTTP/1.1 200 OK\r\n", /* more than was asked for */
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        client_begin(&client_get);
        int fd = origin_accept();
        origin_read_request(fd, 0);
        origin_answer(fd, texts[i]);
        client_expect(HTTP_OK, 200, "ok");
        client_expect_new_connection();
        close(fd);
    }

    client_begin(&client_get);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
    client_expect(HTTP_OK, 200, "ok");
    client_expect_reuse(fd);

    origin_answer(fd, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"); /* nobody asked */
    client_expect_new_connection();
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
    uv_idle_init(&client_loop, &idle);
    uv_idle_start(&idle, keep_running);
    int fd = client_warm_up();
    shutdown(fd, SHUT_WR);
    int64_t deadline = clock_monotonic_ms() + CLIENT_DEADLINE_MS;
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) < 0) {
        assert_true(clock_monotonic_ms() <= deadline);
        uv_run(&client_loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(n, 0);
    close(fd);
    uv_close((uv_handle_t *)&idle, NULL);
    client_expect_new_connection();
}

static void an_idle_connection_does_not_hold_the_loop(void **state)
{
    (void)state;
    int fd = client_warm_up();
    assert_false(uv_loop_alive(&client_loop));
    client_expect_reuse(fd);
    close(fd);
}

/* --- callbacks that do things --- */

static void free_in_callback(void *data, const struct http_client_response *response)
{
    client_record(data, response);
    http_client_free(client_under_test);
    client_under_test = NULL;
}

static void may_be_freed_in_the_callback(void **state)
{
    (void)state;
    http_client_send(client_under_test, &client_get, free_in_callback, NULL);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    close(fd);

    client_under_test = http_client_new(&client_loop, origin_port);
    struct http_client_request hurried = client_get;
    hurried.timeout_ms = 1;
    http_client_send(client_under_test, &hurried, free_in_callback, NULL);
    client_expect(HTTP_TIMEOUT, 0, "");
}

static void freed_in_flight_is_silent(void **state)
{
    (void)state;
    http_client_free(NULL);
    for (int stage = 0; stage < 4; stage++) {
        client_begin(&client_post);
        int fd = -1;
        if (stage > 0)
            uv_run(&client_loop, UV_RUN_NOWAIT);
        if (stage > 1) {
            fd = origin_accept();
            origin_read_request(fd, 1);
        }
        if (stage > 2)
            origin_answer_byte_by_byte(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123");
        http_client_free(client_under_test);
        for (int i = 0; i < 20; i++)
            uv_run(&client_loop, UV_RUN_NOWAIT);
        assert_int_equal(client_seen.calls, 0);
        if (fd >= 0)
            close(fd);
        while ((fd = accept4(origin_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
            close(fd);
        client_under_test = http_client_new(&client_loop, origin_port);
    }
}

static void send_again(void *data, const struct http_client_response *response)
{
    client_record(data, response);
    assert_string_equal(response->body, "ok");
    if (--*(int *)data > 0)
        http_client_send(client_under_test, &client_get, send_again, data);
    assert_string_equal(response->body, "ok"); /* still there */
}

static void may_send_again_in_the_callback(void **state)
{
    (void)state;
    int left = 50;
    http_client_send(client_under_test, &client_get, send_again, &left);
    int fd = origin_accept();
    for (int i = 1; i <= 50; i++) {
        origin_read_request(fd, 0);
        origin_answer(fd, OK_ANSWER);
        client_wait_for_calls(i);
    }
    assert_true(origin_is_left_alone());
    close(fd);
}

static void once_cleans_up_after_itself(void **state)
{
    const struct sockaddr_in origin = {
        .sin_family = AF_INET, .sin_port = htons(origin_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)state;
    assert_non_null(http_client_once(&client_loop, &origin, &client_get, client_record, NULL));
    int fd = origin_accept();
    assert_non_null(strstr(origin_read_request(fd, 0), "Connection: close\r\n"));
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    close(fd);

    struct http_client *cancelled = http_client_once(&client_loop, &origin, &client_get, client_record, NULL);
    http_client_free(cancelled);
    assert_int_equal(uv_run(&client_loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(client_seen.calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, client_set_up, client_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    int failed = cmocka_run_group_tests_name("client, kept connections", tests, NULL, NULL);
    buffer_done(&client_seen.body);
    return failed;
}
