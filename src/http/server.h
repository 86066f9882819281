/*
 * An HTTP/1.1 server on a libuv loop, by RFC 9112 and 9110 to the letter: llhttp (strict) parses, and what it lets
 * through is refused above it. No allocation per request on the path of a small GET; bodies stream both ways in
 * constant memory; peers that are slow, idle or oversized are bounded.
 *
 * One request of a connection is handled at a time; pipelined ones wait in the connection's read buffer. A handler
 * answers at once or later, with one call (http_respond) or piece by piece (http_respond_begin …). A request stays
 * valid until its answer was ended or its on_abort was called, whichever comes first.
 * HEAD is answered like GET with the body left out; `Date` and `Content-Length` are the server's job.
 * What libuv sends for a peer that reads slowly may raise SIGPIPE: the program ignores that signal.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "core/budget.h"
#include "core/buffer.h"
#include "core/error.h"
#include "http/http.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct http_server;
struct http_request;

struct http_server_limits {
    unsigned max_connections;     /* over it some more get 503 with Retry-After, the rest is closed without a word */
    size_t max_header_bytes;      /* request line and headers together; over it 431 (a too long target: 414) */
    unsigned max_headers;         /* count; over it 431 */
    unsigned header_timeout_ms;   /* headers must be whole within, from the first byte (or accept) : 408 and close */
    unsigned idle_timeout_ms;     /* between requests: closed without a word */
    unsigned progress_timeout_ms; /* no byte of a body received, or none of an answer taken, for so long: closed */
};

#define HTTP_SERVER_DEFAULT_LIMITS                                                                                     \
    ((struct http_server_limits){                                                                                      \
        .max_connections = 10000,                                                                                      \
        .max_header_bytes = 16384,                                                                                     \
        .max_headers = 100,                                                                                            \
        .header_timeout_ms = 10000,                                                                                    \
        .idle_timeout_ms = 75000,                                                                                      \
        .progress_timeout_ms = 30000,                                                                                  \
    })

/* What happened to a request, for counters and access logs; `request` is still readable. */
struct http_done {
    int status;           /* 0 when the peer went away before an answer began */
    uint64_t body_bytes;  /* of the answer's body, as sent */
    uint64_t duration_ns; /* from the request's first byte parsed to the answer's last byte handed to the kernel */
};

struct http_server_options {
    struct http_server_limits limits;
    /* Called when a request's headers are whole and acceptable. Must lead to exactly one answer. */
    void (*on_request)(struct http_request *request, void *data);
    /* May be NULL. Called once for each request that on_request saw. */
    void (*on_done)(struct http_request *request, const struct http_done *done, void *data);
    /* May be NULL. Called for answers that the server gives by itself (400, 408, 414, 431, 501, 505 …), where the
     * request never reached on_request. */
    void (*on_refused)(int status, void *data);
    /* May be NULL. Called just before a connection's socket is closed, for a last look at its TCP_INFO. */
    void (*on_disconnect)(int socket, void *data);
    /* May be NULL: the log is told. Called whenever a connection cannot be accepted for want of descriptors or memory,
     * with the negative code, and with 0 once they can again. Meanwhile one after another gets 503. */
    void (*on_accept)(int code, void *data);
    /* May be NULL. What is kept for peers: bodies that are collected, and answers that the kernel has not taken. Without
     * room in it a body or a large answer becomes 503, and a peer that does not even take a small one is cut off. It may
     * be shared and must live until http_server_free. */
    struct budget *memory;
    void *data;
};

struct http_server *http_server_new(uv_loop_t *loop, const struct http_server_options *options);

/* Listens on host and port; may be called several times for one server (127.0.0.1 and ::1). "localhost" means both of
 * those, and a machine without IPv6 is no error. Port 0 takes a free one (the same for both addresses).
 * On EADDRINUSE the code is -EADDRINUSE. */
int http_server_listen(struct http_server *server, const char *host, uint16_t port, struct error *err);
uint16_t http_server_port(const struct http_server *server); /* of the first listener */
unsigned http_server_connections(const struct http_server *server);

/* Bytes read from and written to all connections so far. */
void http_server_bytes(const struct http_server *server, uint64_t *received, uint64_t *sent);

/* Calls visit for the socket of each open connection. */
void http_server_each_socket(const struct http_server *server, void (*visit)(int socket, void *data), void *data);

/* Stops accepting and closes idle connections; requests in flight are finished, each with `Connection: close`.
 * `on_drained` (may be NULL) is called once no connection is left or after timeout_ms, when the rest is cut. */
void http_server_drain(struct http_server *server, unsigned timeout_ms, void (*on_drained)(void *data), void *data);

/* --- handing over to another process, which goes on as if it had been there all the time (handover.c) --- */

/* Begins no more requests: connections that come wait in the kernel, bytes that come in the input buffers. What is
 * under way goes on. */
void http_server_pause(struct http_server *server);
void http_server_resume(struct http_server *server); /* and what has come meanwhile is looked at */

/* The connections that cannot be handed over now, because a request or the rest of its answer is under way. */
struct http_under_way {
    unsigned count;
    uint64_t oldest_ms; /* how long the first of them has been; endless ones are not asked for their age */
    char oldest[80];    /* "POST /api/load-test", cut; "" when there is none */
};
void http_server_under_way(const struct http_server *server, struct http_under_way *under_way);

/* A socket on its way from one process to the other; the descriptor's number stays the same across exec. */
struct http_socket {
    int fd;
    bool listens;      /* a connection otherwise, and the rest is of one: */
    bool served;       /* a request at least, so that it counts as idle */
    const char *input; /* read already, and no whole request yet */
    size_t length;
};

/* Tells every socket of a paused server with nothing under way. Nothing changes by that: it may be resumed after. */
void http_server_hand_over(const struct http_server *server,
                           void (*visit)(const struct http_socket *socket, void *data), void *data);

/* Takes such a socket, in the new process. On failure the descriptor is closed. */
int http_server_take(struct http_server *server, const struct http_socket *socket, struct error *err);

/* Closes everything now; the memory is freed when the last handle is closed (the loop must run once more). */
void http_server_free(struct http_server *server);

/* --- the request --- */

enum http_method http_request_method(const struct http_request *request);
struct http_slice http_request_method_name(const struct http_request *request); /* as sent */
struct http_slice http_request_target(const struct http_request *request);      /* as sent */

/* Raw (not decoded), without the query; of an absolute-form target its path; "*" stays. */
struct http_slice http_request_path(const struct http_request *request);
struct http_slice http_request_query(const struct http_request *request); /* raw, without '?'; empty when absent */

/* The authority: of an absolute-form target, else of Host; empty in HTTP/1.0 without one. */
struct http_slice http_request_host(const struct http_request *request);
int http_request_minor_version(const struct http_request *request); /* 0 or 1 */
unsigned http_request_header_count(const struct http_request *request);
struct http_header http_request_header_at(const struct http_request *request, unsigned index);
bool http_request_header(const struct http_request *request, const char *name,
                         struct http_slice *value); /* the first */
bool http_request_has_body(const struct http_request *request);
void http_request_peer(const struct http_request *request, struct sockaddr_storage *address);
int http_request_socket(const struct http_request *request); /* for TCP_INFO; not to be read or written */

/* Slot for the handler's own pointer. */
void http_request_set_context(struct http_request *request, void *context);
void *http_request_context(const struct http_request *request);

/* Called at most once, when the request ends without its handler: the peer is gone, the server is freed, or the server
 * answered by itself because the body is malformed, late or over read_body's limit. The request is invalid when it
 * returns (on_done still sees it). Without on_abort a request stays valid until the handler answers, to nobody if need
 * be; only one that waits for a body or for on_drain then ends in silence. */
void http_request_on_abort(struct http_request *request, void (*on_abort)(struct http_request *request));

/* Collects the whole body (at most `max` bytes; over it the server answers 413 by itself and on_body is not called),
 * then calls on_body; `body` is valid during the call only and NUL-terminated. With no body it is called at once, length 0. */
void http_request_read_body(struct http_request *request, size_t max,
                            void (*on_body)(struct http_request *request, const char *body, size_t length));

/* Hands the body on as it arrives; on_data with length 0 marks its end (called at once when there is no body). Reading
 * stops while a streamed answer of the same request is held up (its peer does not read), so an echo runs in constant
 * memory. */
void http_request_stream_body(struct http_request *request,
                              void (*on_data)(struct http_request *request, const char *data, size_t length));

/* A handler that asks for neither has the body read and dropped (bounded) after its answer, or the connection closed. */

/* --- the answer --- */

/* Adds a header to the answer to come. Name and value must be valid (no CR, LF); they are copied. */
void http_respond_header(struct http_request *request, const char *name, const char *value);

/* A whole answer. content_type NULL leaves the header out. The body is copied or sent before the call returns. Status
 * 204 and 304 send no body. */
void http_respond(struct http_request *request, int status, const char *content_type, const void *body, size_t length);
/* The same, and takes the body over: what the peer does not take at once is kept without a copy. */
void http_respond_buffer(struct http_request *request, int status, const char *content_type, struct buffer *body);

/* An answer in pieces: content_length >= 0 is announced and kept; -1 means chunked (HTTP/1.0: closed at the end). */
void http_respond_begin(struct http_request *request, int status, const char *content_type, int64_t content_length);
/* Sends or queues a copy of data. False: the peer is behind, wait for on_drain before the next piece. */
bool http_respond_write(struct http_request *request, const void *data, size_t length);
void http_respond_on_drain(struct http_request *request, void (*on_drain)(struct http_request *request));
void http_respond_end(struct http_request *request);

/* Gives an answer that has begun up: the connection is closed, and the peer sees that something is missing. */
void http_respond_cut(struct http_request *request);

/* The answer has no end of its own, such as a stream of events: its age is not counted by http_server_under_way. */
void http_respond_endless(struct http_request *request);

#endif
