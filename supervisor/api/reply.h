/*
 * Answers: at once, or later from a callback of work under way. The peer may go away meanwhile; a reply then stays with
 * its owner and says nothing, so that no piece of work needs to know whether anybody still listens.
 */
#ifndef SUPERVISOR_API_REPLY_H
#define SUPERVISOR_API_REPLY_H

#include "core/buffer.h"
#include "core/error.h"
#include "http/server.h"
#include "supervisor/api/body.h"

#include <errno.h>
#include <stdbool.h>

struct api;

#define JSON_CONTENT_TYPE "application/json"
#define NO_SUCH_SERVER EIDRM /* a code of its own: ENOENT may be a program that is not there to be started */

/* 200 and the like with a JSON body; empties the buffer. */
void respond_json(struct http_request *request, int status, struct buffer *body);
/* The error's message as a problem, its code as the status: EINVAL 422, NO_SUCH_SERVER 404, EBUSY 409, ETIMEDOUT 504, … */
void respond_error(struct http_request *request, const struct error *err);
/* Room for so many bytes of an answer; false, and answered with 503, when there is no memory for them. */
bool respond_reserve(struct http_request *request, struct buffer *out, size_t bytes);
/* 503 with Retry-After. */
void respond_overload(struct http_request *request, const char *detail);
int status_of_error(const struct error *err);

/* Embedded in whatever will answer later. */
struct reply {
    struct http_request *request; /* NULL once answered or the peer is gone */
    void (*on_abort)(struct reply *reply);
};

/* Ties the reply to the request. `on_abort` (may be NULL: the work goes on untold) is called at most once, when the
 * peer is gone before the answer; never from inside the functions below. */
void reply_hold(struct reply *reply, struct http_request *request, void (*on_abort)(struct reply *reply));
bool reply_is_open(const struct reply *reply);

/* Unties them, for an answer that the caller gives by itself. */
void reply_release(struct reply *reply);

/* What holds a request; NULL when nothing does. */
struct reply *reply_of(struct http_request *request);

/* Each answers once; nothing happens when the peer is gone. */
void reply_json(struct reply *reply, int status, struct buffer *body);
void reply_error(struct reply *reply, const struct error *err);

/* Reads and parses a JSON body (absent: an empty object), then calls `handle`; what is no JSON object is answered with
 * 422. `server_id` is handed on. */
struct call {
    struct api *api;
    int server_id;
};
typedef void reply_body_fn(struct http_request *request, const struct call *call, const struct body *body);
void reply_read_body(struct http_request *request, struct api *api, int server_id, reply_body_fn *handle);

/* From the server's on_done: releases what was kept for the request. */
void reply_request_ended(struct http_request *request);

#endif
