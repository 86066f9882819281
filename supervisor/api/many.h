/*
 * Work on many servers under way: answered when all of it is done, or with `follow` as a stream of what became of each.
 * It goes on when nobody listens any more.
 */
#ifndef SUPERVISOR_API_MANY_H
#define SUPERVISOR_API_MANY_H

#include "supervisor/api/results.h"
#include "supervisor/api/stream.h"
#include "supervisor/api/targets.h"

#include <stdbool.h>

/* The first member of its owner, which is one block of memory from xcalloc. First many_prepare, then the work is begun
 * (it may be done at once), then many_hold; many_drop when it could not be begun. */
struct many {
    struct stream stream;
    struct results *results;
    bool follow, held, streaming, done;
    bool begun; /* the reader knows how many there are */
    /* The members of the answer in front of the results; from inside many_done and later. */
    void (*write_head)(const struct many *many, struct json_writer *w);
};

/* Reads `follow` of the query. False when the request was answered; `many` is freed then. */
bool many_prepare(struct many *many, struct http_request *request, struct api *api, const struct targets *targets);
void many_drop(struct many *many);
void many_hold(struct many *many, struct http_request *request, struct api *api);

/* What became of one; as results_set. */
void many_result(struct many *many, int server_id, const struct error *err);

/* All are done: answers, and frees `many` when nobody follows it any more. */
void many_done(struct many *many);

#endif
