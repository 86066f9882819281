/*
 * `/api/load-tests`: begins a load test, tells of one or follows it, and ends it before its time.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/load_fetch.h"
#include "supervisor/api/load_follow.h"
#include "supervisor/api/query.h"
#include "supervisor/history/run_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_TARGETS 5 /* in a message */

/* --- one that is asked for --- */

/* Waits for the history. */
struct asking {
    struct reply reply;
    struct api *api;
    bool follow;
    char id[RUN_ID_MAX];
};

static void on_found(struct load_found *found, const struct error *err, void *data)
{
    struct asking *op = data;

    if (err != NULL) {
        reply_error(&op->reply, err);
    } else if (found == NULL && reply_is_open(&op->reply)) {
        struct http_request *request = op->reply.request;
        reply_release(&op->reply);
        respond_no_load_test(request, NULL, op->id);
    } else if (found != NULL && op->follow && reply_is_open(&op->reply)) {
        struct http_request *request = op->reply.request;
        reply_release(&op->reply);
        load_follow_report(request, op->api, &found->report);
    } else if (found != NULL) {
        reply_json(&op->reply, 200, &found->report);
    }
    api_unref(op->api);
    free(op);
}

static void respond_found(struct http_request *request, struct api *api, const char *id, bool follow)
{
    struct asking *op = xcalloc(1, sizeof(*op));

    op->api = api_ref(api);
    op->follow = follow;
    snprintf(op->id, sizeof(op->id), "%s", id);
    reply_hold(&op->reply, request, NULL);
    load_fetch(api, id, on_found, op);
}

static char *id_of(const struct http_match *match)
{
    return xstrndup(match->params[0].data, match->params[0].length);
}

void load_tests_get(struct http_request *request, const struct http_match *match)
{
    cleanup_free char *id = id_of(match);
    struct api *api = api_of(match);
    struct error err = {0};
    bool follow = false;

    if (query_bool(http_request_query(request), "follow", &follow, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    struct load_test *test = load_test_find(&api->tests, id);
    if (test != NULL && follow)
        load_follow(request, api, test);
    else
        respond_found(request, api, id, follow);
}

static void respond_test(struct http_request *request, int status, const struct load_test *test)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (!respond_reserve(request, &out, load_test_json_size(test)))
        return;
    load_test_write(&w, test);
    respond_json(request, status, &out);
}

/* --- the end before its time --- */

/* Waits until the test has ended, to answer with its result. */
struct cancel {
    struct reply reply;
    struct load_test *test;
    struct load_test_watcher watcher;
};

static void free_cancel(struct cancel *op)
{
    load_test_unwatch(&op->watcher);
    load_test_unref(op->test);
    free(op);
}

static void on_news(void *data)
{
    struct cancel *op = data;

    if (op->test->status == LOAD_TEST_RUNNING)
        return;
    struct http_request *request = op->reply.request;
    reply_release(&op->reply);
    respond_test(request, 200, op->test);
    free_cancel(op);
}

static void on_abort(struct reply *reply)
{
    free_cancel((struct cancel *)((char *)reply - offsetof(struct cancel, reply)));
}

void load_tests_delete(struct http_request *request, const struct http_match *match)
{
    cleanup_free char *id = id_of(match);
    struct api *api = api_of(match);
    struct load_test *test = load_test_find(&api->tests, id);

    if (test == NULL || test->status != LOAD_TEST_RUNNING) {
        respond_found(request, api, id, false);
        return;
    }
    struct cancel *op = xcalloc(1, sizeof(*op));
    op->test = load_test_ref(test);
    op->watcher = (struct load_test_watcher){.on_news = on_news, .data = op};
    load_test_watch(test, &op->watcher);
    reply_hold(&op->reply, request, on_abort);
    load_test_cancel(test);
}

/* --- a new one --- */

/* By either of two names. False when the request was answered. */
static bool read_targets(struct http_request *request, const struct farm *farm, const struct body *body,
                         struct targets *targets)
{
    bool by_list = body_get(body, "target_servers") != NULL, by_selector = body_get(body, "select") != NULL;
    const char *field = by_selector ? "select" : "target_servers";

    if (by_list && by_selector) {
        http_respond_problem(request, 422, "target_servers and select are the same; give one of them");
        return false;
    }
    if (!targets_read(request, farm, body, field, targets))
        return false;
    if (targets->count > 0)
        return true;
    bool none = targets->is_filter;
    targets_done(targets);
    if (none)
        http_respond_problem(request, 422, "%s: there is no such server now, so there is nothing to load", field);
    else
        targets_all(farm, targets);
    return !none;
}

static void respond_clash(struct http_request *request, const struct load_test *other,
                          const struct load_servers *servers)
{
    struct buffer names = BUFFER_EMPTY;
    size_t count = 0;

    for (size_t i = 0; i < servers->target_count; i++) {
        if (load_test_loads(other, servers->targets[i].id) && count++ < SHOWN_TARGETS)
            buffer_printf(&names, "%s%s", count > 1 ? ", " : "", servers->targets[i].name);
    }
    if (count > SHOWN_TARGETS)
        buffer_printf(&names, " and %zu more", count - SHOWN_TARGETS);
    http_respond_problem(request, 409,
                         "load test %s%s%s%s loads %s already; wait until it has ended, or end it with DELETE "
                         "/api/load-tests/%s",
                         other->id, other->name != NULL ? " (" : "", other->name != NULL ? other->name : "",
                         other->name != NULL ? ")" : "", names.data, other->id);
    buffer_done(&names);
}

/* Fewer connections than by default where many servers are loaded; fewer than were asked for is a refusal. */
static int fit_connections(struct load_body *read, struct error *err)
{
    struct load_plan *plan = &read->plan;
    size_t bound = load_room_connections();

    if (plan->target_count > bound)
        return error_set(err, EINVAL, "target_servers must be at most %zu: a load test opens a connection to each",
                         bound);
    if (load_plan_connections(plan) <= bound)
        return 0;
    if (read->has_connections)
        return error_set(err, EINVAL, "connections must be at most %zu for %zu servers: %zu connections in all",
                         bound / plan->target_count, plan->target_count, bound);
    plan->connections = (unsigned)(bound / plan->target_count);
    return 0;
}

/* Takes `servers` over. */
static void begin(struct http_request *request, struct api *api, const struct load_body *read,
                  struct load_servers *servers)
{
    size_t connections = load_plan_connections(&read->plan);
    const struct load_test *other = load_test_clash(&api->tests, servers);
    struct load_test *test = NULL;
    struct error err = {0};
    char url[64];

    if (other != NULL)
        respond_clash(request, other, servers);
    if (other != NULL || !load_room_take(request, api, connections)) {
        load_servers_done(servers);
        return;
    }
    if (load_test_start(api, read, servers, connections, &test, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    snprintf(url, sizeof(url), "/api/load-tests/%s", test->id);
    http_respond_header(request, "Location", url);
    respond_test(request, 201, test);
}

static void create(struct http_request *request, const struct call *call, const struct body *body,
                   const struct targets *targets)
{
    const struct farm *farm = call->api->farm;
    struct load_servers servers;
    struct load_body read;
    struct error err = {0};

    load_servers_of(farm, targets, &servers);
    int rc = load_body_read(body, farm_settings(farm), &read, &err);
    if (rc == 0 && servers.target_count == 0)
        rc = error_set(&err, EBUSY, "none of the chosen servers runs, so there is nothing to load; start them first");
    if (rc == 0) {
        read.plan.targets = servers.targets;
        read.plan.target_count = servers.target_count;
        rc = fit_connections(&read, &err);
    }
    if (rc == 0)
        rc = load_plan_check(&read.plan, &err);
    if (rc < 0)
        respond_error(request, &err);
    if (rc < 0 || !api_may_change(request, call->api))
        load_servers_done(&servers);
    else
        begin(request, call->api, &read, &servers);
    load_body_done(&read);
}

static void post(struct http_request *request, const struct call *call, const struct body *body)
{
    struct targets targets;

    if (!read_targets(request, call->api->farm, body, &targets))
        return;
    create(request, call, body, &targets);
    targets_done(&targets);
}

void load_tests_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, post);
}
