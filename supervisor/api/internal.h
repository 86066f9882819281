/*
 * What the files of the control plane share: the listeners, the counts that bound work, and the handlers that the table
 * of routes names. Private to supervisor/api/.
 */
#ifndef SUPERVISOR_API_INTERNAL_H
#define SUPERVISOR_API_INTERNAL_H

#include "core/budget.h"
#include "http/router.h"
#include "http/server.h"
#include "supervisor/api/api.h"
#include "supervisor/api/load_tests.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#define API_MAX_BODY (1u << 20)
#define API_MAX_FANOUTS 64    /* requests that ask many workers, beside each other; over it 503 */
#define API_MAX_LOAD_TESTS 16 /* likewise; what they may open together is in load_room.h */
#define API_ASK_TIMEOUT_MS 3000
#define API_MEMORY                                                                                                     \
    ((size_t)96 << 20) /* bytes of bodies and answers that are kept for all peers together; over it 503 */

struct api_listener {
    struct api *api;
    struct http_server *server;
    bool is_dashboard;
};

/* Work that outlives its request holds a reference, so that its last callback finds the counts it must lower. */
struct api {
    struct farm *farm;
    struct history *history; /* NULL: there is none */
    struct api_listener control;
    struct api_listener dashboard;
    struct budget memory;
    unsigned references;
    unsigned fanouts;
    unsigned load_tests;
    unsigned load_connections;
    unsigned comparisons;
    LIST_HEAD(load_list, load) loads; /* of /api/load-test, under way */
    struct load_tests tests;          /* of /api/load-tests */
    unsigned page_reads;              /* files on their way from --web-dir */
    unsigned streams;
    LIST_HEAD(stream_list, stream) open_streams;
    struct live *live;
    struct sessions *sessions;
    unsigned drain_ms;
    bool waits_for_tests;  /* before the listeners are drained */
    uv_timer_t last_tests; /* the end of that */
    unsigned draining;     /* listeners that have not drained yet */
    void (*on_drained)(void *data);
    void *on_drained_data;
};

struct api *api_ref(struct api *api);
void api_unref(struct api *api);

struct api *api_of(const struct http_match *match);

/* The server that `{id}` of a path names. False when the request was answered: 422 for what is no number, 404 for a
 * number outside the farm. */
bool api_match_server(struct http_request *request, const struct http_match *match, struct server **server);

/* False when the farm is being stopped, so that nothing may be changed any more: answered with 503. */
bool api_may_change(struct http_request *request, const struct api *api);

/* Takes one of the bounded places for work on many workers; false when the request was answered with 503. */
bool api_begin_fanout(struct http_request *request, struct api *api);
void api_end_fanout(struct api *api);

/* None of /api/load-tests runs any more. */
void api_tests_ended(struct api *api);

/* Ends the load tests under way; each answers with what it has counted. */
void load_tests_stop(struct api *api);

/* --- the handlers, one or two to a file --- */

typedef void api_handler(struct http_request *request, const struct http_match *match);

api_handler root_get;
api_handler servers_list;
api_handler servers_get;
api_handler servers_patch_limits;
api_handler servers_patch_many;
api_handler actions_one;
api_handler actions_many;
api_handler logs_get;
api_handler logs_list;
api_handler history_get;
api_handler history_list;
api_handler events_list;
api_handler live_get;
api_handler health_get;
api_handler metrics_get;
api_handler scale_post;
api_handler rolling_post;
api_handler broadcast_post;
api_handler simulate_post;
api_handler load_test_post;
api_handler load_tests_list;
api_handler load_tests_post;
api_handler load_tests_get;
api_handler load_tests_delete;
api_handler load_tests_compare;
api_handler session_post;
api_handler session_delete;
api_handler page_get;

void page_dashboard(struct http_request *request, struct api *api);
void metrics_prometheus(struct http_request *request, struct api *api);

#endif
