/*
 * `GET /`: what this is and where the rest lies; on the dashboard's port, the page.
 */
#include "core/json.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"

static void write_endpoints(struct json_writer *w)
{
    static const struct {
        const char *key;
        const char *path;
    } ENDPOINTS[] = {
        {"servers", "/api/servers"}, {"health", "/api/health"}, {"metrics", "/api/metrics"},
        {"events", "/api/events"},   {"docs", "/docs"},         {"openapi", "/openapi.json"},
    };

    json_key(w, "endpoints");
    json_begin_object(w);
    for (size_t i = 0; i < sizeof(ENDPOINTS) / sizeof(ENDPOINTS[0]); i++)
        json_member_string(w, ENDPOINTS[i].key, ENDPOINTS[i].path);
    json_end_object(w);
}

void root_get(struct http_request *request, const struct http_match *match)
{
    const struct api_listener *listener = match->data;
    const struct farm *farm = listener->api->farm;
    const struct settings *settings = farm_settings(farm);
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (listener->is_dashboard) {
        page_dashboard(request, listener->api);
        return;
    }
    json_begin_object(&w);
    json_member_string(&w, "name", "farmd");
    json_member_string(&w, "version", FARMD_VERSION);
    json_member_uint(&w, "servers_managed", farm_server_count(farm));
    json_member_int(&w, "base_port", settings->groups[0].base_port);
    write_endpoints(&w);
    view_farm_members(&w, farm);
    json_member_timestamp(&w, "started_at", farm_started_at_us(farm));
    json_member_uint(&w, "load_requests", settings->load_requests);
    json_member_uint(&w, "load_concurrency", settings->load_concurrency);
    json_member_int(&w, "refresh_interval_ms", settings->refresh_interval_ms);
    view_timestamp(&w);
    json_end_object(&w);
    respond_json(request, 200, &out);
}
