#include "client_fixture.h"

#include "core/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

uv_loop_t client_loop;
int origin_listener;
uint16_t origin_port;
struct http_client *client_under_test;

struct client_seen client_seen;

const struct http_client_request client_get = {
    .method = "GET", .target = "/x", .timeout_ms = CLIENT_DEADLINE_MS, .max_body = 100};
const struct http_client_request client_post = {
    .method = "POST", .target = "/x", .timeout_ms = CLIENT_DEADLINE_MS, .max_body = 100, .body = "b", .body_length = 1};

void client_record(void *data, const struct http_client_response *response)
{
    (void)data;
    client_seen.calls++;
    client_seen.outcome = response->outcome;
    client_seen.status = response->status;
    client_seen.duration_ns = response->duration_ns;
    buffer_clear(&client_seen.body);
    assert_non_null(response->body);
    assert_int_equal(response->body[response->body_length], 0);
    buffer_append(&client_seen.body, response->body, response->body_length);
}

/* --- the peer --- */

static bool past(int64_t deadline)
{
    return clock_monotonic_ms() > deadline;
}

int origin_accept(void)
{
    int64_t deadline = clock_monotonic_ms() + CLIENT_DEADLINE_MS;
    int fd;
    while ((fd = accept4(origin_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0) {
        assert_false(past(deadline));
        uv_run(&client_loop, UV_RUN_NOWAIT);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

bool origin_is_left_alone(void)
{
    for (int i = 0; i < 20; i++)
        uv_run(&client_loop, UV_RUN_NOWAIT);
    return accept4(origin_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) < 0 && errno == EAGAIN;
}

const char *origin_read_request(int fd, size_t body_length)
{
    static struct buffer request;
    int64_t deadline = clock_monotonic_ms() + CLIENT_DEADLINE_MS;
    buffer_clear(&request);
    for (;;) {
        const char *head_end = request.data ? strstr(request.data, "\r\n\r\n") : NULL;
        if (head_end && request.length >= (size_t)(head_end + 4 - request.data) + body_length)
            return request.data;
        assert_false(past(deadline));
        uv_run(&client_loop, UV_RUN_NOWAIT);
        buffer_reserve(&request, 65536);
        ssize_t n = recv(fd, request.data + request.length, 65536, 0);
        assert_int_not_equal(n, 0);
        if (n > 0) {
            request.length += (size_t)n;
            request.data[request.length] = '\0';
        }
    }
}

void origin_answer(int fd, const char *text)
{
    size_t length = strlen(text);
    assert_int_equal(send(fd, text, length, MSG_NOSIGNAL), length);
}

void origin_answer_byte_by_byte(int fd, const char *text)
{
    for (; *text; text++) {
        assert_int_equal(send(fd, text, 1, MSG_NOSIGNAL), 1);
        uv_run(&client_loop, UV_RUN_NOWAIT);
    }
}

void origin_reset(int fd)
{
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
}

/* --- the exchange --- */

void client_begin(const struct http_client_request *request)
{
    int before = client_seen.calls;
    http_client_send(client_under_test, request, client_record, NULL);
    assert_int_equal(client_seen.calls, before); /* never from inside */
}

void client_wait_for_calls(int calls)
{
    int64_t deadline = clock_monotonic_ms() + CLIENT_DEADLINE_MS;
    while (client_seen.calls < calls) {
        assert_false(past(deadline));
        uv_run(&client_loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(client_seen.calls, calls);
}

void client_expect(enum http_outcome outcome, int status, const char *body)
{
    client_wait_for_calls(1);
    client_seen.calls = 0;
    assert_string_equal(http_outcome_text(client_seen.outcome), http_outcome_text(outcome));
    assert_int_equal(client_seen.status, status);
    assert_string_equal(client_seen.body.data, body);
    assert_int_equal(client_seen.body.length, strlen(body));
}

int client_warm_up(void)
{
    client_begin(&client_get);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    return fd;
}

void client_expect_reuse(int fd)
{
    client_begin(&client_get);
    origin_read_request(fd, 0);
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    assert_true(origin_is_left_alone());
}

void client_expect_new_connection(void)
{
    close(client_warm_up());
}

int client_set_up(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    origin_listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (origin_listener < 0 || bind(origin_listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(origin_listener, 16) < 0 || getsockname(origin_listener, (struct sockaddr *)&address, &length) < 0)
        return -1;
    origin_port = ntohs(address.sin_port);
    client_seen.calls = 0;
    uv_loop_init(&client_loop);
    client_under_test = http_client_new(&client_loop, origin_port);
    return 0;
}

int client_tear_down(void **state)
{
    (void)state;
    http_client_free(client_under_test);
    close(origin_listener);
    if (uv_run(&client_loop, UV_RUN_DEFAULT) != 0)
        return -1;
    return uv_loop_close(&client_loop);
}
