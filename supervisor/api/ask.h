/*
 * One question to many servers, gathered into one answer: for each server the JSON of its 200 response, or why there is
 * none. What the answer looks like is the caller's `finish`.
 */
#ifndef SUPERVISOR_API_ASK_H
#define SUPERVISOR_API_ASK_H

#include "core/json.h"
#include "http/client.h"
#include "supervisor/api/fanout.h"
#include "supervisor/api/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define ASK_MAX_TOTAL (64u << 20) /* bytes of all answers together */
#define ASK_MAX_DEPTH 64

struct ask_entry {
    int64_t server_id; /* as asked for, which may be outside the farm */
    char *json;        /* NULL: `error` says why; "" when the 200 response had no body */
    size_t length;
    bool reset; /* by the server, while it answered */
    char error[200];
};

struct ask {
    struct reply reply;
    struct api *api;
    struct fanout *fanout;
    /* The question; its strings live in the fields below or are constants. */
    struct http_client_request request;
    char *target, *headers, *body; /* owned, may be NULL */
    bool tells_detail;             /* errors of a status carry the server's own sentence behind it */
    size_t parallel;
    size_t room; /* bytes that the answers may still take */
    int64_t began_ms;
    uv_timer_t verdict; /* a moment for why connections were reset; or the end, when it cannot be answered */
    int64_t verdict_until_ms;
    struct error refusal; /* code 0: none. Why it cannot be answered */
    /* Writes the answer through ask->reply, beginning with ask_begin_answer; the ask is freed when it returns. */
    void (*finish)(struct ask *ask);
    size_t count;
    struct ask_entry entries[];
};

/* Room for `count` servers, whose ids the caller fills in. NULL when the request was answered with 503. */
struct ask *ask_new(struct http_request *request, struct api *api, size_t count, void (*finish)(struct ask *ask));
/* The same for the servers that `select` in the query names, in their order; all of them when it is absent. */
struct ask *ask_selected(struct http_request *request, struct api *api, void (*finish)(struct ask *ask));

/* Sends ask->request to those of the servers that run; takes over the HTTP request. */
void ask_start(struct ask *ask, struct http_request *request);

/* For one that was not started after all; on its own it is freed behind `finish` or when the peer goes away. */
void ask_free(struct ask *ask);

/* Room for the answer; false, and answered with 503, when there is no memory for it. */
bool ask_begin_answer(struct ask *ask, struct buffer *out);

/* The entry's JSON, whose memory is given up then, or {"error": …}. */
void ask_write_entry(struct json_writer *w, struct ask *ask, struct ask_entry *entry);

#endif
