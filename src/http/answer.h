/*
 * Reads one HTTP answer from bytes as they come: where it ends, its status, whether the connection may be kept. It holds
 * no bytes and allocates nothing; a body is counted and handed on to whoever wants it.
 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_ANSWER_MAX_HEAD ((size_t)256 * 1024) /* status line and headers, interim answers included */

enum http_answer_state {
    HTTP_ANSWER_MORE, /* it goes on */
    HTTP_ANSWER_DONE, /* it is whole */
    HTTP_ANSWER_BAD,  /* not HTTP, over the bound of its head, or cut */
};

/* To be read by the owner, written by the functions below. */
struct http_answer {
    llhttp_t parser;
    uint64_t body_bytes;
    size_t head_bytes;
    uint16_t status; /* 0 until the final answer's head is whole */
    bool head_only;  /* the answer to a HEAD */
    bool begun;      /* a byte of it came */
    bool done;
    bool reusable; /* done, and the peer keeps the connection */
};

/* Ready for the first answer of a connection. `head_only`: of all its answers. */
void http_answer_init(struct http_answer *answer, bool head_only);

/* Ready for the next one. */
void http_answer_next(struct http_answer *answer);

enum http_answer_state http_answer_feed(struct http_answer *answer, const char *data, size_t length);

/* The peer has closed: done where that marks the end of the body, else bad. */
enum http_answer_state http_answer_end(struct http_answer *answer);

#endif
