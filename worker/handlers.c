/*
 * The table of routes and the endpoints that answer at once.
 */
#include "worker/handlers.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "http/problem.h"
#include "worker/metrics.h"
#include "worker/vitals.h"
#include "worker/worker.h"

#include <string.h>

#define DEGRADED_PERCENT 80.0

static void handle_root(struct http_request *request, const struct http_match *match)
{
    struct worker *worker = match->data;
    struct json_writer w = worker_begin_identified(worker);

    json_member_string(&w, "status", "running");
    json_member_fixed2(&w, "uptime_seconds", worker_uptime_seconds(worker));
    json_member_uint(&w, "total_requests", worker->requests);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    worker_end_answer(worker, &w, request);
}

static void handle_health(struct http_request *request, const struct http_match *match)
{
    struct worker *worker = match->data;
    double cpu = cpu_meter_percent(&worker->cpu);
    double memory = vitals_memory().percent;
    bool degraded = cpu > DEGRADED_PERCENT || memory > DEGRADED_PERCENT;
    struct json_writer w = worker_begin_answer(worker);

    json_member_string(&w, "status", degraded ? "degraded" : "healthy");
    json_member_fixed2(&w, "cpu_percent", cpu);
    json_member_fixed2(&w, "memory_percent", memory);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    worker_end_answer(worker, &w, request);
}

/* What /error/{code} says; `header` is what RFC 9110 demands of an answer with that status, a row for each. */
static const struct {
    int status;
    const char *detail;
    const char *header;
    const char *value;
} ERRORS[] = {
    {400, "Bad Request", NULL, NULL},
    {401, "Unauthorized", "WWW-Authenticate", "Bearer realm=\"farm-worker\""},
    {403, "Forbidden", NULL, NULL},
    {404, "Not Found", NULL, NULL},
    {405, "Unknown Error", "Allow", "GET, HEAD, OPTIONS"},
    {407, "Unknown Error", "Proxy-Authenticate", "Bearer realm=\"farm-worker\""},
    {426, "Unknown Error", "Upgrade", "HTTP/2.0"},
    {426, "Unknown Error", "Connection", "Upgrade"},
    {500, "Internal Server Error", NULL, NULL},
    {503, "Service Unavailable", "Retry-After", "1"},
};

static void answer_status(struct http_request *request, int status)
{
    const char *detail = "Unknown Error";

    for (size_t i = 0; i < ARRAY_SIZE(ERRORS); i++) {
        if (ERRORS[i].status != status)
            continue;
        detail = ERRORS[i].detail;
        if (ERRORS[i].header)
            http_respond_header(request, ERRORS[i].header, ERRORS[i].value);
    }
    if (status == 204 || status == 205 || status == 304) {
        http_respond(request, status, NULL, NULL, 0);
    } else if (status >= 400) {
        http_respond_problem(request, status, "%s", detail);
    } else {
        static const char body[] = "{\"detail\":\"Unknown Error\"}";
        http_respond(request, status, JSON_CONTENT_TYPE, body, sizeof(body) - 1);
    }
}

static void handle_error(struct http_request *request, const struct http_match *match)
{
    char text[32];
    int64_t status;

    if (http_percent_decode(match->params[0], false, text, sizeof(text)) < 0 ||
        units_parse_int(text, 200, 599, &status) < 0) {
        http_respond_problem(request, 422, "code must be an integer from 200 to 599");
        return;
    }
    answer_status(request, (int)status);
}

static const struct http_route ROUTES[] = {
    {HTTP_METHOD_GET, "/", handle_root},
    {HTTP_METHOD_GET, "/health", handle_health},
    {HTTP_METHOD_GET, "/metrics", metrics_handle},
    {HTTP_METHOD_GET, "/slow-endpoint", handle_slow_endpoint},
    {HTTP_METHOD_POST, "/simulate-load", handle_simulate_load},
    {HTTP_METHOD_GET, "/error/{code}", handle_error},
    {HTTP_METHOD_GET, "/data/{size_kb}", handle_data},
    {HTTP_ANY_METHOD, "/echo", handle_echo},
    {HTTP_ANY_METHOD, "/request", handle_request},
};

bool handlers_is_watching(const struct http_request *request)
{
    struct http_slice path = http_request_path(request);

    return http_slice_equal(path, "/health") || http_slice_equal(path, "/metrics");
}

void handlers_dispatch(struct http_request *request, void *data)
{
    struct worker *worker = data;

    if (!handlers_is_watching(request)) {
        worker->requests++;
        cpu_meter_touch(&worker->cpu);
    }
    if (http_cors_admit(&worker->cors, request))
        http_router_dispatch(ROUTES, ARRAY_SIZE(ROUTES), request, worker);
}
