/*
 * The load tests of `POST /api/load-tests`: those that run, and the newest that have ended, each as a resource with an id.
 * What clients see of one is written here; who asks for it is in load_tests_routes.c and load_follow.c.
 */
#ifndef SUPERVISOR_API_LOAD_TESTS_H
#define SUPERVISOR_API_LOAD_TESTS_H

#include "core/buffer.h"
#include "core/json.h"
#include "supervisor/api/load_body.h"
#include "supervisor/api/load_room.h"
#include "supervisor/api/reply.h"
#include "supervisor/load/load.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define LOAD_TEST_ID_SIZE 12
#define LOAD_TEST_POINTS 3600u              /* seconds that are kept of one, the last ones */
#define LOAD_TESTS_LISTED 1000              /* at most, at once */
#define LOAD_TESTS_KEPT 50u                 /* ended ones in memory, … */
#define LOAD_TESTS_BYTES ((size_t)16 << 20) /* … and at most so much of their results, but for the newest */

enum load_test_status {
    LOAD_TEST_RUNNING,
    LOAD_TEST_COMPLETED,
    LOAD_TEST_CANCELLED,
};

/* What the farm knows of a target that the engine does not. */
struct load_test_target {
    int id;
    unsigned restarts; /* before */
    double throttled_sum;
    unsigned samples; /* in the sum, one a second */
};

/* Told of each second that is over, and of the end. */
struct load_test_watcher {
    void (*on_news)(void *data);
    void *data;
    LIST_ENTRY(load_test_watcher) link;
};

struct load_test {
    char id[LOAD_TEST_ID_SIZE];
    char *name; /* may be NULL */
    struct api *api;
    struct load_run *run; /* NULL: it has ended */
    enum load_test_status status;
    bool cancelled; /* it is to end, or has ended, before its time */
    int64_t started_at_us, ended_at_us, started_ms;
    enum load_model model;
    struct load_test_target *targets; /* ascending ids, as in the plan */
    size_t target_count;
    int *not_running; /* chosen, and not loaded */
    size_t not_running_count;
    size_t connections;
    struct buffer plan, result; /* JSON; the latter empty while it runs */
    struct load_point *points;  /* of second s at s % LOAD_TEST_POINTS */
    unsigned point_count;       /* in all */
    struct load_progress so_far;
    double achieved_rate;
    bool passed;
    unsigned saves; /* to the history, under way */
    unsigned references;
    LIST_HEAD(load_test_watchers, load_test_watcher) watchers;
    TAILQ_ENTRY(load_test) link;
};

struct load_tests {
    TAILQ_HEAD(load_test_list, load_test) list; /* newest first */
    unsigned running;
    int64_t last_id_ms;
};

void load_tests_init(struct load_tests *tests);
/* Those that run are abandoned, and recorded as cancelled. */
void load_tests_done(struct load_tests *tests);

/* Begins one on those of `servers` that run (one at least); the room for its connections must have been taken, and is
 * given back when it ends. Takes `servers` over, also when it fails. */
int load_test_start(struct api *api, const struct load_body *body, struct load_servers *servers, size_t connections,
                    struct load_test **test, struct error *err);

struct load_test *load_test_find(const struct load_tests *tests, const char *id); /* NULL: none that is known */

bool load_test_loads(const struct load_test *test, int server_id);
/* One that runs and loads a server that is to be loaded too. */
struct load_test *load_test_clash(const struct load_tests *tests, const struct load_servers *servers);

void load_test_cancel(struct load_test *test); /* it ends soon; nothing when it has */
void load_tests_cancel_all(struct load_tests *tests);
void load_tests_under_way(const struct load_tests *tests, struct http_under_way *under_way);

/* Nothing but a reference keeps one that has ended. */
struct load_test *load_test_ref(struct load_test *test);
void load_test_unref(struct load_test *test);
void load_test_watch(struct load_test *test, struct load_test_watcher *watcher);
void load_test_unwatch(struct load_test_watcher *watcher); /* from inside on_news only its own */

/* --- as JSON --- */

const char *load_test_status_name(const struct load_test *test);
size_t load_test_json_size(const struct load_test *test); /* bytes of room that load_test_write needs, about */
void load_test_write(struct json_writer *w, const struct load_test *test);         /* an object with all of it */
void load_test_write_summary(struct json_writer *w, const struct load_test *test); /* an object with its figures */
/* A second and all of them so far; `second` must be kept. */
void load_test_write_progress(struct json_writer *w, const struct load_test *test, unsigned second);
unsigned load_test_oldest_point(const struct load_test *test);

#endif
