/*
 * A verb's side of the control API: one question at a time, waited for. A failure is one sentence and an exit code, the
 * same for every verb.
 */
#ifndef SUPERVISOR_CLI_FRAME_CLIENT_H
#define SUPERVISOR_CLI_FRAME_CLIENT_H

#include "core/error.h"
#include "supervisor/cli/cli.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct client;

#define CLIENT_ANSWER_MS 15000 /* within which a question that only looks is answered; else the farm hangs */

/* What every verb that speaks to a farm takes. */
extern const struct cli_flag client_flags[];

/* Finds out where the farm is; connects to nothing yet. From here on Ctrl-C ends a wait with CLI_INTERRUPTED. */
int client_open(const struct cli_call *call, struct client **client, struct error *err);
void client_close(struct client *client); /* NULL is fine */
const char *client_url(const struct client *client);

struct client_question {
    const char *method; /* NULL: GET */
    const char *target; /* "/api/servers" */
    const char *body;   /* JSON, or NULL */
    bool acts;          /* is answered when it is done, however long that takes: CLIENT_ANSWER_MS does not hold */
    int64_t timeout_ms; /* the user's limit, over it CLI_TIMED_OUT; 0: none */
};

struct client_answer {
    int status;
    char *text;
    size_t length;
    struct cJSON *json;
};

/* CLI_DONE with an answer of status 2xx, else an exit code and the sentence. */
int client_ask(struct client *client, const struct client_question *question, struct client_answer *answer,
               struct error *err);
void client_answer_done(struct client_answer *answer);

/* Asks and follows a stream of server-sent events until it ends, `on_event` says that it is enough (a code other than
 * CLIENT_GO_ON, which is then returned), or Ctrl-C. A stream that breaks off is CLI_UNREACHABLE. `last_id` (may be NULL)
 * is where an earlier one came to. */
#define CLIENT_GO_ON (-1)
struct client_event {
    const char *id;   /* "" when it has none */
    const char *name; /* "message" when it has none */
    const char *data;
    struct cJSON *json; /* of data, NULL when that is no JSON */
};
typedef int client_event_fn(const struct client_event *event, void *data);
int client_follow(struct client *client, const struct client_question *question, const char *last_id,
                  client_event_fn *on_event, void *data, struct error *err);

/* After Ctrl-C has ended a wait: something is left to be asked, and the next Ctrl-C ends that. */
void client_go_on(struct client *client);

/* Waits; CLI_DONE, or CLI_INTERRUPTED. */
int client_sleep(struct client *client, int64_t ms);

/* Appends a text percent-encoded for a query. */
struct buffer;
void client_encode(struct buffer *out, const char *text);

#endif
