/*
 * `/api/load-tests`: begins a load test, lists them, tells of one or follows it, and ends it before its time.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/load_follow.h"
#include "supervisor/api/query.h"
#include "supervisor/api/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT 50
#define SHOWN_TARGETS 5 /* in a message */
#define SUMMARY_BYTES 640

/* --- one that is asked for --- */

static void respond_test(struct http_request *request, int status, const struct load_test *test)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (!respond_reserve(request, &out, load_test_json_size(test)))
        return;
    load_test_write(&w, test);
    respond_json(request, status, &out);
}

/* NULL when the request was answered with 404. */
static struct load_test *match_test(struct http_request *request, const struct http_match *match)
{
    struct http_slice id = match->params[0];
    cleanup_free char *text = xstrndup(id.data, id.length);
    struct load_test *test = load_test_find(&api_of(match)->tests, text);

    if (test == NULL)
        http_respond_problem(request, 404,
                             "load test %.32s: there is none; GET /api/load-tests lists those that are kept", text);
    return test;
}

void load_tests_get(struct http_request *request, const struct http_match *match)
{
    struct error err = {0};
    bool follow = false;

    if (query_bool(http_request_query(request), "follow", &follow, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    struct load_test *test = match_test(request, match);
    if (test == NULL)
        return;
    if (follow)
        load_follow(request, api_of(match), test);
    else
        respond_test(request, 200, test);
}

void load_tests_list(struct http_request *request, const struct http_match *match)
{
    const struct load_tests *tests = &api_of(match)->tests;
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct error err = {0};
    int64_t limit = DEFAULT_LIMIT;
    struct load_test *test;

    if (query_int(http_request_query(request), "limit", 1, LOAD_TESTS_LISTED, &limit, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (!respond_reserve(request, &out, (size_t)limit * SUMMARY_BYTES))
        return;
    json_begin_object(&w);
    json_key(&w, "load_tests");
    json_begin_array(&w);
    TAILQ_FOREACH(test, &tests->list, link)
    {
        if (limit-- > 0)
            load_test_write_summary(&w, test);
    }
    json_end_array(&w);
    view_timestamp(&w);
    json_end_object(&w);
    respond_json(request, 200, &out);
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
    struct load_test *test = match_test(request, match);

    if (test == NULL)
        return;
    if (test->status != LOAD_TEST_RUNNING) {
        respond_test(request, 200, test);
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
