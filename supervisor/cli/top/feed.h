/*
 * What `farmd top` asks the farm, all of it at once and none of it waited for: the servers once a second, the log and the
 * events of the one that is open, and what is to be done. A farm that is slow or gone is asked again, for as long as it takes.
 */
#ifndef SUPERVISOR_CLI_TOP_FEED_H
#define SUPERVISOR_CLI_TOP_FEED_H

#include "supervisor/cli/frame/reach.h"
#include "supervisor/cli/top/snapshot.h"

#include <stdbool.h>
#include <uv.h>

struct cJSON;
struct feed;

/* Called from the loop. JSON lives during the call. */
struct feed_listener {
    /* Of the list, or of the open server when `single`; taken over. */
    void (*on_snapshot)(struct snapshot *snapshot, bool single, void *data);
    /* Why there is none. `refused`: the farm does not accept what it was asked, and is not asked again. */
    void (*on_trouble)(const char *sentence, bool refused, void *data);
    void (*on_policy)(const struct cJSON *server, void *data);   /* GET /api/servers/{id} of the open one */
    void (*on_history)(const struct cJSON *history, void *data); /* of the open one, every second */
    void (*on_lines)(const struct cJSON *lines, void *data);     /* of its log: {"lines": …} */
    void (*on_event)(const struct cJSON *event, void *data);     /* of it; NULL: some were lost */
    /* The load test that is watched, every second and once it has ended; NULL: there is none any more. */
    void (*on_load)(const struct cJSON *run, void *data);
    /* What came of feed_act: an answer, or NULL and the sentence; within `ms`. */
    void (*on_done)(const struct cJSON *answer, int64_t ms, const char *sentence, void *data);
};

/* All must outlive it. */
struct feed *feed_new(uv_loop_t *loop, const struct reach *reach, const struct feed_listener *listener, void *data);
void feed_free(struct feed *feed); /* what was begun goes on in the farm; the loop must run once more */

/* From now on the list is of these servers (NULL: all), asked for at once. */
void feed_select(struct feed *feed, const char *selector);

/* Opens a server, the list is not asked for meanwhile; 0: the list again, asked for at once. */
void feed_open(struct feed *feed, int server_id);

/* Watches a load test by its URL until it has ended. */
void feed_watch_load(struct feed *feed, const char *url);

/* Asks for something to be done; false when too much is under way. `body` is copied. */
bool feed_act(struct feed *feed, const char *method, const char *target, const char *body);
unsigned feed_acting(const struct feed *feed); /* how many are under way */

#endif
