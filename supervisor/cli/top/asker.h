/*
 * One question at a time to the farm, on a connection of its own and not waited for.
 */
#ifndef SUPERVISOR_CLI_TOP_ASKER_H
#define SUPERVISOR_CLI_TOP_ASKER_H

#include "core/error.h"
#include "http/client.h"
#include "supervisor/cli/frame/reach.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* Shared by the askers of one farm. */
struct asked_farm {
    uv_loop_t *loop;
    const struct reach *reach;
    size_t current; /* of its addresses, the one that answered last or is tried next */
};

struct asker {
    struct asked_farm *farm;
    struct http_client *http;
    bool busy;
    char *body; /* of the question under way */
    void (*on_answer)(const struct http_client_response *response, void *data);
    void *data;
};

struct asker_question {
    const char *method; /* NULL: GET */
    const char *target;
    const char *body;    /* JSON, copied; or NULL */
    const char *last_id; /* of a stream; NULL or "": none */
    unsigned timeout_ms; /* 0: none */
    size_t max_body;
    void (*on_piece)(void *data, const char *piece, size_t length); /* of a stream, or NULL */
};

/* Must not be busy. on_answer is called once and from the loop, unless asker_forget comes first. */
void asker_ask(struct asker *asker, const struct asker_question *question);
void asker_forget(struct asker *asker); /* ends what is under way, unheard; also frees all that it has */

/* Whether an answer is of status 200; else says why not. */
bool asker_is_fine(const struct asker *asker, const struct http_client_response *response, struct error *err);

/* Whether the farm has understood a question and does not take it: to ask again is useless. */
bool asker_is_refused(const struct http_client_response *response);

#endif
