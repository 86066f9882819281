/*
 * An HTTP client against an origin server played by hand: one thread runs the loop and the origin's sockets in turn, so
 * that every fragment arrives alone and nothing depends on timing. There is one client a test; what it saw is global.
 */
#ifndef TESTS_CLIENT_FIXTURE_H
#define TESTS_CLIENT_FIXTURE_H

#include "core/buffer.h"
#include "http/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define CLIENT_DEADLINE_MS 10000
#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

extern uv_loop_t client_loop;
extern int origin_listener;
extern uint16_t origin_port;
extern struct http_client *client_under_test;

/* What on_done saw last. */
struct client_seen {
    int calls;
    enum http_outcome outcome;
    int status;
    struct buffer body;
    uint64_t duration_ns;
};
extern struct client_seen client_seen;

extern const struct http_client_request client_get;
extern const struct http_client_request client_post; /* with a body of one byte */

/* Around every test: the second fails when a handle is left, since then the loop doesn't end by itself. */
int client_set_up(void **state);
int client_tear_down(void **state);

/* --- the origin server --- */

int origin_accept(void);
bool origin_is_left_alone(void); /* nobody connects */
/* Reads one request: its head and `body_length` bytes more. Valid until the next call. */
const char *origin_read_request(int fd, size_t body_length);
void origin_answer(int fd, const char *text);
void origin_answer_byte_by_byte(int fd, const char *text);
void origin_reset(int fd); /* closes it with a reset */

/* --- the exchange --- */

void client_record(void *data, const struct http_client_response *response); /* on_done: fills client_seen */
void client_begin(const struct http_client_request *request);
void client_wait_for_calls(int calls);
void client_expect(enum http_outcome outcome, int status, const char *body); /* waits for one call */

/* One plain exchange; leaves a kept connection, whose other end is returned. */
int client_warm_up(void);
void client_expect_reuse(int fd);
void client_expect_new_connection(void);

#endif
