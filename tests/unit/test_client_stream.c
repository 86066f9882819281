/*
 * http/client: bodies that are handed on as they come, and other addresses than 127.0.0.1.
 */
#include "client_fixture.h"

#include "core/clock.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct buffer pieces; /* with a bar behind each */
static const char *free_at;  /* the client is freed when a piece is this */

static void on_piece(void *data, const char *piece, size_t length)
{
    (void)data;
    buffer_append(&pieces, piece, length);
    buffer_append_char(&pieces, '|');
    if (free_at && strlen(free_at) == length && memcmp(free_at, piece, length) == 0) {
        http_client_free(client_under_test);
        client_under_test = NULL;
    }
}

static int set_up(void **state)
{
    buffer_clear(&pieces);
    buffer_append_text(&pieces, "");
    free_at = NULL;
    return client_set_up(state);
}

static struct http_client_request streaming(void)
{
    struct http_client_request request = client_get;
    request.on_piece = on_piece;
    request.max_body = 4; /* bounds what is kept, not what is handed on */
    return request;
}

static void wait_for_pieces(const char *text)
{
    int64_t deadline = clock_monotonic_ms() + CLIENT_DEADLINE_MS;
    while (strcmp(pieces.data, text) != 0) {
        assert_true(clock_monotonic_ms() < deadline);
        uv_run(&client_loop, UV_RUN_NOWAIT);
    }
}

static void hands_pieces_on_as_they_come(void **state)
{
    (void)state;
    const struct http_client_request request = streaming();
    client_begin(&request);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    wait_for_pieces("first|");
    origin_answer(fd, "6\r\nsecond\r\n");
    wait_for_pieces("first|second|");
    assert_int_equal(client_seen.calls, 0);
    origin_answer(fd, "0\r\n\r\n");
    client_expect(HTTP_OK, 200, "");
    close(fd);
}

static void keeps_the_body_of_a_refusal(void **state)
{
    (void)state;
    struct http_client_request request = streaming();
    request.max_body = 100;
    client_begin(&request);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nbusy");
    client_expect(HTTP_OK, 409, "busy");
    assert_string_equal(pieces.data, "");
    close(fd);
}

static void tells_when_a_stream_breaks_off(void **state)
{
    (void)state;
    const struct http_client_request request = streaming();
    client_begin(&request);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    wait_for_pieces("first|");
    close(fd);
    client_expect(HTTP_RESET, 0, "");
}

static void may_be_freed_by_a_piece(void **state)
{
    (void)state;
    const struct http_client_request request = streaming();
    free_at = "stop";
    client_begin(&request);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(
        fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\non\r\n4\r\nstop\r\n4\r\nmore\r\n0\r\n\r\n");
    wait_for_pieces("on|stop|");
    for (int i = 0; i < 20; i++)
        uv_run(&client_loop, UV_RUN_NOWAIT);
    assert_string_equal(pieces.data, "on|stop|");
    assert_int_equal(client_seen.calls, 0);
    close(fd);
}

static void speaks_to_any_address(void **state)
{
    (void)state;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(origin_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    http_client_free(client_under_test);
    client_under_test = http_client_new_at(&client_loop, (const struct sockaddr *)&address, "build-box:8000");
    client_begin(&client_get);
    int fd = origin_accept();
    assert_non_null(strstr(origin_read_request(fd, 0), "\r\nHost: build-box:8000\r\n"));
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, client_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(hands_pieces_on_as_they_come), TEST(keeps_the_body_of_a_refusal), TEST(tells_when_a_stream_breaks_off),
        TEST(may_be_freed_by_a_piece),      TEST(speaks_to_any_address),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_done(&pieces);
    return failed;
}
