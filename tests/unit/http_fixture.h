/*
 * A real HTTP server and raw client sockets in one thread, for the tests of the server: the loop runs in small turns
 * while a socket is read or written, so nothing depends on timing.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include "core/budget.h"
#include "core/buffer.h"
#include "http/server.h"

#include <stdbool.h>
#include <stddef.h>

#define FIXTURE_DEADLINE_MS 10000

struct fixture {
    uv_loop_t loop;
    struct http_server *server;
    unsigned requests;
    unsigned done;
    unsigned refused;
    unsigned aborted;
    unsigned drained;
    int last_refused;
    struct http_done last_done;
    struct http_request *held; /* of /hold, answered by the test */
    uint64_t streamed;         /* bytes that /stream has written */
    unsigned bodies;           /* calls of /collect's on_body */
    unsigned accept_failures;  /* told in a row */
    struct budget memory;      /* without a limit, unless a test sets one */
};

/* The server's answers as they came, and whether the server closed the connection. */
struct reply {
    struct buffer bytes;
    bool closed; /* end of stream */
    bool reset;  /* or a reset */
};

/* Limits NULL: the defaults. */
void http_fixture_start(struct fixture *f, const struct http_server_limits *limits);
void http_fixture_stop(
    struct fixture *f); /* frees the server, runs the loop to its end and checks that nothing is left */

void http_fixture_turn(struct fixture *f); /* runs what is due without blocking */

/* Runs the loop until the condition holds; fails the test after the deadline. */
#define http_fixture_wait(f, condition)                                                                                \
    for (int64_t end_ = http_fixture_deadline(); !(condition);)                                                        \
    http_fixture_turn_until(f, end_, #condition)
int64_t http_fixture_deadline(void);
void http_fixture_turn_until(struct fixture *f, int64_t deadline, const char *condition);

int peer_connect(const struct fixture *f);
void peer_send(struct fixture *f, int fd, const void *data, size_t length);
void peer_send_text(struct fixture *f, int fd, const char *text);
void peer_receive(struct fixture *f, int fd, struct reply *reply);                         /* what is there now */
void peer_receive_answers(struct fixture *f, int fd, struct reply *reply, unsigned count); /* or up to the end */
void peer_receive_all(struct fixture *f, int fd, struct reply *reply); /* up to the end of the connection */

/* One request on a connection of its own; reads `answers` whole answers, or up to the end when that is 0. */
struct reply exchange(struct fixture *f, const char *request, size_t length, unsigned answers);

void reply_done(struct reply *reply);
int reply_status(const struct reply *reply);       /* of the first answer; 0 when there is none */
unsigned reply_answers(const struct reply *reply); /* whole ones */
bool reply_has(const struct reply *reply, const char *text);
const char *reply_body(const struct reply *reply); /* behind the first head */

#define TEXT(literal) (literal), sizeof(literal) - 1

#endif
