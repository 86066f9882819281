/*
 * Figures that are not accounted here are null, never a made-up zero; the contract's three (cpu_percent, memory_mb,
 * memory_percent) are left out together for a server that is not running.
 */
#include "supervisor/api/view.h"

#include "core/clock.h"
#include "core/units.h"

#define US_PER_MS 1000.0

static double mib(uint64_t bytes)
{
    return (double)bytes / (double)MIB;
}

static void fixed2_or_null(struct json_writer *w, const char *key, bool known, double value)
{
    if (known)
        json_member_fixed2(w, key, value);
    else
        json_member_null(w, key);
}

static void uint_or_null(struct json_writer *w, const char *key, bool known, uint64_t value)
{
    if (known)
        json_member_uint(w, key, value);
    else
        json_member_null(w, key);
}

static void time_or_null(struct json_writer *w, const char *key, int64_t at_us)
{
    if (at_us != 0)
        json_member_timestamp(w, key, at_us);
    else
        json_member_null(w, key);
}

static void text_or_null(struct json_writer *w, const char *key, const char *text)
{
    json_member_string(w, key, text != NULL && *text != '\0' ? text : NULL);
}

void view_timestamp(struct json_writer *w)
{
    json_member_timestamp(w, "timestamp", clock_realtime_us());
}

const char *view_server_error(const struct server *server)
{
    return server->error[0] != '\0' ? server->error : server_state_name(server->lifecycle.state);
}

static void write_last_exit(struct json_writer *w, const struct server_last_exit *last)
{
    json_key(w, "last_exit");
    if (!last->known) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    json_member_string(w, "reason", event_reason_name(last->reason));
    if (last->has_exit_code)
        json_member_int(w, "exit_code", last->exit_code);
    else
        json_member_null(w, "exit_code");
    if (last->has_signal)
        json_member_int(w, "signal", last->signal);
    else
        json_member_null(w, "signal");
    json_member_bool(w, "oom_killed", last->oom_killed);
    json_member_timestamp(w, "at", last->at_us);
    json_end_object(w);
}

void view_limits(struct json_writer *w, const struct limits *limits)
{
    json_begin_object(w);
    json_member_fixed2(w, "cpu", limits->cpu);
    json_member_fixed2(w, "memory_mb", mib(limits->memory));
    json_member_fixed2(w, "cpu_reservation", limits->cpu_reservation);
    json_member_fixed2(w, "memory_reservation_mb", mib(limits->memory_reservation));
    json_member_uint(w, "pids", limits->pids);
    json_end_object(w);
}

void view_limits_in_force(struct json_writer *w, const struct server *server)
{
    struct runtime_limits_in_force limits = {0};

    if (server->process != NULL)
        farm_runtime_ops(server->farm)->limits_in_force(server->process, &limits);
    json_begin_object(w);
    fixed2_or_null(w, "cpu", limits.cpu > 0, limits.cpu);
    fixed2_or_null(w, "memory_mb", limits.memory > 0, mib(limits.memory));
    fixed2_or_null(w, "cpu_reservation", limits.cpu_reservation > 0, limits.cpu_reservation);
    fixed2_or_null(w, "memory_reservation_mb", limits.memory_reservation > 0, mib(limits.memory_reservation));
    uint_or_null(w, "pids", limits.pids > 0, limits.pids);
    json_end_object(w);
}

static void write_stall(struct json_writer *w, const char *key, const struct runtime_stall *stall)
{
    json_key(w, key);
    if (!stall->known) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    json_member_fixed2(w, "avg10", stall->avg10);
    json_member_fixed2(w, "avg60", stall->avg60);
    json_member_fixed2(w, "avg300", stall->avg300);
    json_member_uint(w, "total_us", stall->total_us);
    json_end_object(w);
}

void view_pressure(struct json_writer *w, const struct server *server)
{
    static const char *const names[RUNTIME_RESOURCE_COUNT] = {
        [RUNTIME_CPU] = "cpu", [RUNTIME_MEMORY] = "memory", [RUNTIME_IO] = "io"};
    struct runtime_pressure pressure[RUNTIME_RESOURCE_COUNT] = {0};

    if (server->process != NULL)
        farm_runtime_ops(server->farm)->pressure(server->process, pressure);
    if (!pressure[RUNTIME_CPU].some.known && !pressure[RUNTIME_MEMORY].some.known && !pressure[RUNTIME_IO].some.known) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    for (int i = 0; i < RUNTIME_RESOURCE_COUNT; i++) {
        json_key(w, names[i]);
        json_begin_object(w);
        write_stall(w, "some", &pressure[i].some);
        write_stall(w, "full", &pressure[i].full);
        json_end_object(w);
    }
    json_end_object(w);
}

static void write_requests(struct json_writer *w, const struct server_stats *stats, bool live)
{
    bool counted = live && stats->have_requests;

    uint_or_null(w, "requests_total", counted, stats->requests_total);
    fixed2_or_null(w, "requests_per_second", counted, stats->requests_per_second);
    fixed2_or_null(w, "errors_per_second", counted, stats->errors_per_second);
    json_key(w, "latency");
    if (!counted || stats->p50_us == 0) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    json_member_fixed2(w, "p50_ms", (double)stats->p50_us / US_PER_MS);
    json_member_fixed2(w, "p90_ms", (double)stats->p90_us / US_PER_MS);
    json_member_fixed2(w, "p99_ms", (double)stats->p99_us / US_PER_MS);
    json_end_object(w);
}

static void write_usage(struct json_writer *w, const struct server *server)
{
    const struct server_stats *stats = &server->stats;
    bool live = server_is_live(server);

    if (live) {
        json_member_fixed2(w, "cpu_percent", stats->cpu_percent);
        json_member_fixed2(w, "memory_mb", mib(stats->memory));
        json_member_fixed2(w, "memory_percent", stats->memory_percent);
    } else {
        json_member_string(w, "error", view_server_error(server));
    }
    fixed2_or_null(w, "throttled_percent", live && (stats->have & RUNTIME_HAVE_THROTTLED), stats->throttled_percent);
    json_member_uint(w, "oom_kills", stats->oom_kills);
    uint_or_null(w, "pids", live && (stats->have & RUNTIME_HAVE_PIDS), stats->pids);
    json_key(w, "io");
    if (live && (stats->have & RUNTIME_HAVE_IO)) {
        json_begin_object(w);
        json_member_fixed2(w, "read_bytes_per_second", stats->io_read_per_second);
        json_member_fixed2(w, "write_bytes_per_second", stats->io_write_per_second);
        json_end_object(w);
    } else {
        json_null(w);
    }
    write_requests(w, stats, live);
}

static void write_labels(struct json_writer *w, const struct group_settings *group)
{
    json_member_string(w, "group", group->name);
    json_key(w, "labels");
    json_begin_object(w);
    for (size_t i = 0; i < group->label_count; i++)
        json_member_string(w, group->labels[i].key, group->labels[i].value);
    json_end_object(w);
}

void view_server_members(struct json_writer *w, const struct server *server)
{
    json_member_int(w, "id", server->id);
    json_member_string(w, "name", server->name);
    json_member_string(w, "status", server_state_name(server->lifecycle.state));
    json_member_string(w, "url", server->url);
    json_member_int(w, "port", server->port);
    write_usage(w, server);

    json_member_string(w, "health", server_health_name(server->health));
    text_or_null(w, "health_error", server->health_error);
    json_member_bool(w, "ready", server->ready);
    pid_t pid = server->process == NULL ? 0 : farm_runtime_ops(server->farm)->pid(server->process);
    uint_or_null(w, "pid", pid > 0, (uint64_t)pid);
    text_or_null(w, "node", server_node(server));
    json_member_fixed2(w, "uptime_seconds", server_uptime_seconds(server));
    time_or_null(w, "started_at", server->started_at_us);
    json_member_uint(w, "restarts", server->restarts);
    write_last_exit(w, &server->last_exit);
    time_or_null(w, "next_restart_at", server->next_restart_at_us);
    json_key(w, "limits");
    view_limits_in_force(w, server);
    json_key(w, "limits_configured");
    view_limits(w, &server->limits);
    write_labels(w, server->group);
}

void view_event(struct json_writer *w, const struct event *event)
{
    json_begin_object(w);
    json_member_uint(w, "id", event->id);
    json_member_timestamp(w, "at", event->at_us);
    json_member_string(w, "reason", event_reason_name(event->reason));
    json_member_bool(w, "warning", event_reason_is_warning(event->reason));
    uint_or_null(w, "server_id", event->server_id > 0, (uint64_t)event->server_id);
    json_member_string(w, "message", event->message);
    time_or_null(w, "next_try_at", event->next_try_us);
    uint_or_null(w, "duration_ms", event->duration_ms >= 0, (uint64_t)event->duration_ms);
    json_end_object(w);
}

void view_farm_members(struct json_writer *w, const struct farm *farm)
{
    const char *warning = farm_enforcement_warning(farm);
    const struct runtime_enforced enforced = farm_enforced(farm);

    json_member_string(w, "enforcement", farm_enforcement(farm));
    json_key(w, "limits_in_force");
    json_begin_object(w);
    json_member_bool(w, "cpu", enforced.cpu);
    json_member_bool(w, "memory", enforced.memory);
    json_member_bool(w, "pids", enforced.pids);
    json_end_object(w);
    if (warning != NULL)
        json_member_string(w, "enforcement_warning", warning);
    json_member_string(w, "runtime", farm_runtime_ops(farm)->kind);
}

void view_totals(struct json_writer *w, const struct farm *farm)
{
    struct farm_totals totals;

    farm_totals(farm, &totals);
    json_begin_object(w);
    for (int state = 0; state < SERVER_STATE_COUNT; state++)
        json_member_uint(w, server_state_name((enum server_state)state), totals.by_state[state]);
    json_member_uint(w, "healthy", totals.healthy);
    json_member_uint(w, "degraded", totals.degraded);
    json_member_uint(w, "unhealthy", totals.unhealthy);
    json_member_fixed2(w, "cpu_cores", totals.cpu_cores);
    fixed2_or_null(w, "cpu_limit", totals.cpu_limit > 0, totals.cpu_limit);
    json_member_fixed2(w, "memory_mb", mib(totals.memory));
    fixed2_or_null(w, "memory_limit_mb", totals.memory_limit > 0, mib(totals.memory_limit));
    json_member_fixed2(w, "requests_per_second", totals.requests_per_second);
    json_member_fixed2(w, "errors_per_second", totals.errors_per_second);
    json_end_object(w);
}

/* One figure of a point; false: not counted. */
typedef bool column_fn(const struct sample_point *point, double *value);

#define COLUMN(name, known, expression)                                                                                \
    static bool column_##name(const struct sample_point *point, double *value)                                         \
    {                                                                                                                  \
        *value = (expression);                                                                                         \
        return (known);                                                                                                \
    }
COLUMN(cpu_percent, true, point->cpu_percent)
COLUMN(throttled_percent, true, point->throttled_percent)
COLUMN(memory_mb, true, point->memory_mb)
COLUMN(requests_per_second, point->requests_per_second >= 0, point->requests_per_second)
COLUMN(errors_per_second, point->requests_per_second >= 0, point->errors_per_second)
COLUMN(p50_ms, point->requests_per_second > 0, point->p50_us / US_PER_MS)
COLUMN(p99_ms, point->requests_per_second > 0, point->p99_us / US_PER_MS)

void view_points(struct json_writer *w, const struct sample_point *points, size_t count)
{
    static const struct {
        const char *key;
        column_fn *read;
    } COLUMNS[] = {
        {"cpu_percent", column_cpu_percent},
        {"throttled_percent", column_throttled_percent},
        {"memory_mb", column_memory_mb},
        {"requests_per_second", column_requests_per_second},
        {"errors_per_second", column_errors_per_second},
        {"p50_ms", column_p50_ms},
        {"p99_ms", column_p99_ms},
    };

    json_begin_object(w);
    json_key(w, "at");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        json_uint(w, points[i].at_s);
    json_end_array(w);
    json_key(w, "restarts");
    json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        json_uint(w, points[i].restarts);
    json_end_array(w);
    for (size_t c = 0; c < sizeof(COLUMNS) / sizeof(COLUMNS[0]); c++) {
        json_key(w, COLUMNS[c].key);
        json_begin_array(w);
        for (size_t i = 0; i < count; i++) {
            double value;
            if (COLUMNS[c].read(&points[i], &value))
                json_fixed2(w, value);
            else
                json_null(w);
        }
        json_end_array(w);
    }
    json_end_object(w);
}
