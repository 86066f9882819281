/*
 * The Docker Engine's API over its Unix socket: the only file that speaks to it. Calls are queued, a bounded number of them
 * is under way at once, and none is ever waited for on the loop.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_ENGINE_H
#define SUPERVISOR_RUNTIME_DOCKER_ENGINE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define ENGINE_MIN_API "1.41" /* Docker 20.10 */
#define ENGINE_MAX_API "1.44" /* Docker 25: the newest whose answers are known */
#define ENGINE_ADDRESS_MAX 128
#define ENGINE_VERSION_MAX 16

struct cJSON;
struct engine;
struct engine_stream;

/* Where it listens, and which version of its API is spoken with it. */
struct engine_address {
    char socket[ENGINE_ADDRESS_MAX];  /* a path that fits sun_path */
    char version[ENGINE_VERSION_MAX]; /* "1.41"; "" until engine_connect */
};

/* From DOCKER_HOST, or the usual socket. -EINVAL: it is no Unix socket, or too long. */
int engine_find(const char *docker_host, struct engine_address *address, struct error *err);

/* Asks who is there (/_ping) and settles the version: the newest that both know, or the Engine's own where that knows
 * ENGINE_MAX_API no more. Waits for some seconds at most, so it is for before the loop runs. The message of a failure says
 * what to do. */
int engine_connect(struct engine_address *address, struct error *err);

/* Nanoseconds since 1970 of a time as the Engine writes it: "2026-11-23T08:30:00.123456789Z"; 0: it is none. */
int64_t engine_time_ns(const char *text);

/* What came of a call. */
struct engine_answer {
    int status; /* HTTP's; 0: there was no answer */
    const struct cJSON
        *json;           /* the body, an array of its lines if it has several; NULL: none. Valid during the callback */
    int code;            /* 0 for 2xx and 304 ("it is so already"), else a negative errno */
    const char *version; /* the newest of its API that it speaks, "" where it didn't say */
    const char *message; /* when code is negative: a sentence, with the Engine's own words where it said some */
};

struct engine_call {
    const char *method;
    const char *path; /* behind the version, with its query: "/containers/json?all=1" */
    const void *body; /* copied; NULL: none */
    size_t body_length;
    const char *content_type; /* NULL: JSON */
    unsigned timeout_ms;      /* 0: ENGINE_TIMEOUT_MS */
    bool urgent;              /* on a new connection of its own, at once, however many others are under way */
    void (*done)(void *data, const struct engine_answer *answer);
    void *data;
};

#define ENGINE_TIMEOUT_MS 60000

struct engine *engine_new(uv_loop_t *loop, const struct engine_address *address);
/* No callback comes any more, whatever is under way; NULL is fine. */
void engine_free(struct engine *engine);

/* `done` comes exactly once, from the loop and never from inside this call. What the path and the body are made of is
 * copied. */
void engine_send(struct engine *engine, const struct engine_call *call);

/* A call made and answered here and now, on a loop of its own: before the main loop runs, or after it. `json`, unless NULL,
 * becomes the caller's to delete. */
int engine_ask(const struct engine_address *address, const struct engine_call *call, struct cJSON **json,
               struct error *err);

/* Likewise /_ping: the status of its answer (then `version` is the newest of its API that it says it speaks, "" when it says
 * none, and a status that is no success fills err too), or a negative errno when there was none. */
int engine_ping(const struct engine_address *address, char version[ENGINE_VERSION_MAX], struct error *err);

/* An answer that goes on: events, logs. on_piece gets the body of a 200 as it comes; on_end comes once, when it is over for
 * whatever reason, and not after engine_stream_free. */
struct engine_stream_calls {
    void (*on_piece)(void *data, const char *piece, size_t length);
    void (*on_end)(void *data, int status, const char *why);
};
struct engine_stream *engine_stream_open(uv_loop_t *loop, const struct engine_address *address, const char *path,
                                         const struct engine_stream_calls *calls, void *data);
void engine_stream_free(struct engine_stream *stream); /* NULL is fine; safe inside its callbacks */

#endif
