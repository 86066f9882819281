/* supervisor/api/view: a server's entry in each kind of state, read back with cJSON. The farm around it is played. */
#include "supervisor/api/view.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/server_private.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* --- a farm of one server, played --- */

static pid_t played_pid(const struct runtime_process *process)
{
    (void)process;
    return 4711;
}

static bool played_limits(const struct runtime_process *process, struct runtime_limits_in_force *limits)
{
    (void)process;
    *limits = (struct runtime_limits_in_force){.cpu = 0.5, .memory = 256 << 20, .pids = 64};
    return true;
}

static bool played_has_pressure;

static void played_pressure(const struct runtime_process *process,
                            struct runtime_pressure pressure[RUNTIME_RESOURCE_COUNT])
{
    (void)process;
    if (played_has_pressure) {
        pressure[RUNTIME_CPU].some = (struct runtime_stall){true, 1.5, 0.25, 0, 123456789};
        pressure[RUNTIME_MEMORY] = (struct runtime_pressure){.some = {.known = true}, .full = {.known = true}};
    }
}

static const struct runtime_ops PLAYED = {
    .kind = "played", .pid = played_pid, .limits_in_force = played_limits, .pressure = played_pressure};
static const char *played_warning;
static double played_cpu_limit;

const struct runtime_ops *farm_runtime_ops(const struct farm *farm)
{
    (void)farm;
    return &PLAYED;
}

const char *farm_enforcement(const struct farm *farm)
{
    (void)farm;
    return "cgroup2";
}

struct runtime_enforced farm_enforced(const struct farm *farm)
{
    (void)farm;
    return (struct runtime_enforced){.memory = true, .pids = true};
}

const char *farm_enforcement_warning(const struct farm *farm)
{
    (void)farm;
    return played_warning;
}

void farm_totals(const struct farm *farm, struct farm_totals *totals)
{
    (void)farm;
    *totals = (struct farm_totals){
        .by_state[SERVER_RUNNING] = 3, .degraded = 1, .cpu_cores = 1.234, .cpu_limit = played_cpu_limit};
}

/* --- */

static char group_name[] = "web", label_key[] = "zone", label_value[] = "a \"b\"";
static struct key_value labels[] = {{label_key, label_value}};
static const struct group_settings GROUP = {.name = group_name, .labels = labels, .label_count = 1};

static struct server running_server(void)
{
    static struct server_private own;

    own.started_at_ms = clock_monotonic_ms() - 12500;
    return (struct server){
        .id = 7,
        .name = "server-7",
        .url = "http://localhost:8007",
        .port = 8007,
        .group = &GROUP,
        .limits =
            {.cpu = 0.5, .memory = 256 << 20, .cpu_reservation = 0.1, .memory_reservation = 128 << 20, .pids = 64},
        .lifecycle = {.state = SERVER_RUNNING},
        .process = (struct runtime_process *)&PLAYED,
        .health = HEALTH_HEALTHY,
        .ready = true,
        .started_at_us = 1795422600123456,
        .own = &own,
    };
}

static cJSON *view(const struct server *server)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    json_begin_object(&w);
    view_server_members(&w, server);
    json_end_object(&w);
    cJSON *root = cJSON_ParseWithLength(out.data, out.length);
    if (root == NULL)
        fail_msg("not JSON: %s", out.data);
    buffer_done(&out);
    return root;
}

static double number(const cJSON *root, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, key);

    if (!cJSON_IsNumber(item))
        fail_msg("%s is no number", key);
    return item->valuedouble;
}

static const char *text(const cJSON *root, const char *key)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, key));

    return value == NULL ? "(none)" : value;
}

static bool has(const cJSON *root, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(root, key) != NULL;
}

static bool is_null(const cJSON *root, const char *key)
{
    return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(root, key));
}

static void a_running_server_has_figures_before_its_first_sample(void **state)
{
    (void)state;
    struct server server = running_server();
    cJSON *root = view(&server);

    assert_string_equal(text(root, "status"), "running");
    assert_true(number(root, "cpu_percent") == 0 && number(root, "memory_mb") == 0 &&
                number(root, "memory_percent") == 0);
    assert_false(has(root, "error"));
    assert_true(number(root, "pid") == 4711 && number(root, "uptime_seconds") >= 12.5);
    assert_true(is_null(root, "throttled_percent") && is_null(root, "pids") && is_null(root, "io"));
    assert_true(is_null(root, "requests_per_second") && is_null(root, "latency"));
    assert_true(is_null(root, "last_exit") && is_null(root, "next_restart_at"));
    assert_string_equal(text(root, "started_at"), "2026-11-23T08:30:00.123456+00:00");
    assert_string_equal(text(cJSON_GetObjectItem(root, "labels"), "zone"), "a \"b\"");
    cJSON_Delete(root);
}

static void figures_come_from_the_sample(void **state)
{
    (void)state;
    struct server server = running_server();
    server.stats = (struct server_stats){
        .have = RUNTIME_HAVE_THROTTLED | RUNTIME_HAVE_PIDS | RUNTIME_HAVE_IO,
        .have_requests = true,
        .cpu_percent = 98.765,
        .memory = 41 << 20,
        .throttled_percent = 61,
        .pids = 3,
        .requests_per_second = 96.1,
        .p50_us = 210,
        .p90_us = 900,
        .p99_us = 14200,
    };
    cJSON *root = view(&server);

    assert_true(number(root, "cpu_percent") == 98.77 || number(root, "cpu_percent") == 98.76);
    assert_true(number(root, "memory_mb") == 41);
    assert_true(number(root, "throttled_percent") == 61 && number(root, "pids") == 3);
    assert_true(number(cJSON_GetObjectItem(root, "latency"), "p99_ms") == 14.2);
    assert_true(number(cJSON_GetObjectItem(root, "io"), "read_bytes_per_second") == 0);
    cJSON_Delete(root);
}

static void limits_not_in_force_are_null(void **state)
{
    (void)state;
    struct server server = running_server();
    cJSON *root = view(&server);
    const cJSON *in_force = cJSON_GetObjectItem(root, "limits"),
                *wanted = cJSON_GetObjectItem(root, "limits_configured");

    assert_true(number(in_force, "cpu") == 0.5 && number(in_force, "memory_mb") == 256 &&
                number(in_force, "pids") == 64);
    assert_true(is_null(in_force, "cpu_reservation") && is_null(in_force, "memory_reservation_mb"));
    assert_true(number(wanted, "cpu_reservation") == 0.1 && number(wanted, "memory_reservation_mb") == 128);
    cJSON_Delete(root);
}

static void a_server_that_does_not_run_has_an_error_instead(void **state)
{
    (void)state;
    struct server server = running_server();

    for (int i = 0; i < SERVER_STATE_COUNT; i++) {
        server.lifecycle.state = (enum server_state)i;
        if (server.lifecycle.state == SERVER_RUNNING)
            continue;
        cJSON *root = view(&server);
        assert_false(has(root, "cpu_percent") || has(root, "memory_mb") || has(root, "memory_percent"));
        assert_string_equal(text(root, "error"), text(root, "status"));
        cJSON_Delete(root);
    }
}

static void an_ending_is_told_with_its_reason(void **state)
{
    (void)state;
    struct server server = running_server();
    server.process = NULL;
    server.started_at_us = 0;
    server.lifecycle.state = SERVER_BACKOFF;
    server.next_restart_at_us = 1795422600123456;
    strcpy(server.error, "OOMKilled, next try in 3.2 s");
    server.last_exit = (struct server_last_exit){.known = true,
                                                 .reason = REASON_OOM_KILLED,
                                                 .has_signal = true,
                                                 .signal = SIGKILL,
                                                 .oom_killed = true,
                                                 .at_us = 1795422600123456};
    cJSON *root = view(&server);
    const cJSON *last = cJSON_GetObjectItem(root, "last_exit");

    assert_string_equal(text(root, "error"), "OOMKilled, next try in 3.2 s");
    assert_string_equal(text(root, "next_restart_at"), "2026-11-23T08:30:00.123456+00:00");
    assert_string_equal(text(last, "reason"), "OOMKilled");
    assert_true(is_null(last, "exit_code") && number(last, "signal") == SIGKILL);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(last, "oom_killed")));
    assert_true(is_null(root, "pid") && number(root, "uptime_seconds") == 0);
    assert_true(is_null(cJSON_GetObjectItem(root, "limits"), "cpu"));
    cJSON_Delete(root);
}

static void a_warning_is_there_only_when_there_is_one(void **state)
{
    (void)state;

    for (int round = 0; round < 2; round++) {
        struct buffer out = BUFFER_EMPTY;
        struct json_writer w = json_writer_to(&out);
        played_cpu_limit = round == 0 ? 1.5 : 0;
        played_warning = round == 0 ? NULL : "limits are not in force\n  fix: …";
        json_begin_object(&w);
        view_farm_members(&w, NULL);
        json_key(&w, "totals");
        view_totals(&w, NULL);
        json_end_object(&w);
        cJSON *root = cJSON_Parse(out.data);
        assert_string_equal(text(root, "runtime"), "played");
        assert_int_equal(has(root, "enforcement_warning"), round == 1);
        const cJSON *in_force = cJSON_GetObjectItem(root, "limits_in_force");
        assert_true(cJSON_IsFalse(cJSON_GetObjectItem(in_force, "cpu")));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(in_force, "memory")));
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(in_force, "pids")));
        assert_true(number(cJSON_GetObjectItem(root, "totals"), "running") == 3);
        const cJSON *totals = cJSON_GetObjectItem(root, "totals");
        assert_true(number(totals, "cpu_cores") == 1.23);
        assert_int_equal(cJSON_IsNull(cJSON_GetObjectItem(totals, "cpu_limit")), round == 1);
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(totals, "memory_limit_mb"))); /* not in force */
        cJSON_Delete(root);
        buffer_done(&out);
    }
}

static void points_are_columns_of_one_length(void **state)
{
    (void)state;
    const struct sample_point points[] = {
        {.at_s = 100, .cpu_percent = 1, .requests_per_second = -1, .p50_us = 9},
        {.at_s = 101, .memory_mb = 2, .requests_per_second = 5, .p50_us = 1500, .restarts = 1},
    };
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    const cJSON *column;

    view_points(&w, points, ARRAY_SIZE(points));
    cJSON *root = cJSON_Parse(out.data);
    cJSON_ArrayForEach(column, root)
    {
        assert_int_equal(cJSON_GetArraySize(column), 2);
    }
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "requests_per_second"), 0)));
    assert_true(cJSON_IsNull(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "p50_ms"), 0)));
    assert_true(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "p50_ms"), 1)->valuedouble == 1.5);
    assert_true(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "restarts"), 1)->valuedouble == 1);
    cJSON_Delete(root);
    buffer_done(&out);
}

static cJSON *view_of_pressure(const struct server *server)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    view_pressure(&w, server);
    cJSON *root = cJSON_Parse(out.data);
    buffer_done(&out);
    return root;
}

static void pressure_is_null_where_the_kernel_has_none(void **state)
{
    (void)state;
    struct server server = running_server();

    played_has_pressure = false;
    cJSON *root = view_of_pressure(&server);
    assert_true(cJSON_IsNull(root));
    cJSON_Delete(root);
    played_has_pressure = true;
    root = view_of_pressure(&server);
    const cJSON *cpu = cJSON_GetObjectItem(root, "cpu"), *memory = cJSON_GetObjectItem(root, "memory");
    assert_true(number(cJSON_GetObjectItem(cpu, "some"), "avg10") == 1.5);
    assert_true(number(cJSON_GetObjectItem(cpu, "some"), "avg60") == 0.25);
    assert_true(number(cJSON_GetObjectItem(cpu, "some"), "total_us") == 123456789);
    assert_true(is_null(cpu, "full"));
    assert_true(number(cJSON_GetObjectItem(memory, "full"), "avg300") == 0);
    assert_true(is_null(cJSON_GetObjectItem(root, "io"), "some"));
    cJSON_Delete(root);
    server.process = NULL;
    root = view_of_pressure(&server);
    assert_true(cJSON_IsNull(root));
    cJSON_Delete(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_server_has_figures_before_its_first_sample),
        cmocka_unit_test(figures_come_from_the_sample),
        cmocka_unit_test(limits_not_in_force_are_null),
        cmocka_unit_test(a_server_that_does_not_run_has_an_error_instead),
        cmocka_unit_test(an_ending_is_told_with_its_reason),
        cmocka_unit_test(a_warning_is_there_only_when_there_is_one),
        cmocka_unit_test(points_are_columns_of_one_length),
        cmocka_unit_test(pressure_is_null_where_the_kernel_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
