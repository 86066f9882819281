/*
 * Each member is kept as the text that was last written for it, so that no type of member needs a comparison of its own.
 */
#include "supervisor/api/live_farm.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/api/view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define HOST_NAME_MAX_LENGTH 64
#define US_PER_MS 1000.0

struct reading {
    const struct farm *farm;
    struct farm_totals totals;
    unsigned load_tests;
};

static void write_name(struct json_writer *w, const struct reading *reading)
{
    char name[HOST_NAME_MAX_LENGTH + 1] = "";

    (void)reading;
    json_string(w, gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost");
}

static void write_states(struct json_writer *w, const struct reading *reading)
{
    json_begin_object(w);
    for (int state = 0; state < SERVER_STATE_COUNT; state++)
        json_member_uint(w, server_state_name((enum server_state)state), reading->totals.by_state[state]);
    json_end_object(w);
}

static void write_health(struct json_writer *w, const struct reading *reading)
{
    const struct farm_totals *totals = &reading->totals;
    size_t known = (size_t)totals->healthy + totals->degraded + totals->unhealthy;

    json_begin_object(w);
    json_member_uint(w, "healthy", totals->healthy);
    json_member_uint(w, "degraded", totals->degraded);
    json_member_uint(w, "unhealthy", totals->unhealthy);
    json_member_uint(w, "unknown", farm_server_count(reading->farm) - known);
    json_end_object(w);
}

/* In backoff, or starting and not for the first time. */
static void write_restarting(struct json_writer *w, const struct reading *reading)
{
    unsigned count = reading->totals.by_state[SERVER_BACKOFF];

    for (size_t i = 0; i < farm_server_count(reading->farm); i++) {
        const struct server *server = farm_server_at(reading->farm, i);
        count += server->lifecycle.state == SERVER_STARTING && server->restarts > 0;
    }
    json_uint(w, count);
}

static void fixed2_or_null(struct json_writer *w, bool known, double value)
{
    if (known)
        json_fixed2(w, value);
    else
        json_null(w);
}

#define MEMBER(name, write)                                                                                            \
    static void write_##name(struct json_writer *w, const struct reading *reading)                                     \
    {                                                                                                                  \
        const struct farm *farm = reading->farm;                                                                       \
        const struct farm_totals *totals = &reading->totals;                                                           \
        (void)farm;                                                                                                    \
        (void)totals;                                                                                                  \
        write;                                                                                                         \
    }
MEMBER(version, json_string(w, FARMD_VERSION))
MEMBER(runtime, json_string(w, farm_runtime_ops(farm)->kind))
MEMBER(enforcement, json_string(w, farm_enforcement(farm)))
MEMBER(warning, json_string(w, farm_enforcement_warning(farm)))
MEMBER(started_at, json_timestamp(w, farm_started_at_us(farm)))
MEMBER(servers, json_uint(w, farm_server_count(farm)))
MEMBER(cpu_used, json_fixed2(w, totals->cpu_cores))
MEMBER(cpu_limit, fixed2_or_null(w, totals->cpu_limit > 0, totals->cpu_limit))
MEMBER(memory_used, json_fixed2(w, (double)totals->memory / (double)MIB))
MEMBER(memory_limit, fixed2_or_null(w, totals->memory_limit > 0, (double)totals->memory_limit / (double)MIB))
MEMBER(requests, json_fixed2(w, totals->requests_per_second))
MEMBER(errors, json_fixed2(w, totals->errors_per_second))
MEMBER(p99, fixed2_or_null(w, totals->p99_us > 0, (double)totals->p99_us / US_PER_MS))
MEMBER(cpu_machine, json_int(w, get_nprocs()))
MEMBER(load_tests, json_uint(w, reading->load_tests))

static const struct {
    const char *name;
    void (*write)(struct json_writer *w, const struct reading *reading);
} MEMBERS[] = {
    {"name", write_name},
    {"version", write_version},
    {"runtime", write_runtime},
    {"enforcement", write_enforcement},
    {"enforcement_warning", write_warning},
    {"started_at", write_started_at},
    {"servers", write_servers},
    {"states", write_states},
    {"health", write_health},
    {"restarting", write_restarting},
    {"cpu_used", write_cpu_used},
    {"cpu_limit", write_cpu_limit},
    {"memory_used_mb", write_memory_used},
    {"memory_limit_mb", write_memory_limit},
    {"requests_per_second", write_requests},
    {"errors_per_second", write_errors},
    {"p99_ms", write_p99},
    {"cpu_machine", write_cpu_machine},
    {"load_tests", write_load_tests},
};
#define MEMBER_COUNT ARRAY_SIZE(MEMBERS)

struct live_farm {
    struct {
        struct buffer text; /* JSON */
        uint32_t changed;   /* tick */
    } members[MEMBER_COUNT];
};

struct live_farm *live_farm_new(void)
{
    return xcalloc(1, sizeof(struct live_farm));
}

void live_farm_free(struct live_farm *live)
{
    if (live == NULL)
        return;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        buffer_done(&live->members[i].text);
    free(live);
}

void live_farm_refresh(struct live_farm *live, const struct farm *farm, unsigned load_tests, uint32_t tick)
{
    struct reading reading = {.farm = farm, .load_tests = load_tests};
    struct buffer text = BUFFER_EMPTY;

    farm_totals(farm, &reading.totals);
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        struct buffer *kept = &live->members[i].text;
        struct json_writer w = json_writer_to(&text);
        buffer_clear(&text);
        MEMBERS[i].write(&w, &reading);
        if (text.length == kept->length && memcmp(text.data, kept->data, text.length) == 0)
            continue;
        buffer_clear(kept);
        buffer_append(kept, text.data, text.length);
        live->members[i].changed = tick;
    }
    buffer_done(&text);
}

void live_farm_write(struct json_writer *w, const struct live_farm *live, uint32_t since)
{
    json_begin_object(w);
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (live->members[i].changed <= since)
            continue;
        json_key(w, MEMBERS[i].name);
        json_raw(w, live->members[i].text.data, live->members[i].text.length);
    }
    json_end_object(w);
}
