/*
 * `GET /api/servers/{id}/history` and, of several servers, `GET /api/history`: the last minutes as columns, a point a
 * second or, with `resolution=10`, one each ten seconds.
 */
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#define MAX_POINTS 30000 /* in one answer, which is written in some milliseconds: ten minutes of 50 servers */
#define POINT_BYTES 72   /* of a point in the answer, about */

static bool read_range(struct http_request *request, struct sample_range *range)
{
    struct http_slice query = http_request_query(request);
    struct error err = {0};
    int64_t since = 0, until = 0, seconds = 1;

    if (query_int(query, "since", 0, UINT32_MAX, &since, &err) < 0 ||
        query_int(query, "until", 0, UINT32_MAX, &until, &err) < 0 ||
        query_int(query, "resolution", 1, 10, &seconds, &err) < 0) {
        respond_error(request, &err);
        return false;
    }
    if (seconds != 1 && seconds != 10) {
        http_respond_problem(request, 422, "resolution must be 1 or 10 (seconds to a point)");
        return false;
    }
    *range = (struct sample_range){
        .resolution = seconds == 1 ? SAMPLE_1S : SAMPLE_10S, .since = (uint32_t)since, .until = (uint32_t)until};
    return true;
}

static void write_frame(struct json_writer *w, const struct sample_range *range)
{
    unsigned seconds = sample_resolution_seconds(range->resolution);

    json_member_uint(w, "interval_seconds", seconds);
    json_member_uint(w, "keep_seconds", (uint64_t)seconds * sample_resolution_keep(range->resolution));
    json_member_uint(w, "bytes_per_server", SAMPLE_BYTES_PER_SERVER);
}

static void write_points(struct json_writer *w, const struct server *server, const struct sample_range *range)
{
    struct sample_point points[SAMPLE_KEEP_MAX];
    size_t count = sampler_points(server, range, points, SAMPLE_KEEP_MAX);

    json_key(w, "points");
    view_points(w, points, count);
}

void history_get(struct http_request *request, const struct http_match *match)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct sample_range range;
    struct server *server;

    if (!api_match_server(request, match, &server) || !read_range(request, &range))
        return;
    json_begin_object(&w);
    json_member_int(&w, "server_id", server->id);
    write_frame(&w, &range);
    write_points(&w, server, &range);
    view_timestamp(&w);
    json_end_object(&w);
    respond_json(request, 200, &out);
}

static void respond_servers(struct http_request *request, const struct farm *farm, const struct targets *targets,
                            const struct sample_range *range, size_t points)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (!respond_reserve(request, &out, points * POINT_BYTES))
        return;
    json_begin_object(&w);
    write_frame(&w, range);
    json_key(&w, "servers");
    json_begin_array(&w);
    for (size_t i = 0; i < targets->count; i++) {
        json_begin_object(&w);
        json_member_int(&w, "server_id", targets->ids[i]);
        write_points(&w, farm_server(farm, targets->ids[i]), range);
        json_end_object(&w);
    }
    json_end_array(&w);
    view_timestamp(&w);
    json_end_object(&w);
    respond_json(request, 200, &out);
}

void history_list(struct http_request *request, const struct http_match *match)
{
    const struct farm *farm = api_of(match)->farm;
    struct targets targets;
    struct sample_range range;
    size_t points = 0;

    if (!read_range(request, &range) || !targets_read_query(request, farm, &targets))
        return;
    for (size_t i = 0; i < targets.count; i++)
        points += sampler_points(farm_server(farm, targets.ids[i]), &range, NULL, SIZE_MAX);
    if (points > MAX_POINTS)
        http_respond_problem(request, 422,
                             "%zu points are more than one answer has (%d): ask for fewer servers by select, for less "
                             "time by since and until, or for resolution=10",
                             points, MAX_POINTS);
    else
        respond_servers(request, farm, &targets, &range, points);
    targets_done(&targets);
}
