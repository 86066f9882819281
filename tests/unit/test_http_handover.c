/*
 * Handing the sockets of a server to another one: two servers on loops of their own stand for the two processes, and
 * duplicated descriptors for those that survive exec.
 */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define GET_ROOT "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_HOLD "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
#define SOCKETS_MAX 16

struct pair {
    struct fixture old, new;
    struct http_socket sockets[SOCKETS_MAX]; /* what the old one gave */
    unsigned count;
};

static int set_up(void **state)
{
    static struct pair pair;
    memset(&pair, 0, sizeof pair);
    http_fixture_start(&pair.old, NULL);
    http_fixture_start(&pair.new, NULL);
    *state = &pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;
    http_fixture_stop(&pair->old);
    http_fixture_stop(&pair->new);
    return 0;
}

static void note(const struct http_socket *socket, void *data)
{
    struct pair *pair = data;
    assert_true(pair->count < SOCKETS_MAX);
    struct http_socket *kept = &pair->sockets[pair->count++];
    *kept = *socket;
    kept->fd = dup(socket->fd);
    assert_true(kept->fd >= 0);
    char *input = malloc(socket->length + 1);
    assert_non_null(input);
    if (socket->length > 0)
        memcpy(input, socket->input, socket->length);
    kept->input = input;
}

/* From the paused old server to the new one. The old one goes on living, as it does until exec; it must stay quiet. */
static void hand_over(struct pair *pair)
{
    struct error err;
    http_server_hand_over(pair->old.server, note, pair);
    for (unsigned i = 0; i < pair->count; i++) {
        if (http_server_take(pair->new.server, &pair->sockets[i], &err) < 0)
            fail_msg("%s", err.message);
        free((char *)pair->sockets[i].input);
    }
}

static unsigned under_way(const struct fixture *f)
{
    struct http_under_way now;
    http_server_under_way(f->server, &now);
    return now.count;
}

static void check_root(struct fixture *f, int fd)
{
    struct reply reply = {0};
    peer_receive_answers(f, fd, &reply, 1);
    assert_int_equal(reply_status(&reply), 200);
    assert_string_equal(reply_body(&reply), "hello");
    reply_done(&reply);
}

static void turns(struct fixture *f)
{
    for (int i = 0; i < 5; i++)
        http_fixture_turn(f);
}

static void idle_connection_goes_on(void **state)
{
    struct pair *pair = *state;
    int fd = peer_connect(&pair->old);
    peer_send_text(&pair->old, fd, GET_ROOT);
    check_root(&pair->old, fd);

    http_server_pause(pair->old.server);
    assert_int_equal(under_way(&pair->old), 0);
    hand_over(pair);
    assert_int_equal(pair->count, 2);
    peer_send_text(&pair->new, fd, GET_ROOT);
    turns(&pair->old);
    check_root(&pair->new, fd);
    assert_int_equal(pair->old.requests, 1);
    assert_int_equal(pair->new.requests, 1);
    close(fd);
}

static void half_a_head_is_carried_over(void **state)
{
    struct pair *pair = *state;
    int fd = peer_connect(&pair->old);
    peer_send_text(&pair->old, fd, "GET / HTTP/1.1\r\nHo");
    turns(&pair->old);
    http_server_pause(pair->old.server);
    assert_int_equal(under_way(&pair->old), 0);
    hand_over(pair);
    peer_send_text(&pair->new, fd, "st: a\r\n\r\n");
    check_root(&pair->new, fd);
    assert_int_equal(pair->old.requests, 0);
    close(fd);
}

static void pipelined_requests_behind_one_under_way_are_carried_over(void **state)
{
    struct pair *pair = *state;
    int fd = peer_connect(&pair->old);
    peer_send_text(&pair->old, fd, GET_HOLD GET_ROOT);
    http_fixture_wait(&pair->old, pair->old.held);
    http_server_pause(pair->old.server);

    struct http_under_way now;
    http_server_under_way(pair->old.server, &now);
    assert_int_equal(now.count, 1);
    assert_string_equal(now.oldest, "GET /hold");

    struct reply reply = {0};
    http_respond(pair->old.held, 200, "text/plain", "held", 4);
    peer_receive_answers(&pair->old, fd, &reply, 1);
    assert_string_equal(reply_body(&reply), "held");
    reply_done(&reply);
    turns(&pair->old);
    assert_int_equal(under_way(&pair->old), 0);
    assert_int_equal(pair->old.requests, 1);

    hand_over(pair);
    check_root(&pair->new, fd);
    close(fd);
}

static void new_connections_wait_for_the_taker(void **state)
{
    struct pair *pair = *state;
    http_server_pause(pair->old.server);
    int fd = peer_connect(&pair->old);
    assert_int_equal(send(fd, GET_ROOT, strlen(GET_ROOT), MSG_NOSIGNAL), strlen(GET_ROOT));
    turns(&pair->old);
    assert_int_equal(http_server_connections(pair->old.server), 0);
    hand_over(pair);
    check_root(&pair->new, fd);
    close(fd);
}

static void resumed_server_catches_up(void **state)
{
    struct pair *pair = *state;
    struct fixture *old = &pair->old;
    int idle = peer_connect(old), half = peer_connect(old);
    peer_send_text(old, idle, GET_ROOT);
    check_root(old, idle);
    peer_send_text(old, half, "GET / HT");
    turns(old);
    http_server_pause(old->server);
    int late = peer_connect(old);
    peer_send_text(old, idle, GET_ROOT);
    peer_send_text(old, half, "TP/1.1\r\nHost: a\r\n\r\n");
    peer_send_text(old, late, GET_ROOT);
    turns(old);
    assert_int_equal(old->requests, 1);

    http_server_resume(old->server);
    check_root(old, idle);
    check_root(old, half);
    check_root(old, late);
    close(idle);
    close(half);
    close(late);
}

static void idle_time_begins_anew(void **state)
{
    struct pair *pair = *state;
    int fd = peer_connect(&pair->old);
    peer_send_text(&pair->old, fd, GET_ROOT);
    check_root(&pair->old, fd);
    http_server_pause(pair->old.server);
    http_server_hand_over(pair->old.server, note, pair);
    bool found = false;
    for (unsigned i = 0; i < pair->count; i++) {
        found = found || (!pair->sockets[i].listens && pair->sockets[i].served);
        free((char *)pair->sockets[i].input);
        close(pair->sockets[i].fd);
    }
    assert_true(found); /* one that has served is closed without a word, not refused with 408 */
    close(fd);
}

static void what_is_no_listener_is_refused(void **state)
{
    struct pair *pair = *state;
    struct error err = {0};
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_true(http_server_take(pair->new.server, &(struct http_socket){.fd = pipes[0], .listens = true}, &err) < 0);
    assert_non_null(strstr(err.message, "no socket"));
    close(pipes[1]);
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(http_server_take(pair->new.server, &(struct http_socket){.fd = plain, .listens = true}, &err) < 0);
    assert_non_null(strstr(err.message, "does not listen"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(idle_connection_goes_on),
        TEST(half_a_head_is_carried_over),
        TEST(pipelined_requests_behind_one_under_way_are_carried_over),
        TEST(new_connections_wait_for_the_taker),
        TEST(resumed_server_catches_up),
        TEST(idle_time_begins_anew),
        TEST(what_is_no_listener_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
