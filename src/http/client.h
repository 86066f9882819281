/*
 * An HTTP/1.1 client on a libuv loop: one request at a time on a connection that is kept while both sides like. Answers
 * are bounded in size and time, or handed on as they come. llhttp parses.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "core/budget.h"
#include "http/http.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct http_client;

enum http_outcome {
    HTTP_OK,           /* an answer came, whatever its status */
    HTTP_REFUSED,      /* nothing listens there */
    HTTP_TIMEOUT,      /* not whole within timeout_ms */
    HTTP_RESET,        /* the connection ended before the answer did */
    HTTP_BAD_RESPONSE, /* not HTTP */
    HTTP_TOO_LARGE,    /* a body over max_body */
    HTTP_NO_ROOM,      /* a body for which body_room had not enough left */
    HTTP_LOCAL_ERROR,  /* out of descriptors, memory or ports here */
};

struct http_client_request {
    const char *method;       /* "GET" */
    const char *target;       /* "/health" */
    const char *content_type; /* of the body; NULL for none */
    const char *headers;      /* further lines, each "Name: value\r\n", or NULL */
    const void *body;         /* must live until on_done or http_client_free */
    size_t body_length;
    unsigned timeout_ms; /* for the whole exchange, connecting included; 0 means none */
    size_t max_body;     /* bytes of answer body kept; 0: the body is read and dropped, of any size */
    size_t
        *body_room; /* bytes for the bodies of several requests together, may be NULL: taken as a body comes in, given
                            back when it is of no use; what an HTTP_OK body has taken stays taken */
    struct budget
        *memory; /* likewise for all bodies of the program; without room in it HTTP_LOCAL_ERROR with -ENOBUFS */
    bool close;  /* sends Connection: close and does not keep the connection */
    const char *keep_header; /* name of a header whose value is wanted, or NULL; must live as long as the body */
    /* May be NULL. Takes the body of a 200 as it comes, which is then neither kept nor bounded; on_done's `data`. */
    void (*on_piece)(void *data, const char *piece, size_t length);
};

struct http_client_response {
    enum http_outcome outcome;
    int status;         /* 0 unless HTTP_OK */
    int error;          /* HTTP_LOCAL_ERROR: the negative errno; else 0 */
    const char *header; /* of keep_header, valid during the callback; "" when there is none, or it is too long */
    const char *body;   /* NUL-terminated, valid during the callback */
    size_t body_length;
    uint64_t duration_ns;
};

/* For 127.0.0.1 and `port`. */
struct http_client *http_client_new(uv_loop_t *loop, uint16_t port);

/* The same for any IPv4 address. */
struct http_client *http_client_new_in(uv_loop_t *loop, const struct sockaddr_in *address);

/* For any address, that of a Unix socket (with a path) too; `authority` is what Host says ("build-box:8000"). */
struct http_client *http_client_new_at(uv_loop_t *loop, const struct sockaddr *address, const char *authority);

/* One request in flight for a client; on_done is called exactly once and never from inside this call, unless the client is freed first
 * (then never). The next send may be made from within on_done. A kept connection that turns out closed before any byte
 * of the answer came is replaced once for idempotent methods. */
void http_client_send(struct http_client *client, const struct http_client_request *request,
                      void (*on_done)(void *data, const struct http_client_response *response), void *data);

void http_client_free(struct http_client *client); /* NULL is fine; safe inside on_done and on_piece */

const char *http_outcome_text(
    enum http_outcome outcome); /* "refused", "timeout", "reset", "bad response", "too large", … */

/* One request on a connection of its own. Returns a handle for http_client_free before on_done; after on_done it is
 * freed by itself. */
struct http_client *http_client_once(uv_loop_t *loop, const struct sockaddr_in *address,
                                     const struct http_client_request *request,
                                     void (*on_done)(void *data, const struct http_client_response *response),
                                     void *data);

#endif
