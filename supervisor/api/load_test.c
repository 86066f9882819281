/*
 * `POST /api/load-test`: a closed load whose answer comes when it is done, as clients of older farms know it. The load
 * itself is supervisor/load/; servers that don't run fail without being asked.
 */
#include "core/clock.h"
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/load_room.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"
#include "supervisor/load/load.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define MIN_SECONDS 0.001
#define MAX_SECONDS 3600.0
#define WATCH_MS 250 /* how often a test under way looks whether its client has gone */
#define LAST_ANSWERS_NS                                                                                                \
    (1 * NS_PER_SECOND) /* for what is in flight when the time is over; then it is cut, not counted */

struct load {
    struct reply reply;
    struct api *api;
    struct load_run *run; /* NULL: it has ended */
    struct load_servers servers;
    uint64_t requests; /* to each; 0: by time alone */
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
    load_room_give(op->api, op->connections);
    load_servers_done(&op->servers);
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
    load_run_stop(op->run);
}

static void on_abort(struct reply *reply)
{
    struct load *op = (struct load *)((char *)reply - offsetof(struct load, reply));

    load_run_abandon(op->run);
    load_free(op);
}

void load_tests_stop(struct api *api)
{
    for (struct load *op = LIST_FIRST(&api->loads); op != NULL; op = LIST_NEXT(op, link))
        load_run_stop(op->run);
}

/* --- the answer --- */

struct sums {
    uint64_t successful, failed;
};

/* What stood in the way most often; NULL: every request was answered. */
static const char *main_error(const struct load_counts *counts)
{
    enum load_error main = LOAD_REFUSED;

    for (unsigned i = 0; i < LOAD_ERRORS; i++)
        main = counts->errors[i] > counts->errors[main] ? (enum load_error)i : main;
    return counts->errors[main] > 0 ? load_error_text(main) : NULL;
}

static void write_entry(struct json_writer *w, int server_id, const struct sums *sums, double seconds,
                        const char *error)
{
    uint64_t requests = sums->successful + sums->failed;

    json_begin_object(w);
    json_member_int(w, "server_id", server_id);
    json_member_uint(w, "requests", requests);
    json_member_uint(w, "successful", sums->successful);
    json_member_uint(w, "failed", sums->failed);
    json_member_fixed2(w, "duration_seconds", seconds);
    json_member_fixed2(w, "requests_per_second", seconds > 0 ? (double)requests / seconds : 0);
    json_member_string(w, "error", error);
    json_end_object(w);
}

static struct sums write_server(struct json_writer *w, const struct load *op, int server_id,
                                const struct load_target_result *target)
{
    if (target == NULL) {
        struct sums sums = {.failed = op->requests};
        write_entry(w, server_id, &sums, 0, "not running");
        return sums;
    }
    const struct load_counts *counts = &target->counts;
    struct sums sums = {.successful = counts->status_200};
    sums.failed = counts->answered - counts->status_200 + load_counts_broken(counts);
    write_entry(w, server_id, &sums, target->seconds, main_error(counts));
    return sums;
}

/* `result` NULL: no server runs. */
static void write_answer(struct json_writer *w, const struct load *op, const struct load_result *result)
{
    struct sums all = {0};
    size_t next = 0;

    json_begin_object(w);
    json_key(w, "load_test_results");
    json_begin_array(w);
    for (size_t i = 0; i < op->servers.count; i++) {
        int id = op->servers.ids[i];
        bool ran = result != NULL && next < op->servers.target_count && op->servers.targets[next].id == id;
        struct sums sums = write_server(w, op, id, ran ? &result->targets[next++] : NULL);
        all.successful += sums.successful;
        all.failed += sums.failed;
    }
    json_end_array(w);
    json_member_uint(w, "total_requests", all.successful + all.failed);
    json_member_uint(w, "total_successful", all.successful);
    json_member_uint(w, "total_failed", all.failed);
    view_timestamp(w);
    json_end_object(w);
}

static void finish(struct load *op, const struct load_result *result)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    write_answer(&w, op, result);
    reply_json(&op->reply, 200, &out);
    load_free(op);
}

static void on_done(void *data, struct load_result *result)
{
    finish(data, result);
    load_result_free(result);
}

/* --- the question --- */

/* Reads all but the targets, of which there are so many. */
static int read_plan(const struct settings *settings, const struct body *body, size_t targets, struct load_plan *plan,
                     struct error *err)
{
    int64_t requests = settings->load_requests, concurrency = settings->load_concurrency;
    size_t bound = load_room_connections();
    double seconds = 0;

    int has_requests = body_int(body, "requests", 1, LOAD_MAX_REQUESTS, &requests, err);
    if (has_requests < 0)
        return has_requests;
    int has_concurrency = body_int(body, "concurrency", 1, LOAD_MAX_CONCURRENCY, &concurrency, err);
    if (has_concurrency < 0)
        return has_concurrency;
    int has_duration = body_number(body, "duration", MIN_SECONDS, MAX_SECONDS, &seconds, err);
    if (has_duration < 0)
        return has_duration;

    *plan = load_plan_defaults();
    plan->requests = has_duration && !has_requests ? 0 : (uint64_t)requests;
    plan->duration_ns = llround(seconds * 1000) * NS_PER_MS;
    plan->connections = (unsigned)concurrency;
    plan->drain_ns = LAST_ANSWERS_NS;
    plan->target_count = targets;
    if (targets > bound)
        return error_set(err, EINVAL, "target_servers must be at most %zu: a load test opens a connection to each",
                         bound);
    if (targets == 0 || load_plan_connections(plan) <= bound)
        return 0;
    if (has_concurrency)
        return error_set(err, EINVAL, "concurrency must be at most %zu for %zu servers: %zu connections in all",
                         bound / targets, targets, bound);
    plan->connections = (unsigned)(bound / targets);
    return 0;
}

/* Takes `servers` over. */
static void start(struct http_request *request, struct api *api, struct load_plan *plan, struct load_servers *servers)
{
    struct error err = {0};

    plan->targets = servers->targets;
    plan->target_count = servers->target_count;
    size_t connections = load_plan_connections(plan);
    if (!load_room_take(request, api, connections)) {
        load_servers_done(servers);
        return;
    }
    struct load *op = xcalloc(1, sizeof(*op));
    const struct load_events events = {.on_done = on_done, .data = op};
    op->api = api_ref(api);
    op->connections = connections;
    op->servers = *servers;
    op->requests = plan->requests;
    op->watch.data = op;
    LIST_INSERT_HEAD(&api->loads, op, link);
    uv_timer_init(farm_loop(api->farm), &op->watch);
    bool nobody = plan->target_count == 0;
    if (!nobody && load_run_start(farm_loop(api->farm), plan, &events, &op->run, &err) < 0) {
        respond_error(request, &err);
        load_free(op);
        return;
    }
    reply_hold(&op->reply, request, on_abort);
    if (nobody)
        finish(op, NULL);
    else
        uv_timer_start(&op->watch, on_watch, WATCH_MS, WATCH_MS);
}

static void load_test(struct http_request *request, const struct call *call, const struct body *body)
{
    const struct farm *farm = call->api->farm;
    struct load_servers servers;
    struct targets targets;
    struct load_plan plan;
    struct error err = {0};

    if (!targets_read(request, farm, body, "target_servers", &targets))
        return;
    if (targets.count == 0 && targets.is_filter) {
        targets_done(&targets);
        http_respond_problem(request, 422, "target_servers: there is no such server now, so there is nothing to load");
        return;
    }
    if (targets.count == 0) {
        targets_done(&targets);
        targets_all(farm, &targets);
    }
    int rc = read_plan(farm_settings(farm), body, targets.count, &plan, &err);
    if (rc < 0) {
        respond_error(request, &err);
    } else if (api_may_change(request, call->api)) {
        load_servers_of(farm, &targets, &servers);
        start(request, call->api, &plan, &servers);
    }
    targets_done(&targets);
}

void load_test_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, load_test);
}
