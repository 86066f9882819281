/*
 * `PATCH /api/servers/{id}`: a server's limits, changed while it runs.
 */
#include "core/units.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>

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

/* Changes what the body names. Returns how many fields it named, or -EINVAL. */
static int read_limits(const struct body *body, struct limits *limits, struct error *err)
{
    int64_t pids = limits->pids;
    int found = 0, rc;

    if ((rc = body_number(body, "cpu", LIMITS_MIN_CPU, LIMITS_MAX_CPU, &limits->cpu, err)) < 0)
        return rc;
    found += rc;
    if ((rc = body_number(body, "cpu_reservation", 0, LIMITS_MAX_CPU, &limits->cpu_reservation, err)) < 0)
        return rc;
    found += rc;
    if ((rc = read_memory(body, "memory_mb", "memory", LIMITS_MIN_MEMORY, &limits->memory, err)) < 0)
        return rc;
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

static void respond_limits(struct http_request *request, const struct server *server)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    json_begin_object(&w);
    json_member_int(&w, "server_id", server->id);
    json_member_string(&w, "status", "success");
    json_key(&w, "limits");
    view_limits_in_force(&w, server);
    json_key(&w, "limits_configured");
    view_limits(&w, &server->limits);
    view_timestamp(&w);
    json_end_object(&w);
    respond_json(request, 200, &out);
}

static void patch_limits(struct http_request *request, const struct call *call, const struct body *body)
{
    struct server *server = farm_server(call->api->farm, call->server_id);
    struct error err = {0};

    if (server == NULL) {
        http_respond_problem(request, 404, "server_id %d: no such server", call->server_id);
        return;
    }
    struct limits limits = server->limits;
    int found = read_limits(body, &limits, &err);
    if (found == 0) {
        http_respond_problem(
            request, 422, "nothing to change; allowed: cpu, memory_mb, cpu_reservation, memory_reservation_mb, pids");
        return;
    }
    if (found < 0 || limits_check(&limits, "", &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (!api_may_change(request, call->api))
        return;
    if (server_set_limits(server, &limits, &err) < 0)
        respond_error(request, &err);
    else
        respond_limits(request, server);
}

void servers_patch_limits(struct http_request *request, const struct http_match *match)
{
    struct server *server;

    if (api_match_server(request, match, &server))
        reply_read_body(request, api_of(match), server->id, patch_limits);
}
