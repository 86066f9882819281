#include "worker/worker.h"

#include "core/clock.h"

#define ANSWER_KEPT 4096 /* a larger answer buffer is given back after use */

double worker_uptime_seconds(const struct worker *worker)
{
    return (double)(clock_monotonic_ns() - worker->started_ns) / (double)NS_PER_SECOND;
}

struct json_writer worker_begin_identified(struct worker *worker)
{
    struct json_writer w = json_writer_to(&worker->answer);

    buffer_clear(&worker->answer);
    buffer_append(&worker->answer, worker->identity.data, worker->identity.length);
    w.need_comma = true;
    return w;
}

struct json_writer worker_begin_answer(struct worker *worker)
{
    struct json_writer w = json_writer_to(&worker->answer);

    buffer_clear(&worker->answer);
    json_begin_object(&w);
    json_member_string(&w, "server_id", worker->options.server_id);
    return w;
}

void worker_end_answer(struct worker *worker, struct json_writer *w, struct http_request *request)
{
    json_end_object(w);
    http_respond(request, 200, JSON_CONTENT_TYPE, worker->answer.data, worker->answer.length);
    if (worker->answer.capacity > ANSWER_KEPT)
        buffer_done(&worker->answer);
}
