/*
 * `PATCH /api/servers/{id}` and `PATCH /api/servers`: limits of one server or of many, changed while they run.
 */
#include "core/memory.h"
#include "core/units.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/results.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define MAX_MIB (LIMITS_MAX_MEMORY / (double)MIB)

/* What the settings take for `memory`: bytes as a number, or a size as people write it. */
static bool read_size(const cJSON *item, uint64_t *bytes)
{
    if (cJSON_IsString(item))
        return units_parse_size(item->valuestring, bytes) == 0;
    double number = item->valuedouble;
    if (!cJSON_IsNumber(item) || !(number >= 0 && number <= LIMITS_MAX_MEMORY) || number != trunc(number))
        return false;
    *bytes = (uint64_t)number;
    return true;
}

/* A size in MiB (`memory_mb`), or as in the settings (`memory`). Returns 1, 0 or -EINVAL like body_*. */
static int read_memory(const struct body *body, const char *key_mb, const char *key, double least, uint64_t *bytes,
                       struct error *err)
{
    double mb = 0;
    const cJSON *item = body_get(body, key);

    int rc = body_number(body, key_mb, least / (double)MIB, MAX_MIB, &mb, err);
    if (rc < 0)
        return rc;
    if (rc > 0 && item != NULL)
        return error_set(err, EINVAL, "%s and %s are the same thing: send one of them", key_mb, key);
    if (rc > 0) {
        *bytes = (uint64_t)llround(mb * (double)MIB);
        return 1;
    }
    if (item == NULL)
        return 0;
    if (!read_size(item, bytes))
        return error_set(err, EINVAL, "%s must be a size such as \"256M\" or \"1G\", or a number of bytes", key);
    return 1;
}

/* Changes what the body names, and a reservation that it doesn't name follows its limit down, as in the settings.
 * Returns how many fields it named, or -EINVAL. */
static int read_limits(const struct body *body, struct limits *limits, struct error *err)
{
    int64_t pids = limits->pids;
    int found = 0, rc;

    if ((rc = body_number(body, "cpu", LIMITS_MIN_CPU, LIMITS_MAX_CPU, &limits->cpu, err)) < 0)
        return rc;
    if (limits->cpu_reservation > limits->cpu)
        limits->cpu_reservation = limits->cpu;
    found += rc;
    if ((rc = body_number(body, "cpu_reservation", 0, LIMITS_MAX_CPU, &limits->cpu_reservation, err)) < 0)
        return rc;
    found += rc;
    if ((rc = read_memory(body, "memory_mb", "memory", LIMITS_MIN_MEMORY, &limits->memory, err)) < 0)
        return rc;
    if (limits->memory_reservation > limits->memory)
        limits->memory_reservation = limits->memory;
    found += rc;
    if ((rc = read_memory(body, "memory_reservation_mb", "memory_reservation", 0, &limits->memory_reservation, err)) <
        0)
        return rc;
    found += rc;
    if ((rc = body_int(body, "pids", LIMITS_MIN_PIDS, LIMITS_MAX_PIDS, &pids, err)) < 0)
        return rc;
    limits->pids = (uint32_t)pids;
    return found + rc;
}

static void write_limits(const struct server *server, struct buffer *out)
{
    struct json_writer w = json_writer_to(out);

    json_begin_object(&w);
    json_member_int(&w, "server_id", server->id);
    json_member_string(&w, "status", "success");
    json_key(&w, "limits");
    view_limits_in_force(&w, server);
    json_key(&w, "limits_configured");
    view_limits(&w, &server->limits);
    view_timestamp(&w);
    json_end_object(&w);
}

/* False when the body names no limit or one that nothing may have: answered. Whether the limits fit each other is a
 * question for each server. */
static bool check_limits(struct http_request *request, const struct body *body, struct limits limits)
{
    struct error err = {0};

    int found = read_limits(body, &limits, &err);
    if (found == 0)
        http_respond_problem(
            request, 422, "nothing to change; allowed: cpu, memory_mb, cpu_reservation, memory_reservation_mb, pids");
    else if (found < 0)
        respond_error(request, &err);
    return found > 0;
}

/* Of one that the runtime takes a while for. */
static void on_one_set(struct server *server, const struct error *err, void *data)
{
    struct reply *reply = data;
    struct buffer out = BUFFER_EMPTY;

    if (err != NULL) {
        reply_error(reply, err);
    } else {
        write_limits(server, &out);
        reply_json(reply, 200, &out);
    }
    free(reply);
}

static void change_limits(struct http_request *request, struct server *server, const struct limits *limits)
{
    struct error err = {0};
    struct buffer out = BUFFER_EMPTY;
    int code = server_set_limits(server, limits, &err);

    if (code == -EINPROGRESS) {
        struct reply *reply = xcalloc(1, sizeof(*reply));
        reply_hold(reply, request, NULL);
        server_await_limits(server, on_one_set, reply);
    } else if (code < 0) {
        respond_error(request, &err);
    } else {
        write_limits(server, &out);
        respond_json(request, 200, &out);
    }
}

static void patch_limits(struct http_request *request, const struct call *call, const struct body *body)
{
    struct server *server = farm_server(call->api->farm, call->server_id);
    struct error err = {0};

    if (server == NULL) {
        http_respond_problem(request, 404, "server_id %d: no such server", call->server_id);
        return;
    }
    struct limits limits = *server_limits_wanted(server);
    if (!check_limits(request, body, limits))
        return;
    read_limits(body, &limits, &err);
    if (limits_check(&limits, "", &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (api_may_change(request, call->api))
        change_limits(request, server, &limits);
}

void servers_patch_limits(struct http_request *request, const struct http_match *match)
{
    struct server *server;

    if (api_match_server(request, match, &server))
        reply_read_body(request, api_of(match), server->id, patch_limits);
}

/* --- many --- */

struct changing {
    struct reply reply;
    struct results *results;
    size_t pending; /* servers that are not done, and one while they are being asked */
};

static void one_is_done(struct changing *op)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (--op->pending > 0)
        return;
    json_begin_object(&w);
    results_write_members(op->results, &w);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&op->reply, 200, &out);
    results_free(op->results);
    free(op);
}

static void on_one_of_many(struct server *server, const struct error *err, void *data)
{
    struct changing *op = data;

    results_set(op->results, server->id, err);
    one_is_done(op);
}

static void change_one(struct server *server, const struct body *body, struct changing *op)
{
    struct limits limits = *server_limits_wanted(server);
    struct error err = {0};

    read_limits(body, &limits, &err);
    int code = limits_check(&limits, "", &err);
    if (code == 0)
        code = server_set_limits(server, &limits, &err);
    if (code == -EINPROGRESS) {
        op->pending++;
        server_await_limits(server, on_one_of_many, op);
    } else {
        results_set(op->results, server->id, code < 0 ? &err : NULL);
    }
}

static void patch_many(struct http_request *request, const struct call *call, const struct body *body)
{
    struct farm *farm = call->api->farm;
    struct targets targets;

    if (!check_limits(request, body, (struct limits){0}) || !targets_read(request, farm, body, "ids", &targets))
        return;
    if (!targets.given || (targets.count == 0 && !targets.is_filter)) {
        http_respond_problem(request, 422, "ids is missing; allowed: a list of server ids, or a selector");
    } else if (api_may_change(request, call->api)) {
        struct changing *op = xcalloc(1, sizeof(*op));
        op->results = results_new(targets.ids, targets.count);
        op->pending = 1;
        reply_hold(&op->reply, request, NULL);
        for (size_t i = 0; i < targets.count; i++)
            change_one(farm_server(farm, targets.ids[i]), body, op);
        one_is_done(op);
    }
    targets_done(&targets);
}

void servers_patch_many(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, patch_many);
}
