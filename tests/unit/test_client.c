/*
 * http/client: requests, answers and failures, each on a connection of its own or kept.
 */
#include "client_fixture.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- bodies --- */

static void sends_a_request_and_reads_content_length(void **state)
{
    (void)state;
    client_begin(&client_get);
    int fd = origin_accept();
    char expected[128];
    snprintf(expected, sizeof(expected), "GET /x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n", origin_port);
    assert_string_equal(origin_read_request(fd, 0), expected);
    origin_answer_byte_by_byte(fd,
                               "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    client_expect(HTTP_OK, 404, "hello");
    assert_true(client_seen.duration_ns > 0);
    client_expect_reuse(fd);
    close(fd);
}

static void sends_bodies_and_headers(void **state)
{
    (void)state;
    struct http_client_request request = client_post;
    request.content_type = "application/json";
    request.headers = "X-One: 1\r\nX-Two: 2\r\n";
    request.body = "{}";
    request.body_length = 2;
    request.close = true;
    client_begin(&request);
    int fd = origin_accept();
    char expected[256];
    snprintf(expected, sizeof(expected),
             "POST /x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\nContent-Type: application/json\r\n"
             "Content-Length: 2\r\nX-One: 1\r\nX-Two: 2\r\n\r\n{}",
             origin_port);
    assert_string_equal(origin_read_request(fd, 2), expected);
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    client_expect_new_connection();
    close(fd);

    request = client_post;
    request.body_length = 0;
    client_begin(&request);
    fd = origin_accept();
    assert_non_null(strstr(origin_read_request(fd, 0), "Content-Length: 0\r\n"));
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    close(fd);
}

static void reads_chunked(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n1;x=y\r\n \r\nA\r\n0123456789\r\n0\r\nX-Trailer: z\r\n\r\n";
    int fd = client_warm_up();
    client_begin(&client_get);
    origin_read_request(fd, 0);
    origin_answer_byte_by_byte(fd, text);
    client_expect(HTTP_OK, 200, "hello 0123456789");
    client_begin(&client_get);
    origin_read_request(fd, 0);
    origin_answer(fd, text);
    client_expect(HTTP_OK, 200, "hello 0123456789");
    client_expect_reuse(fd);
    close(fd);
}

static void reads_until_the_end(void **state)
{
    (void)state;
    client_begin(&client_get);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer_byte_by_byte(fd, "HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_int_equal(client_seen.calls, 0);
    close(fd);
    client_expect(HTTP_OK, 200, "all of it");
    client_expect_new_connection();
}

static void knows_answers_without_body(void **state)
{
    (void)state;
    struct http_client_request head = client_get;
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
    int fd = client_warm_up();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        client_begin(cases[i].head ? &head : &client_get);
        origin_read_request(fd, 0);
        origin_answer(fd, cases[i].text);
        client_expect(HTTP_OK, cases[i].status, "");
    }
    client_expect_reuse(fd);
    close(fd);
}

static void passes_interim_answers(void **state)
{
    (void)state;
    client_begin(&client_post);
    int fd = origin_accept();
    origin_read_request(fd, 1);
    origin_answer_byte_by_byte(fd,
                               "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    client_expect_reuse(fd);

    client_begin(&client_get);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
    client_expect(HTTP_BAD_RESPONSE, 0, "");
    close(fd);
}

/* Room that several requests share: a body of use keeps what it took, one of no use gives it back. */
static void bounds_bodies_together(void **state)
{
    (void)state;
    int fd = client_warm_up();
    size_t room = 8;
    struct http_client_request shared = client_get;
    shared.max_body = 100;
    shared.body_room = &room;
    client_begin(&shared);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
    client_expect(HTTP_OK, 200, "12345");
    assert_int_equal(room, 3);

    client_begin(&shared);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n1\r\n4\r\n0\r\n\r\n");
    client_expect(HTTP_NO_ROOM, 0, "");
    assert_int_equal(room, 3);
    close(fd);

    fd = client_warm_up();
    client_begin(&shared);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n12");
    close(fd);
    client_expect(HTTP_RESET, 0, "");
    assert_int_equal(room, 3);
}

/* The same of the program's memory: what has no room there is this side's want. */
static void bounds_bodies_by_memory(void **state)
{
    (void)state;
    int fd = client_warm_up();
    struct budget memory = {.limit = 8};
    struct http_client_request bounded = client_get;
    bounded.max_body = 100;
    bounded.memory = &memory;
    client_begin(&bounded);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
    client_expect(HTTP_OK, 200, "12345");
    assert_int_equal(memory.used, 5);

    client_begin(&bounded);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123\r\n1\r\n4\r\n0\r\n\r\n");
    client_expect(HTTP_LOCAL_ERROR, 0, "");
    assert_int_equal(memory.used, 5);
    close(fd);
}

static void bounds_bodies(void **state)
{
    (void)state;
    int fd = client_warm_up();
    struct http_client_request small = client_get;
    small.max_body = 5;
    client_begin(&small);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
    client_expect(HTTP_OK, 200, "12345");

    client_begin(&small);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n1\r\n6\r\n0\r\n\r\n");
    client_expect(HTTP_TOO_LARGE, 0, "");
    close(fd);

    fd = client_warm_up();
    struct http_client_request dropped = client_get;
    dropped.max_body = 0;
    client_begin(&dropped);
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    char piece[1000];
    memset(piece, 'x', sizeof(piece));
    for (int i = 0; i < 300; i++) {
        assert_int_equal(send(fd, piece, sizeof(piece), MSG_NOSIGNAL), sizeof(piece));
        uv_run(&client_loop, UV_RUN_NOWAIT);
    }
    client_expect(HTTP_OK, 200, "");
    client_expect_reuse(fd);
    close(fd);
}

static void sends_large_bodies(void **state)
{
    (void)state;
    size_t length = (size_t)6 << 20;
    char *body = malloc(length);
    assert_non_null(body);
    memset(body, 'y', length);
    struct http_client_request large = client_post;
    large.body = body;
    large.body_length = length;
    client_begin(&large);
    int fd = origin_accept();
    const char *request = origin_read_request(fd, length);
    assert_int_equal(strspn(strstr(request, "\r\n\r\n") + 4, "y"), length);
    origin_answer(fd, OK_ANSWER);
    client_expect(HTTP_OK, 200, "ok");
    client_expect_reuse(fd);
    close(fd);
    free(body);
}

/* The peer refuses a body without reading it: the answer counts, the connection is done with. */
static void takes_an_early_answer(void **state)
{
    (void)state;
    size_t length = (size_t)16 << 20;
    char *body = calloc(1, length);
    struct http_client_request large = client_post;
    large.body = body;
    large.body_length = length;
    client_begin(&large);
    int fd = origin_accept();
    origin_answer(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    client_expect(HTTP_OK, 413, "big");
    client_expect_new_connection();
    close(fd);
    free(body);
}

/* --- failures --- */

static void tells_refused(void **state)
{
    (void)state;
    close(origin_listener);
    client_begin(&client_get);
    client_expect(HTTP_REFUSED, 0, "");
    origin_listener = -1;
}

static void tells_timeouts(void **state)
{
    (void)state;
    struct http_client_request hurried = client_get;
    hurried.timeout_ms = 30;
    client_begin(&hurried);
    int silent = origin_accept();
    client_expect(HTTP_TIMEOUT, 0, "");
    assert_true(client_seen.duration_ns >= 30 * (uint64_t)NS_PER_MS);
    assert_true(client_seen.duration_ns < CLIENT_DEADLINE_MS * (uint64_t)NS_PER_MS);
    close(silent);

    client_begin(&hurried);
    int slow = origin_accept();
    origin_read_request(slow, 0);
    origin_answer(slow, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123");
    client_expect(HTTP_TIMEOUT, 0, "");
    close(slow);
    client_expect_new_connection();
}

/* The loop was busy elsewhere past the limit, while the answer had come in time. */
static void does_not_blame_the_peer_for_a_busy_loop(void **state)
{
    (void)state;
    struct http_client_request hurried = client_get;
    hurried.timeout_ms = 40;
    int fd = client_warm_up();
    client_begin(&hurried);
    origin_answer(fd, OK_ANSWER);
    int64_t until = clock_monotonic_ms() + 80;
    while (clock_monotonic_ms() <= until)
        ;
    client_expect(HTTP_OK, 200, "ok");
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
        client_begin(&client_get);
        int fd = origin_accept();
        origin_read_request(fd, 0);
        origin_answer_byte_by_byte(fd, beginnings[i / 2]);
        if (i % 2)
            origin_reset(fd);
        else
            close(fd);
        client_expect(HTTP_RESET, 0, "");
        assert_true(origin_is_left_alone()); /* a new connection is not replaced */
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
        client_begin(&client_get);
        int fd = origin_accept();
        origin_read_request(fd, 0);
        origin_answer(fd, texts[i]);
        client_expect(HTTP_BAD_RESPONSE, 0, "");
        close(fd);
    }
}

static void bounds_headers(void **state)
{
    (void)state;
    client_begin(&client_get);
    int fd = origin_accept();
    origin_read_request(fd, 0);
    origin_answer(fd, "HTTP/1.1 200 OK\r\n");
    char line[1024];
    memset(line, 'h', sizeof(line));
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    int64_t deadline = clock_monotonic_ms() + CLIENT_DEADLINE_MS;
    while (client_seen.calls == 0) {
        assert_true(clock_monotonic_ms() <= deadline);
        (void)!send(fd, line, sizeof(line), MSG_NOSIGNAL);
        uv_run(&client_loop, UV_RUN_NOWAIT);
    }
    client_expect(HTTP_BAD_RESPONSE, 0, "");
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
    client_begin(&client_get);
    client_wait_for_calls(1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    client_expect(HTTP_LOCAL_ERROR, 0, "");
    client_expect_new_connection();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, client_set_up, client_tear_down)

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
        TEST(bounds_bodies_by_memory),
        TEST(sends_large_bodies),
        TEST(takes_an_early_answer),
        TEST(tells_refused),
        TEST(tells_timeouts),
        TEST(does_not_blame_the_peer_for_a_busy_loop),
        TEST(tells_resets),
        TEST(tells_bad_answers),
        TEST(bounds_headers),
        TEST(tells_local_errors),
    };
    int failed = cmocka_run_group_tests_name("client", tests, NULL, NULL);
    buffer_done(&client_seen.body);
    return failed;
}
