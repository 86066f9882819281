/*
 * `POST /api/load-test`: reads what is wanted, keeps tests beside each other within bounds, writes the results. The
 * load itself is supervisor/load/.
 */
#include "supervisor/load/load_test.h"

#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MIN_SECONDS 0.001
#define WATCH_MS 250 /* how often a test under way looks whether its client has gone */

struct load {
    struct reply reply;
    struct api *api;
    struct load_test *test;
    uv_timer_t watch;
    size_t connections;
    LIST_ENTRY(load) link; /* while the test may be stopped */
};

static void on_watch_closed(uv_handle_t *watch)
{
    free(watch->data);
}

static void load_free(struct load *op)
{
    LIST_REMOVE(op, link);
    op->api->load_tests--;
    op->api->load_connections -= (unsigned)op->connections;
    api_unref(op->api);
    uv_close((uv_handle_t *)&op->watch, on_watch_closed);
}

/* A client that closes its connection says no more than that it will send nothing. It may still read, so the test ends
 * with an answer, which is lost when nobody is there. */
static void on_watch(uv_timer_t *watch)
{
    struct load *op = watch->data;
    struct tcp_info info;
    socklen_t size = sizeof(info);

    if (!reply_is_open(&op->reply) ||
        getsockopt(http_request_socket(op->reply.request), IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        info.tcpi_state == TCP_ESTABLISHED)
        return;
    uv_timer_stop(watch);
    load_test_stop(op->test);
}

static void on_abort(struct reply *reply)
{
    struct load *op = (struct load *)((char *)reply - offsetof(struct load, reply));

    load_test_cancel(op->test);
    load_free(op);
}

void load_tests_stop(struct api *api)
{
    for (struct load *op = LIST_FIRST(&api->loads); op != NULL; op = LIST_NEXT(op, link))
        load_test_stop(op->test);
}

static void write_result(struct json_writer *w, const struct load_result *result)
{
    uint64_t requests = result->successful + result->failed;
    double rate = result->seconds > 0 ? (double)requests / result->seconds : 0;

    json_begin_object(w);
    json_member_int(w, "server_id", result->server_id);
    json_member_uint(w, "requests", requests);
    json_member_uint(w, "successful", result->successful);
    json_member_uint(w, "failed", result->failed);
    json_member_fixed2(w, "duration_seconds", result->seconds);
    json_member_fixed2(w, "requests_per_second", rate);
    json_member_string(w, "error", result->error);
    json_end_object(w);
}

static void on_load_done(const struct load_result *results, size_t count, void *data)
{
    struct load *op = data;
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    uint64_t successful = 0, failed = 0;

    json_begin_object(&w);
    json_key(&w, "load_test_results");
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        write_result(&w, &results[i]);
        successful += results[i].successful;
        failed += results[i].failed;
    }
    json_end_array(&w);
    json_member_uint(&w, "total_requests", successful + failed);
    json_member_uint(&w, "total_successful", successful);
    json_member_uint(&w, "total_failed", failed);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&op->reply, 200, &out);
    load_free(op);
}

/* What one test may open: all of the bound, or what this process may have open, less what the farm itself needs. */
static size_t connection_bound(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / 2 > LOAD_MAX_CONNECTIONS)
        return LOAD_MAX_CONNECTIONS;
    return (size_t)files.rlim_cur / 2;
}

/* Reads all but the targets. `options` holds their number already. */
static int read_options(const struct settings *settings, const struct body *body, struct load_test_options *options,
                        struct error *err)
{
    int64_t requests = settings->load_requests, concurrency = settings->load_concurrency;
    size_t bound = connection_bound();
    double seconds = 0;

    int has_requests = body_int(body, "requests", 1, LOAD_MAX_REQUESTS, &requests, err);
    if (has_requests < 0)
        return has_requests;
    int has_concurrency = body_int(body, "concurrency", 1, LOAD_MAX_CONCURRENCY, &concurrency, err);
    if (has_concurrency < 0)
        return has_concurrency;
    int has_duration = body_number(body, "duration", MIN_SECONDS, LOAD_MAX_SECONDS, &seconds, err);
    if (has_duration < 0)
        return has_duration;

    options->requests = has_duration && !has_requests ? 0 : (uint64_t)requests;
    options->duration_ms = (int64_t)llround(seconds * 1000);
    options->concurrency = (unsigned)concurrency;
    if (options->target_count > bound)
        return error_set(err, EINVAL, "target_servers must be at most %zu: a load test opens a connection to each",
                         bound);
    if (options->target_count == 0 || load_test_connections(options) <= bound)
        return 0;
    if (has_concurrency)
        return error_set(err, EINVAL, "concurrency must be at most %zu for %zu servers: %zu connections in all",
                         bound / options->target_count, options->target_count, bound);
    options->concurrency = (unsigned)(bound / options->target_count);
    return 0;
}

static void start(struct http_request *request, struct api *api, const struct load_test_options *options)
{
    size_t connections = load_test_connections(options);
    struct error err = {0};

    if (api->load_tests >= API_MAX_LOAD_TESTS || api->load_connections + connections > connection_bound()) {
        respond_overload(request, "Too many load tests are under way; try again when one has ended");
        return;
    }
    struct load *op = xcalloc(1, sizeof(*op));
    op->api = api_ref(api);
    op->connections = connections;
    api->load_tests++;
    api->load_connections += (unsigned)connections;
    op->watch.data = op;
    LIST_INSERT_HEAD(&api->loads, op, link);
    uv_timer_init(farm_loop(api->farm), &op->watch);
    if (load_test_start(farm_loop(api->farm), options, on_load_done, op, &op->test, &err) < 0) {
        respond_error(request, &err);
        load_free(op);
        return;
    }
    reply_hold(&op->reply, request, on_abort);
    uv_timer_start(&op->watch, on_watch, WATCH_MS, WATCH_MS);
}

static void load_test(struct http_request *request, const struct call *call, const struct body *body)
{
    const struct farm *farm = call->api->farm;
    struct load_test_options options = {0};
    struct targets targets;
    struct error err = {0};

    if (!targets_read(request, farm, body, "target_servers", &targets))
        return;
    if (targets.count == 0) {
        targets_done(&targets);
        targets_all(farm, &targets);
    }
    cleanup_free struct load_target *where = xcalloc(targets.count + 1, sizeof(*where));
    for (size_t i = 0; i < targets.count; i++) {
        const struct server *server = farm_server(farm, targets.ids[i]);
        where[i] = (struct load_target){.server_id = server->id, .port = server_is_live(server) ? server->port : 0};
    }
    options.targets = where;
    options.target_count = targets.count;
    targets_done(&targets);
    if (read_options(farm_settings(farm), body, &options, &err) < 0)
        respond_error(request, &err);
    else if (api_may_change(request, call->api))
        start(request, call->api, &options);
}

void load_test_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, load_test);
}
