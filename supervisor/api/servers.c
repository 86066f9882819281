/*
 * The servers: all of them straight from memory, one of them with what it says of itself.
 */
#include "supervisor/api/ask.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <errno.h>
#include <inttypes.h>

#define ENTRY_BYTES 1200 /* about what one entry takes, so that a large list is not copied again and again */
#define MAX_METRICS (64u << 10)

void servers_list(struct http_request *request, const struct http_match *match)
{
    const struct farm *farm = api_of(match)->farm;
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct targets targets;

    if (!targets_read_query(request, farm, &targets))
        return;
    if (!respond_reserve(request, &out, targets.count * ENTRY_BYTES)) {
        targets_done(&targets);
        return;
    }
    json_begin_object(&w);
    json_member_uint(&w, "total_servers", farm_server_count(farm));
    view_farm_members(&w, farm);
    json_key(&w, "totals");
    view_totals(&w, farm);
    json_member_int(&w, "refresh_interval_ms", farm_settings(farm)->refresh_interval_ms);
    json_member_uint(&w, "last_event_id", events_last_id(farm_events(farm)));
    json_key(&w, "servers");
    json_begin_array(&w);
    for (size_t i = 0; i < targets.count; i++) {
        json_begin_object(&w);
        view_server_members(&w, farm_server(farm, targets.ids[i]));
        json_end_object(&w);
    }
    json_end_array(&w);
    view_timestamp(&w);
    json_end_object(&w);
    targets_done(&targets);
    respond_json(request, 200, &out);
}

static void finish_one(struct ask *ask)
{
    struct ask_entry *entry = &ask->entries[0];
    const struct server *server = farm_server(ask->api->farm, (int)entry->server_id);
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct error err;

    if (server == NULL) { /* scaled away while it was asked */
        error_set(&err, NO_SUCH_SERVER, "server_id %" PRId64 ": no such server", entry->server_id);
        reply_error(&ask->reply, &err);
        return;
    }
    if (!ask_begin_answer(ask, &out))
        return;
    json_begin_object(&w);
    json_member_int(&w, "server_id", server->id);
    json_member_string(&w, "container_name", server->name);
    view_server_members(&w, server);
    json_member_string(&w, "restart", restart_policy_name(server->group->restart));
    json_member_string(&w, "restart_profile", restart_profile_name(server->group->restart_profile));
    json_key(&w, "pressure");
    view_pressure(&w, server);
    json_key(&w, "metrics");
    ask_write_entry(&w, ask, entry);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&ask->reply, 200, &out);
}

void servers_get(struct http_request *request, const struct http_match *match)
{
    struct server *server;

    if (!api_match_server(request, match, &server))
        return;
    struct ask *ask = ask_new(request, api_of(match), 1, finish_one);
    if (ask == NULL)
        return;
    ask->entries[0].server_id = server->id;
    ask->request.target = "/metrics";
    ask->request.headers = "Accept: application/json\r\n";
    ask->request.max_body = MAX_METRICS;
    ask_start(ask, request);
}
