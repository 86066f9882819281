/*
 * The figures of a container whose cgroup is not seen from here, because farmd runs in one itself or the Engine elsewhere:
 * the Engine reads them, when asked.
 */
#include "supervisor/runtime/docker/docker.h"

#include <cjson/cJSON.h>

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static uint64_t number(const cJSON *object, const char *key)
{
    const cJSON *item = member(object, key);

    return cJSON_IsNumber(item) && item->valuedouble > 0 ? (uint64_t)item->valuedouble : 0;
}

/* Without the cache that can be dropped at once, as `docker stats` has it: v1 and v2 call it otherwise. */
static uint64_t memory_of(const cJSON *memory)
{
    const cJSON *details = member(memory, "stats");
    uint64_t usage = number(memory, "usage");
    uint64_t cache = number(details, member(details, "total_inactive_file") ? "total_inactive_file" : "inactive_file");

    return usage > cache ? usage - cache : 0;
}

void docker_stats_parse(const cJSON *json, struct runtime_sample *sample)
{
    const cJSON *cpu = member(json, "cpu_stats"), *throttling = member(cpu, "throttling_data");
    const cJSON *memory = member(json, "memory_stats"), *pids = member(json, "pids_stats");

    *sample = (struct runtime_sample){
        .cpu_ns = number(member(cpu, "cpu_usage"), "total_usage"),
        .throttled_ns = number(throttling, "throttled_time"),
        .periods = number(throttling, "periods"),
        .periods_throttled = number(throttling, "throttled_periods"),
        .memory = memory_of(memory),
        .pids = number(pids, "current"),
    };
    sample->have = (member(cpu, "cpu_usage") ? RUNTIME_HAVE_CPU | RUNTIME_HAVE_THROTTLED : 0) |
                   (member(memory, "usage") ? RUNTIME_HAVE_MEMORY : 0) |
                   (member(pids, "current") ? RUNTIME_HAVE_PIDS : 0);
}

static void on_stats(struct runtime_process *run, const struct engine_answer *answer)
{
    run->stats_asked = false;
    if (answer->code == 0 && run->state == RUN_RUNNING)
        docker_stats_parse(answer->json, &run->last_sample);
}

void docker_stats_ask(struct runtime_process *run)
{
    run->stats_asked = true;
    docker_call_container(run, "GET", "/stats?stream=false&one-shot=true", NULL, on_stats);
}
