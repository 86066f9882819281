/*
 * `POST /api/simulate-load`: the chosen servers burn CPU and hold memory, all at once.
 */
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/ask.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/targets.h"
#include "supervisor/api/view.h"

#include <cjson/cJSON.h>
#include <inttypes.h>

#define MAX_CPU_SECONDS 3600.0
#define MAX_MEMORY_MB (1 << 20)
#define ANSWER_GRACE_MS 30000 /* beside the burning itself: touching much memory takes time under a limit */
#define MAX_ANSWER (16u << 10)

static void write_entry(struct json_writer *w, struct ask *ask, struct ask_entry *entry)
{
    json_begin_object(w);
    json_member_int(w, "server_id", entry->server_id);
    json_member_string(w, "status", entry->json != NULL ? "success" : "error");
    if (entry->json != NULL) {
        json_key(w, "data");
        ask_write_entry(w, ask, entry);
    } else {
        json_member_string(w, "message", entry->error);
    }
    json_end_object(w);
}

static void finish(struct ask *ask)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (!ask_begin_answer(ask, &out))
        return;
    json_begin_object(&w);
    json_key(&w, "results");
    json_begin_array(&w);
    for (size_t i = 0; i < ask->count; i++)
        write_entry(&w, ask, &ask->entries[i]);
    json_end_array(&w);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&ask->reply, 200, &out);
}

/* A list is taken as it is sent, ids outside the farm included: each has its own entry. A selector names none of those.
 * False when the request was answered. */
static bool read_servers(struct http_request *request, const struct farm *farm, const struct body *body, int64_t **ids,
                         size_t *count)
{
    struct error err = {0};
    struct targets targets;

    if (!cJSON_IsString(body_get(body, "server_ids"))) {
        int rc = body_int_list(body, "server_ids", SETTINGS_MAX_SERVERS, ids, count, &err);
        if (rc == 0)
            http_respond_problem(request, 422, "server_ids is missing: a list of server ids, or a selector");
        else if (rc < 0)
            respond_error(request, &err);
        return rc > 0;
    }
    if (!targets_read(request, farm, body, "server_ids", &targets))
        return false;
    *ids = xcalloc(targets.count, sizeof(**ids));
    *count = targets.count;
    for (size_t i = 0; i < targets.count; i++)
        (*ids)[i] = targets.ids[i];
    targets_done(&targets);
    return true;
}

static void simulate(struct http_request *request, const struct call *call, const struct body *body)
{
    struct error err = {0};
    cleanup_free int64_t *ids = NULL;
    size_t count = 0;
    double cpu_duration = 2.0;
    int64_t memory_mb = 100;

    if (!read_servers(request, call->api->farm, body, &ids, &count))
        return;
    if (body_number(body, "cpu_duration", 0, MAX_CPU_SECONDS, &cpu_duration, &err) < 0 ||
        body_int(body, "memory_mb", 0, MAX_MEMORY_MB, &memory_mb, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    if (!api_may_change(request, call->api))
        return;
    struct ask *ask = ask_new(request, call->api, count, finish);
    if (ask == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        ask->entries[i].server_id = ids[i];
    ask->parallel = count;
    ask->tells_detail = true;
    ask->target = xasprintf("/simulate-load?cpu_duration=%.3f&memory_mb=%" PRId64, cpu_duration, memory_mb);
    ask->request.method = "POST";
    ask->request.target = ask->target;
    ask->request.timeout_ms = (unsigned)(cpu_duration * 1000) + ANSWER_GRACE_MS;
    ask->request.max_body = MAX_ANSWER;
    ask_start(ask, request);
}

void simulate_post(struct http_request *request, const struct http_match *match)
{
    reply_read_body(request, api_of(match), 0, simulate);
}
