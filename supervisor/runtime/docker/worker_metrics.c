/*
 * How many requests a farm-worker in a container has answered: its counters lie in there, where nobody maps them, so it is
 * asked over HTTP, and what it says is put where the counters of process mode would be. Latencies it does not tell.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/memory.h"
#include "http/client.h"

#include <cjson/cJSON.h>

#define METRICS_TIMEOUT_MS 2000
#define METRICS_MAX_BODY ((size_t)16 * 1024)

static void on_metrics(void *data, const struct http_client_response *response)
{
    struct runtime_process *run = data;

    run->metrics_asked = false;
    if (response->outcome != HTTP_OK || response->status != 200)
        return;
    cJSON *json = cJSON_ParseWithLength(response->body, response->body_length);
    const cJSON *requests = cJSON_GetObjectItemCaseSensitive(json, "requests");
    const cJSON *total = cJSON_GetObjectItemCaseSensitive(requests, "total");
    const cJSON *failed = cJSON_GetObjectItemCaseSensitive(requests, "server_errors");
    if (cJSON_IsNumber(total) && total->valuedouble >= 0) {
        if (!run->counters)
            run->counters = xcalloc(1, sizeof(*run->counters));
        run->counters->magic = COUNTERS_MAGIC;
        run->counters->version = COUNTERS_VERSION;
        atomic_store(&run->counters->requests, (uint64_t)total->valuedouble);
        if (cJSON_IsNumber(failed) && failed->valuedouble >= 0)
            atomic_store(&run->counters->responses[4], (uint64_t)failed->valuedouble);
        run->counters_at_ns = clock_monotonic_ns();
    }
    cJSON_Delete(json);
}

void worker_metrics_ask(struct runtime_process *run)
{
    const struct http_client_request request = {
        .method = "GET", .target = "/metrics", .timeout_ms = METRICS_TIMEOUT_MS, .max_body = METRICS_MAX_BODY};

    if (!run->metrics)
        run->metrics = http_client_new(run->runtime->loop, run->port);
    run->metrics_asked = true;
    http_client_send(run->metrics, &request, on_metrics, run);
}
