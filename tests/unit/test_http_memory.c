/*
 * The memory that the HTTP server keeps for its peers: counted while it is kept, given back however a connection ends, and
 * refused where there is none.
 */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "Host: a\r\n\r\n"
#define LARGE ((size_t)32 << 20) /* more than the kernel's buffers on both sides */
#define LARGE_PATH "/whole/33554432"

static struct fixture fixture;

static int set_up(void **state)
{
    http_fixture_start(&fixture, NULL);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->memory.used, 0);
    http_fixture_stop(f);
    return 0;
}

/* Asks and does not read until the server keeps something for it. */
static int ask_without_reading(struct fixture *f, const char *request)
{
    int fd = peer_connect(f);
    peer_send_text(f, fd, request);
    http_fixture_wait(f, f->memory.used > 0);
    return fd;
}

static void expect_whole(struct fixture *f, int fd)
{
    struct reply reply = {0};
    peer_receive_answers(f, fd, &reply, 1);
    const char *body = reply_body(&reply);
    assert_int_equal(strlen(body), LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        if (body[i] != (char)('a' + i % 23))
            fail_msg("byte %zu is %d", i, body[i]);
    }
    reply_done(&reply);
}

static void what_waits_is_counted_until_it_is_sent(void **state)
{
    struct fixture *f = *state;
    const char *const requests[] = {"GET " LARGE_PATH "?copied HTTP/1.1\r\n" HEAD,
                                    "GET " LARGE_PATH " HTTP/1.1\r\n" HEAD};
    for (size_t i = 0; i < 2; i++) {
        int fd = ask_without_reading(f, requests[i]);
        assert_true(f->memory.used <= LARGE);
        expect_whole(f, fd);
        http_fixture_wait(f, f->memory.used == 0);
        close(fd);
    }
}

static void what_waits_is_given_back_when_the_peer_goes(void **state)
{
    struct fixture *f = *state;
    close(ask_without_reading(f, "GET " LARGE_PATH " HTTP/1.1\r\n" HEAD));
    http_fixture_wait(f, f->memory.used == 0);
}

static void without_room_a_large_answer_is_refused(void **state)
{
    struct fixture *f = *state;
    f->memory.limit = LARGE + LARGE / 2;
    int kept = ask_without_reading(f, "GET " LARGE_PATH " HTTP/1.1\r\n" HEAD);
    size_t used = f->memory.used;
    struct reply reply = exchange(f, TEXT("GET " LARGE_PATH " HTTP/1.1\r\n" HEAD), 1);
    assert_int_equal(reply_status(&reply), 503);
    assert_true(reply_has(&reply, "Retry-After: 1\r\n"));
    assert_int_equal(f->memory.used, used);
    reply_done(&reply);
    /* the kernel takes a small one at once */
    reply = exchange(f, TEXT("GET /whole/60000 HTTP/1.1\r\n" HEAD), 1);
    assert_int_equal(reply_status(&reply), 200);
    reply_done(&reply);
    /* and who reads gets all of what was promised */
    expect_whole(f, kept);
    http_fixture_wait(f, f->memory.used == 0);
    close(kept);
}

static void without_room_who_does_not_read_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct buffer many = BUFFER_EMPTY;
    for (int i = 0; i < 500; i++)
        buffer_append_text(&many, "GET /whole/60000 HTTP/1.1\r\n" HEAD);
    f->memory.limit = 1000;
    int fd = peer_connect(f);
    peer_send(f, fd, many.data, many.length);
    http_fixture_wait(f, http_server_connections(f->server) == 0);
    buffer_done(&many);
    close(fd);
}

static void without_room_a_body_is_refused(void **state)
{
    struct fixture *f = *state;
    f->memory.limit = 7;
    struct reply reply = exchange(f, TEXT("POST /collect HTTP/1.1\r\nContent-Length: 8\r\n" HEAD "12345678"), 1);
    assert_int_equal(reply_status(&reply), 503);
    assert_true(reply_has(&reply, "Retry-After: 1\r\n"));
    reply_done(&reply);
    reply = exchange(f, TEXT("POST /collect HTTP/1.1\r\nContent-Length: 7\r\n" HEAD "1234567"), 1);
    assert_int_equal(reply_status(&reply), 200);
    assert_string_equal(reply_body(&reply), "1234567");
    reply_done(&reply);
    assert_int_equal(f->memory.used, 0);
}

static void a_body_is_given_back_when_the_peer_goes(void **state)
{
    struct fixture *f = *state;
    int fd = peer_connect(f);
    peer_send_text(f, fd, "POST /collect HTTP/1.1\r\nContent-Length: 8\r\n" HEAD "1234");
    http_fixture_wait(f, f->memory.used == 4);
    close(fd);
    http_fixture_wait(f, f->memory.used == 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_waits_is_counted_until_it_is_sent), TEST(what_waits_is_given_back_when_the_peer_goes),
        TEST(without_room_a_large_answer_is_refused), TEST(without_room_who_does_not_read_is_cut_off),
        TEST(without_room_a_body_is_refused),         TEST(a_body_is_given_back_when_the_peer_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
