/*
 * `GET /api/health`: probes every server now, in parallel. It answers 200 in every state of the farm; what is wrong
 * stands in the entries.
 */
#include "core/json.h"
#include "core/memory.h"
#include "supervisor/api/fanout.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"
#include "supervisor/farm/probe.h"

#include <stdio.h>
#include <stdlib.h>

struct check_entry {
    struct check *check;
    int server_id;
    struct probe_result result;
};

struct check {
    struct reply reply;
    struct api *api;
    size_t next; /* not probed yet */
    size_t in_flight;
    size_t count;
    struct check_entry entries[];
};

static const char *const STATUS_NAMES[] = {
    [PROBE_STATUS_HEALTHY] = "healthy",
    [PROBE_STATUS_DEGRADED] = "degraded",
    [PROBE_STATUS_ERROR] = "error",
};

static void write_entry(struct json_writer *w, const struct check_entry *entry)
{
    bool failed = entry->result.status == PROBE_STATUS_ERROR;

    json_begin_object(w);
    json_member_int(w, "server_id", entry->server_id);
    json_member_string(w, "status", STATUS_NAMES[entry->result.status]);
    json_member_string(w, "error", failed ? entry->result.error : NULL);
    json_member_fixed2(w, "response_time_ms", (double)entry->result.duration_ns / 1e6);
    json_end_object(w);
}

static void answer(struct check *check)
{
    size_t counts[ARRAY_SIZE(STATUS_NAMES)] = {0};
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    for (size_t i = 0; i < check->count; i++)
        counts[check->entries[i].result.status]++;
    json_begin_object(&w);
    json_member_uint(&w, "total_servers", check->count);
    json_member_uint(&w, "healthy", counts[PROBE_STATUS_HEALTHY]);
    json_member_uint(&w, "degraded", counts[PROBE_STATUS_DEGRADED]);
    json_member_uint(&w, "unhealthy", counts[PROBE_STATUS_ERROR]);
    json_key(&w, "servers");
    json_begin_array(&w);
    for (size_t i = 0; i < check->count; i++)
        write_entry(&w, &check->entries[i]);
    json_end_array(&w);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&check->reply, 200, &out);
}

static void on_probed(int server_id, const struct probe_result *result, void *data);

/* Keeps a bounded number in flight; the last one answers. With nobody left to answer nothing more is begun, but what is
 * in flight must come back before the memory goes. */
static void advance(struct check *check)
{
    const struct farm *farm = check->api->farm;

    while (reply_is_open(&check->reply) && check->next < check->count && check->in_flight < FANOUT_PARALLEL) {
        struct check_entry *entry = &check->entries[check->next++];
        const struct server *server = farm_server(farm, entry->server_id);
        if (server == NULL) {
            entry->result.status = PROBE_STATUS_ERROR;
            snprintf(entry->result.error, sizeof(entry->result.error), "removed");
            continue;
        }
        check->in_flight++;
        probe_once(farm_loop(farm), server, API_ASK_TIMEOUT_MS, on_probed, entry);
    }
    if (check->in_flight > 0)
        return;
    answer(check);
    api_end_fanout(check->api);
    free(check);
}

static void on_probed(int server_id, const struct probe_result *result, void *data)
{
    struct check_entry *entry = data;

    (void)server_id;
    entry->result = *result;
    entry->check->in_flight--;
    advance(entry->check);
}

void health_get(struct http_request *request, const struct http_match *match)
{
    struct api *api = api_of(match);
    struct targets targets;

    if (!targets_read_query(request, api->farm, &targets))
        return;
    if (!api_begin_fanout(request, api)) {
        targets_done(&targets);
        return;
    }
    struct check *check = xcalloc(1, sizeof(*check) + targets.count * sizeof(check->entries[0]));
    check->api = api;
    check->count = targets.count;
    for (size_t i = 0; i < targets.count; i++)
        check->entries[i] = (struct check_entry){.check = check, .server_id = targets.ids[i]};
    targets_done(&targets);
    reply_hold(&check->reply, request, NULL);
    advance(check);
}
