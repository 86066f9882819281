/*
 * `GET /api/servers/{id}/history?since=`: the last minutes of one server, a second to a point, as columns.
 */
#include "core/memory.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"

void history_get(struct http_request *request, const struct http_match *match)
{
    struct sample_point points[SAMPLER_KEEP];
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct error err = {0};
    struct server *server;
    int64_t since = 0;

    if (!api_match_server(request, match, &server))
        return;
    if (query_int(http_request_query(request), "since", 0, UINT32_MAX, &since, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    size_t count = sampler_points(server, (uint32_t)since, points, SAMPLER_KEEP);
    json_begin_object(&w);
    json_member_int(&w, "server_id", server->id);
    json_member_int(&w, "interval_seconds", 1);
    json_member_int(&w, "keep_seconds", SAMPLER_KEEP);
    json_member_uint(&w, "bytes_per_server", SAMPLER_BYTES_PER_SERVER);
    json_key(&w, "points");
    view_points(&w, points, count);
    view_timestamp(&w);
    json_end_object(&w);
    respond_json(request, 200, &out);
}
