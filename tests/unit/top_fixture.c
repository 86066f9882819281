/* See top_fixture.h. */
#include "tests/unit/top_fixture.h"

#include "core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW "2026-11-23T12:00:00.000000+00:00"

static void append_server(struct buffer *out, const struct top_server *server)
{
    buffer_printf(out,
                  "{\"id\":%d,\"name\":\"server-%d\",\"status\":\"%s\",\"health\":\"%s\",\"port\":%d,"
                  "\"throttled_percent\":%g,\"restarts\":%d,\"uptime_seconds\":192,\"errors_per_second\":0,"
                  "\"limits\":{\"cpu\":0.5,\"memory_mb\":256}",
                  server->id, server->id, server->status, server->health, 8000 + server->id, server->throttled,
                  server->restarts);
    if (server->rate >= 0)
        buffer_printf(out, ",\"requests_per_second\":%g", server->rate);
    if (server->p99 >= 0)
        buffer_printf(out, ",\"latency\":{\"p50_ms\":0.1,\"p90_ms\":0.2,\"p99_ms\":%g}", server->p99);
    if (server->node)
        buffer_printf(out, ",\"node\":\"%s\"", server->node);
    if (server->error)
        buffer_printf(out, ",\"error\":\"%s\"", server->error);
    else
        buffer_printf(out, ",\"cpu_percent\":%g,\"memory_mb\":%g,\"memory_percent\":%g", server->cpu,
                      server->memory * 2.56, server->memory);
    if (strcmp(server->status, "backoff") == 0)
        buffer_append_text(out, ",\"last_exit\":{\"reason\":\"OOMKilled\",\"signal\":9,\"at\":\"" NOW "\"},"
                                "\"next_restart_at\":\"2026-11-23T12:00:03.200000+00:00\"");
    buffer_append_char(out, '}');
}

struct snapshot *top_snapshot(const struct top_server *servers, size_t count, int total)
{
    struct buffer out = BUFFER_EMPTY;
    buffer_printf(&out,
                  "{\"total_servers\":%d,\"enforcement\":\"cgroup2\",\"timestamp\":\"" NOW "\",\"totals\":"
                  "{\"running\":%d,\"healthy\":%d,\"unhealthy\":0,\"cpu_cores\":3.1,\"cpu_limit\":25,"
                  "\"memory_mb\":1228.8,\"memory_limit_mb\":12800,\"requests_per_second\":812},\"servers\":[",
                  total, total, total);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(&out, i > 0 ? "," : "");
        append_server(&out, &servers[i]);
    }
    buffer_append_text(&out, "]}");
    struct snapshot *snapshot = snapshot_parse(out.data, out.length);
    assert_non_null(snapshot);
    buffer_done(&out);
    return snapshot;
}
