/*
 * The farm for a Prometheus scraper: what the supervisor knows of itself and of each server, without asking them. One
 * row for each family; a server that has no value for it is left out.
 */
#include "core/memory.h"
#include "core/prometheus.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"

#include <stdbool.h>

#define LABELS_BYTES 128
#define SAMPLE_BYTES 160 /* about what a line takes, so that a large text is not copied again and again */

typedef bool value_fn(const struct server *server, double *value);

#define VALUE(name, known, expression)                                                                                 \
    static bool value_##name(const struct server *server, double *value)                                               \
    {                                                                                                                  \
        *value = (double)(expression);                                                                                 \
        return (known);                                                                                                \
    }
VALUE(up, true, server_is_live(server))
VALUE(ready, true, server->ready)
VALUE(healthy, server->health != HEALTH_UNKNOWN, server->health == HEALTH_HEALTHY)
VALUE(restarts, true, server->restarts)
VALUE(uptime, server->process != NULL, server_uptime_seconds(server))
VALUE(cpu, server_is_live(server), server->stats.cpu_cores)
VALUE(cpu_ratio, server_is_live(server), server->stats.cpu_percent / 100)
VALUE(throttled, server_is_live(server) && (server->stats.have & RUNTIME_HAVE_THROTTLED),
      server->stats.throttled_percent / 100)
VALUE(memory, server_is_live(server), server->stats.memory)
VALUE(memory_ratio, server_is_live(server), server->stats.memory_percent / 100)
VALUE(oom_kills, true, server->stats.oom_kills)
VALUE(pids, server_is_live(server) && (server->stats.have & RUNTIME_HAVE_PIDS), server->stats.pids)
VALUE(requests, server_is_live(server) && server->stats.have_requests, server->stats.requests_total)
VALUE(request_rate, server_is_live(server) && server->stats.have_requests, server->stats.requests_per_second)
VALUE(error_rate, server_is_live(server) && server->stats.have_requests, server->stats.errors_per_second)

static const struct {
    const char *name, *type, *help;
    value_fn *read;
} FAMILIES[] = {
    {"farmd_server_up", "gauge", "Whether the server is running.", value_up},
    {"farmd_server_ready", "gauge", "Whether its readiness probe passes.", value_ready},
    {"farmd_server_healthy", "gauge", "Whether its last liveness probe said healthy.", value_healthy},
    {"farmd_server_restarts_total", "counter", "Restarts since farmd began.", value_restarts},
    {"farmd_server_uptime_seconds", "gauge", "Age of its process.", value_uptime},
    {"farmd_server_cpu_cores", "gauge", "Processors used over the last second.", value_cpu},
    {"farmd_server_cpu_limit_ratio", "gauge", "Processor use as a part of its limit.", value_cpu_ratio},
    {"farmd_server_throttled_ratio", "gauge", "Part of the last second in which it was throttled.", value_throttled},
    {"farmd_server_memory_bytes", "gauge", "Memory in use.", value_memory},
    {"farmd_server_memory_limit_ratio", "gauge", "Memory in use as a part of its limit.", value_memory_ratio},
    {"farmd_server_oom_kills_total", "counter", "Kills by the kernel for its memory limit.", value_oom_kills},
    {"farmd_server_pids", "gauge", "Processes and threads.", value_pids},
    {"farmd_server_requests_total", "counter", "Requests answered by this process.", value_requests},
    {"farmd_server_requests_per_second", "gauge", "Requests answered over the last second.", value_request_rate},
    {"farmd_server_errors_per_second", "gauge", "Answers with a 5xx status over the last second.", value_error_rate},
};

static void write_farm(struct buffer *out, const struct farm *farm)
{
    struct buffer labels = BUFFER_EMPTY;
    struct farm_totals totals;

    farm_totals(farm, &totals);
    prometheus_family(out, "farmd_info", "gauge", "What runs here; always 1.");
    prometheus_label(&labels, "version", FARMD_VERSION);
    prometheus_label(&labels, "enforcement", farm_enforcement(farm));
    prometheus_label(&labels, "runtime", farm_runtime_ops(farm)->kind);
    prometheus_sample(out, "farmd_info", labels.data, 1);

    prometheus_family(out, "farmd_servers", "gauge", "Servers by state.");
    for (int state = 0; state < SERVER_STATE_COUNT; state++) {
        buffer_clear(&labels);
        prometheus_label(&labels, "state", server_state_name((enum server_state)state));
        prometheus_sample(out, "farmd_servers", labels.data, totals.by_state[state]);
    }
    buffer_done(&labels);
}

void metrics_prometheus(struct http_request *request, struct api *api)
{
    const struct farm *farm = api->farm;
    size_t count = farm_server_count(farm);
    struct buffer out = BUFFER_EMPTY;
    struct buffer labels = BUFFER_EMPTY;

    if (!respond_reserve(request, &out, count * ARRAY_SIZE(FAMILIES) * SAMPLE_BYTES))
        return;
    write_farm(&out, farm);
    for (size_t f = 0; f < ARRAY_SIZE(FAMILIES); f++) {
        prometheus_family(&out, FAMILIES[f].name, FAMILIES[f].type, FAMILIES[f].help);
        for (size_t i = 0; i < count; i++) {
            const struct server *server = farm_server_at(farm, i);
            double value;
            if (!FAMILIES[f].read(server, &value))
                continue;
            buffer_clear(&labels);
            buffer_reserve(&labels, LABELS_BYTES);
            prometheus_label(&labels, "server", server->name);
            prometheus_label(&labels, "group", server->group->name);
            prometheus_sample(&out, FAMILIES[f].name, labels.data, value);
        }
    }
    http_respond_header(request, "Cache-Control", "no-store");
    http_respond_header(request, "Vary", "Accept");
    buffer_done(&labels);
    http_respond_buffer(request, 200, PROMETHEUS_CONTENT_TYPE, &out);
}
