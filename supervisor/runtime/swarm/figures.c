/*
 * What servers of other nodes use: their cgroups are not seen from here and Swarm tells nothing of it, so farm-worker is
 * asked, over the way by which everybody reaches it. CPU it tells as a share of its limit over the last second; that times
 * the time since the last answer is what is added to the sum that a cgroup would have.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "http/client.h"

#include <cjson/cJSON.h>

#define EVERY_NS ((int64_t)5 * NS_PER_SECOND)
#define TIMEOUT_MS 2000
#define MAX_BODY ((size_t)16 * 1024)
#define MAX_CPU_PERCENT 1000.0
#define MAX_MEMORY_MIB (LIMITS_MAX_MEMORY / (double)MIB)

/* A server says what it likes. */
static double figure(const cJSON *json, const char *first, const char *second, double most)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, first), second);
    return cJSON_IsNumber(item) && item->valuedouble > 0 && item->valuedouble <= most ? item->valuedouble : 0;
}

static void take(struct runtime_process *run, const cJSON *json)
{
    struct runtime_sample *sample = &run->last_sample;
    int64_t now_ns = clock_monotonic_ns();
    double cores = figure(json, "cpu", "percent", MAX_CPU_PERCENT) / 100 * run->task.limits.cpu;

    if (run->figures_at_ns > 0)
        sample->cpu_ns += (uint64_t)(cores * (double)(now_ns - run->figures_at_ns));
    sample->memory = (uint64_t)(figure(json, "memory", "used_mb", MAX_MEMORY_MIB) * (double)MIB);
    sample->have = RUNTIME_HAVE_CPU | RUNTIME_HAVE_MEMORY;
    run->figures_at_ns = now_ns;
}

static void on_answer(void *data, const struct http_client_response *response)
{
    struct runtime_process *run = data;

    run->figures_asked = false;
    if (response->outcome != HTTP_OK || response->status != 200)
        return;
    cJSON *json = cJSON_ParseWithLength(response->body, response->body_length);
    if (cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "memory"))) /* another program has no such page */
        take(run, json);
    cJSON_Delete(json);
}

void swarm_figures_ask(struct runtime_process *run)
{
    const struct http_client_request request = {
        .method = "GET", .target = "/metrics", .timeout_ms = TIMEOUT_MS, .max_body = MAX_BODY};

    if (!run->relay || run->figures_asked || clock_monotonic_ns() - run->figures_tried_ns < EVERY_NS)
        return;
    run->figures_tried_ns = clock_monotonic_ns();
    run->figures_asked = true;
    if (!run->figures)
        run->figures = http_client_new(run->runtime->loop, run->port);
    http_client_send(run->figures, &request, on_answer, run);
}

void swarm_figures_end(struct runtime_process *run)
{
    http_client_free(steal(&run->figures));
    run->figures_asked = false;
}
