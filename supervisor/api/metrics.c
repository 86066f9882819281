/*
 * `GET /api/metrics`: the farm's figures as its servers tell them, asked in parallel. A scraper gets the supervisor's
 * own figures as text instead (metrics_text.c).
 */
#include "http/accept.h"
#include "supervisor/api/ask.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/view.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

#define MAX_METRICS (64u << 10)

struct spread {
    double sum, max, min;
};

static void spread_add(struct spread *spread, double value, bool is_first)
{
    spread->sum += value;
    if (is_first || value > spread->max)
        spread->max = value;
    if (is_first || value < spread->min)
        spread->min = value;
}

static void spread_write(struct json_writer *w, const char *key, const struct spread *spread, size_t count)
{
    json_key(w, key);
    json_begin_object(w);
    json_member_fixed2(w, "average", spread->sum / (double)count);
    json_member_fixed2(w, "max", spread->max);
    json_member_fixed2(w, "min", spread->min);
    json_end_object(w);
}

static bool number_at(const cJSON *root, const char *object, const char *key, double *value)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(root, object), key);

    if (!cJSON_IsNumber(item))
        return false;
    *value = item->valuedouble;
    return true;
}

struct totals {
    size_t responding;
    double requests;
    struct spread cpu, memory;
};

/* A user's program may answer anything at /metrics: only what has all three figures counts. */
static void add_entry(struct totals *totals, const struct ask_entry *entry)
{
    double requests, cpu, memory;
    cJSON *root = entry->json == NULL ? NULL : cJSON_ParseWithLength(entry->json, entry->length);

    if (number_at(root, "requests", "total", &requests) && number_at(root, "cpu", "percent", &cpu) &&
        number_at(root, "memory", "percent", &memory)) {
        totals->requests += requests;
        spread_add(&totals->cpu, cpu, totals->responding == 0);
        spread_add(&totals->memory, memory, totals->responding == 0);
        totals->responding++;
    }
    cJSON_Delete(root);
}

static void finish(struct ask *ask)
{
    struct totals totals = {0};
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    for (size_t i = 0; i < ask->count; i++)
        add_entry(&totals, &ask->entries[i]);
    json_begin_object(&w);
    if (totals.responding == 0) {
        json_member_string(&w, "error", "No servers responded");
    } else {
        json_member_uint(&w, "total_servers", ask->count);
        json_member_uint(&w, "responding_servers", totals.responding);
        json_key(&w, "aggregated_metrics");
        json_begin_object(&w);
        json_member_uint(&w, "total_requests", (uint64_t)totals.requests);
        spread_write(&w, "cpu", &totals.cpu, totals.responding);
        spread_write(&w, "memory", &totals.memory, totals.responding);
        json_end_object(&w);
    }
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&ask->reply, 200, &out);
}

void metrics_get(struct http_request *request, const struct http_match *match)
{
    struct api *api = api_of(match);

    if (http_accept_quality(request, "text/plain") > http_accept_quality(request, "application/json")) {
        metrics_prometheus(request, api);
        return;
    }
    struct ask *ask = ask_selected(request, api, finish);
    if (ask == NULL)
        return;
    ask->request.target = "/metrics";
    ask->request.headers = "Accept: application/json\r\n";
    ask->request.max_body = MAX_METRICS;
    ask_start(ask, request);
}
