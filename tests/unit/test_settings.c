/* supervisor/config: the defaults, which layer wins over which, groups, and what is compared. */
#include "tests/unit/settings_fixture.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- defaults --------------------------------------------------------------------------------------------------- */

static void has_the_old_farms_defaults(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("");
    assert_int_equal(settings->group_count, 1);
    const struct group_settings *group = &settings->groups[0];
    assert_string_equal(group->name, "default");
    assert_int_equal(group->count, 50);
    assert_int_equal(group->base_port, 8001);
    assert_true(group->limits.cpu == 0.5);
    assert_true(group->limits.memory == 256 * MIB);
    assert_true(group->limits.cpu_reservation == 0.1);
    assert_true(group->limits.memory_reservation == 128 * MIB);
    assert_int_equal(group->limits.pids, 128);
    assert_int_equal(group->restart, RESTART_ALWAYS);
    assert_int_equal(group->restart_profile, RESTART_PROFILE_FARM);
    assert_int_equal(group->start_timeout_ms, 30000);
    assert_int_equal(group->stop_grace_ms, 12000);
    assert_null(group->command);
    assert_null(group->user);
    assert_int_equal(group->environment_count, 0);
    assert_int_equal(group->label_count, 0);
    assert_false(group->access_log);
    assert_string_equal(settings->api.host, "localhost");
    assert_int_equal(settings->api.port, 8000);
    assert_string_equal(settings->dashboard.host, "localhost");
    assert_int_equal(settings->dashboard.port, 3000);
    assert_int_equal(settings->refresh_interval_ms, 5000);
    assert_int_equal(settings->load_requests, 1000);
    assert_int_equal(settings->load_concurrency, 10);
    assert_null(settings->token);
    assert_false(settings->allow_unauthenticated);
    assert_null(settings->allowed_hosts);
    assert_null(settings->allowed_origins);
    assert_int_equal(settings->enforce, ENFORCE_AUTO);
    assert_int_equal(settings->log_level, LOG_LEVEL_INFO);
    assert_int_equal(settings->log_format, LOG_FORMAT_TEXT);
    assert_null(settings->config_path);
    settings_free(settings);
}

static void warns_of_limits_beyond_the_machine(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("--cpu 2.5 --memory 1T");
    struct buffer text = BUFFER_EMPTY;
    settings_warn(settings, 2, (uint64_t)24 << 30, &text);
    assert_string_equal(text.data, "cpu: 2.5 of each server in group default is more than the machine's 2 cores\n"
                                   "memory: 1 TB of each server in group default is more than the machine's 24 GB\n");
    buffer_done(&text);
    text = BUFFER_EMPTY;
    settings_warn(settings, 3, (uint64_t)1 << 40, &text);
    assert_int_equal(text.length, 0);
    buffer_done(&text);
    settings_free(settings);
}

static void probes_every_30_seconds(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("");
    static const enum probe_kind kinds[] = {PROBE_LIVENESS, PROBE_READINESS};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct probe_settings *probe = &settings->groups[0].probes[kinds[i]];
        assert_true(probe->enabled);
        assert_string_equal(probe->path, "/health");
        assert_int_equal(probe->interval_ms, 30000);
        assert_int_equal(probe->timeout_ms, 3000);
        assert_int_equal(probe->start_period_ms, 5000);
        assert_int_equal(probe->retries, 3);
    }
    /* A start is watched closely, and not given up before start_timeout is over. */
    const struct probe_settings *startup = &settings->groups[0].probes[PROBE_STARTUP];
    assert_true(startup->enabled);
    assert_true(startup->interval_ms <= 1000);
    assert_true(startup->interval_ms * startup->retries >= settings->groups[0].start_timeout_ms);
    settings_free(settings);
}

static void probes_the_root_of_a_command(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml",
                           "groups:\n"
                           "  - {name: own, count: 1, command: [python3, app.py], probes: {liveness: {path: /ok}}}\n"
                           "  - {name: farm, count: 1}\n");
    struct settings *settings = settings_fixture_load("");
    assert_string_equal(settings->groups[0].probes[PROBE_STARTUP].path, "/");
    assert_string_equal(settings->groups[0].probes[PROBE_LIVENESS].path, "/ok");
    assert_string_equal(settings->groups[0].probes[PROBE_READINESS].path, "/");
    assert_string_equal(settings->groups[1].probes[PROBE_LIVENESS].path, "/health");
    assert_string_equal(settings->groups[0].command[0], "python3");
    assert_string_equal(settings->groups[0].command[1], "app.py");
    assert_null(settings->groups[0].command[2]);
    settings_free(settings);
}

static void places_its_files_by_user(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        struct settings *settings = settings_fixture_load("");
        assert_string_equal(settings->state_dir, "/var/lib/farmd");
        assert_string_equal(settings->runtime_dir, "/run/farmd");
        settings_free(settings);
        if (seteuid(65534) < 0)
            skip();
    }
    char fallback[64];
    snprintf(fallback, sizeof(fallback), "/tmp/farmd-%u", (unsigned)geteuid());
    setenv("HOME", "/home/somebody", 1);
    struct settings *settings = settings_fixture_load("");
    assert_string_equal(settings->state_dir, "/home/somebody/.local/state/farmd");
    assert_string_equal(settings->runtime_dir, fallback);
    settings_free(settings);

    setenv("XDG_STATE_HOME", "/home/somebody/state", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
    settings = settings_fixture_load("");
    assert_string_equal(settings->state_dir, "/home/somebody/state/farmd");
    assert_string_equal(settings->runtime_dir, "/run/user/1000/farmd");
    settings_free(settings);

    setenv("XDG_STATE_HOME", "not/absolute", 1);
    settings = settings_fixture_load("");
    assert_string_equal(settings->state_dir, "/home/somebody/.local/state/farmd");
    settings_free(settings);
}

/* Changing the user takes the right to be traced away, which the leak checker needs. */
static int back_to_root(void **state)
{
    if (getuid() == 0 && (seteuid(0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0))
        return -1;
    return settings_fixture_clear(state);
}

static void makes_paths_whole(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("--state-dir here --runtime-dir=./there");
    char *directory = getcwd(NULL, 0);
    char *expected = xasprintf("%s/here", directory);
    assert_string_equal(settings->state_dir, expected);
    free(expected);
    expected = xasprintf("%s/./there", directory);
    assert_string_equal(settings->runtime_dir, expected);
    free(expected);
    free(directory);
    settings_free(settings);
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static unsigned count_now(const char *flags)
{
    struct settings *settings = settings_fixture_load(flags);
    unsigned count = settings->groups[0].count;
    settings_free(settings);
    return count;
}

static void each_layer_wins_over_those_below(void **state)
{
    (void)state;
    assert_int_equal(count_now(""), 50);
    settings_fixture_write("farm.yaml", "servers:\n  count: 11\n");
    assert_int_equal(count_now(""), 11);
    settings_fixture_write(".env", "SERVER_COUNT=12\n");
    assert_int_equal(count_now(""), 12);
    setenv("SERVER_COUNT", "13", 1);
    assert_int_equal(count_now(""), 13);
    assert_int_equal(count_now("--servers 14"), 14);
    assert_int_equal(count_now("--servers 14 --servers=15"), 15);
}

static void an_empty_variable_is_none(void **state)
{
    (void)state;
    settings_fixture_write(".env", "SERVER_COUNT=12\n");
    setenv("SERVER_COUNT", "", 1);
    assert_int_equal(count_now(""), 12);
    settings_fixture_write(".env", "SERVER_COUNT=\n");
    assert_int_equal(count_now(""), 50);
}

static void every_variable_is_honoured(void **state)
{
    (void)state;
    settings_fixture_write("other.yaml", "servers: {start_timeout: 9s}\n");
    static const char *const variables[][2] = {
        {"FARMD_CONFIG", "other.yaml"},
        {"CONTROL_PLANE_PORT", "7000"},
        {"LOG_LEVEL", "debug"},
        {"SERVER_BASE_PORT", "7001"},
        {"SERVER_COUNT", "7"},
        {"SERVER_CPU_LIMIT", "0.75"},
        {"SERVER_MEMORY_LIMIT", "512M"},
        {"SERVER_CPU_RESERVATION", "0.2"},
        {"SERVER_MEMORY_RESERVATION", "64m"},
        {"AUTO_REFRESH_INTERVAL", "2500"},
        {"DEFAULT_REQUESTS", "77"},
        {"DEFAULT_CONCURRENCY", "3"},
        {"DASHBOARD_PORT", "0"},
        {"FARMD_HOST", "0.0.0.0"},
        {"FARMD_DASHBOARD_HOST", "::1"},
        {"FARMD_TOKEN", "secret-token"},
        {"FARMD_ALLOW_UNAUTHENTICATED", "yes"},
        {"FARMD_ALLOWED_HOSTS", "a.example, b.example"},
        {"FARMD_ALLOWED_ORIGINS", "https://c.example:8443"},
        {"FARMD_ENFORCE", "none"},
        {"FARMD_LOG_FORMAT", "json"},
        {"FARMD_STATE_DIR", "/s"},
        {"FARMD_RUNTIME_DIR", "/r"},
        {"FARMD_PIDS", "99"},
        {"FARMD_RESTART", "never"},
        {"FARMD_RESTART_PROFILE", "nomad"},
        {"FARMD_ACCESS_LOG", "on"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        setenv(variables[i][0], variables[i][1], 1);
    struct settings *settings = settings_fixture_load("");
    const struct group_settings *group = &settings->groups[0];
    assert_string_equal(settings->config_path, "other.yaml");
    assert_int_equal(group->start_timeout_ms, 9000);
    assert_int_equal(settings->api.port, 7000);
    assert_int_equal(settings->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(group->base_port, 7001);
    assert_int_equal(group->count, 7);
    assert_true(group->limits.cpu == 0.75);
    assert_true(group->limits.memory == 512 * MIB);
    assert_true(group->limits.cpu_reservation == 0.2);
    assert_true(group->limits.memory_reservation == 64 * MIB);
    assert_int_equal(settings->refresh_interval_ms, 2500);
    assert_int_equal(settings->load_requests, 77);
    assert_int_equal(settings->load_concurrency, 3);
    assert_int_equal(settings->dashboard.port, 0);
    assert_string_equal(settings->api.host, "0.0.0.0");
    assert_string_equal(settings->dashboard.host, "::1");
    assert_string_equal(settings->token, "secret-token");
    assert_true(settings->allow_unauthenticated);
    assert_string_equal(settings->allowed_hosts[0], "a.example");
    assert_string_equal(settings->allowed_hosts[1], "b.example");
    assert_null(settings->allowed_hosts[2]);
    assert_string_equal(settings->allowed_origins[0], "https://c.example:8443");
    assert_int_equal(settings->enforce, ENFORCE_NONE);
    assert_int_equal(settings->log_format, LOG_FORMAT_JSON);
    assert_string_equal(settings->state_dir, "/s");
    assert_string_equal(settings->runtime_dir, "/r");
    assert_int_equal(group->limits.pids, 99);
    assert_int_equal(group->restart, RESTART_NEVER);
    assert_int_equal(group->restart_profile, RESTART_PROFILE_NOMAD);
    assert_true(group->access_log);
    settings_free(settings);
}

static void every_flag_is_honoured(void **state)
{
    (void)state;
    settings_fixture_write("other.yaml", "");
    struct settings *settings = settings_fixture_load(
        "--config other.yaml --servers 7 --base-port 7001 --port 7000 --dashboard-port 0 --host 127.0.0.2 --cpu 0.75 "
        "--memory 512M --cpu-reservation 0.2 --memory-reservation 64M --pids 99 --restart on-failure "
        "--restart-profile s6 --enforce required --log-level error --log-format json --state-dir /s --runtime-dir /r "
        "--token secret-token --allow-unauthenticated --access-log");
    const struct group_settings *group = &settings->groups[0];
    assert_string_equal(settings->config_path, "other.yaml");
    assert_int_equal(group->count, 7);
    assert_int_equal(group->base_port, 7001);
    assert_int_equal(settings->api.port, 7000);
    assert_int_equal(settings->dashboard.port, 0);
    assert_string_equal(settings->api.host, "127.0.0.2");
    assert_string_equal(settings->dashboard.host, "127.0.0.2"); /* follows the API's */
    assert_true(group->limits.cpu == 0.75);
    assert_true(group->limits.memory == 512 * MIB);
    assert_true(group->limits.cpu_reservation == 0.2);
    assert_true(group->limits.memory_reservation == 64 * MIB);
    assert_int_equal(group->limits.pids, 99);
    assert_int_equal(group->restart, RESTART_ON_FAILURE);
    assert_int_equal(group->restart_profile, RESTART_PROFILE_S6);
    assert_int_equal(settings->enforce, ENFORCE_REQUIRED);
    assert_int_equal(settings->log_level, LOG_LEVEL_ERROR);
    assert_int_equal(settings->log_format, LOG_FORMAT_JSON);
    assert_string_equal(settings->state_dir, "/s");
    assert_string_equal(settings->runtime_dir, "/r");
    assert_string_equal(settings->token, "secret-token");
    assert_true(settings->allow_unauthenticated);
    assert_true(group->access_log);
    settings_free(settings);
}

static void a_switch_can_be_switched_off(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml", "servers: {access_log: true}\n");
    struct settings *settings = settings_fixture_load("--access-log=false");
    assert_false(settings->groups[0].access_log);
    settings_free(settings);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

static void groups_start_from_servers(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml", "servers:\n"
                                        "  count: 4\n"
                                        "  memory: 64M\n"
                                        "  environment: {A: base, B: base}\n"
                                        "  labels: {zone: a}\n"
                                        "groups:\n"
                                        "  - name: web\n"
                                        "    count: 10\n"
                                        "    base_port: 9001\n"
                                        "    environment: {B: web, C: web}\n"
                                        "  - name: db\n"
                                        "    restart_profile: systemd\n"
                                        "  - name: last\n"
                                        "    base_port: 7001\n"
                                        "    cpu: 2\n");
    struct settings *settings = settings_fixture_load("");
    const struct group_settings *groups = settings->groups;
    assert_int_equal(settings->group_count, 3);
    assert_int_equal(settings_total_servers(settings), 18);
    assert_int_equal(groups[0].base_port, 9001);
    assert_int_equal(groups[1].base_port, 9011); /* follows on */
    assert_int_equal(groups[2].base_port, 7001);
    assert_int_equal(groups[1].count, 4);
    assert_true(groups[0].limits.memory == 64 * MIB);
    assert_true(groups[2].limits.cpu == 2);
    assert_int_equal(groups[0].restart_profile, RESTART_PROFILE_FARM);
    assert_int_equal(groups[1].restart_profile, RESTART_PROFILE_SYSTEMD);
    assert_int_equal(groups[0].environment_count, 3);
    assert_string_equal(groups[0].environment[0].value, "base");
    assert_string_equal(groups[0].environment[1].value, "web");
    assert_string_equal(groups[0].environment[2].key, "C");
    assert_int_equal(groups[1].environment_count, 2);
    assert_string_equal(groups[1].environment[1].value, "base");
    assert_string_equal(groups[2].labels[0].key, "zone");
    settings_free(settings);
}

static void variables_and_flags_change_servers_only(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml", "groups:\n"
                                        "  - {name: own, count: 2, cpu: 1}\n"
                                        "  - {name: none}\n");
    setenv("SERVER_COUNT", "5", 1);
    struct settings *settings = settings_fixture_load("--cpu 0.25");
    assert_true(settings->groups[0].limits.cpu == 1);
    assert_true(settings->groups[1].limits.cpu == 0.25);
    assert_int_equal(settings->groups[0].count, 2);
    assert_int_equal(settings->groups[1].count, 5);
    settings_free(settings);
}

static void a_reservation_follows_a_lower_limit(void **state)
{
    (void)state;
    struct settings *settings = settings_fixture_load("--memory 64M --cpu 0.05");
    assert_true(settings->groups[0].limits.memory_reservation == 64 * MIB);
    assert_true(settings->groups[0].limits.cpu_reservation == 0.05);
    settings_free(settings);

    settings_fixture_write("farm.yaml", "groups: [{name: small, memory: 32M}, {name: big}]\n");
    settings = settings_fixture_load("--memory-reservation 200M");
    assert_true(settings->groups[0].limits.memory_reservation == 32 * MIB);
    assert_true(settings->groups[1].limits.memory_reservation == 200 * MIB);
    settings_free(settings);
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static void tells_what_needs_a_new_process(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml", "groups:\n"
                                        "  - {name: a, count: 1, command: [x, y], environment: {A: b}}\n"
                                        "  - {name: b, count: 2, command: [x, y], environment: {A: b}, memory: 64M, "
                                        "restart: never}\n"
                                        "  - {name: c, count: 1, command: [x, z], environment: {A: b}}\n"
                                        "  - {name: d, count: 1, command: [x, y], environment: {A: c}}\n"
                                        "  - {name: e, count: 1, command: [x, y], environment: {A: b}, user: root}\n");
    struct settings *settings = settings_fixture_load("");
    struct group_settings *groups = settings->groups;
    for (size_t i = 1; i < settings->group_count; i++)
        groups[i].base_port = groups[0].base_port;
    assert_true(group_settings_same_process(&groups[0], &groups[1]));
    assert_false(group_settings_same_process(&groups[0], &groups[2]));
    assert_false(group_settings_same_process(&groups[0], &groups[3]));
    assert_false(group_settings_same_process(&groups[0], &groups[4]));
    groups[1].base_port++;
    assert_false(group_settings_same_process(&groups[0], &groups[1]));
    groups[1].base_port--;
    groups[1].access_log = true;
    assert_false(group_settings_same_process(&groups[0], &groups[1]));
    assert_false(limits_equal(&groups[0].limits, &groups[1].limits));
    assert_true(limits_equal(&groups[0].limits, &groups[2].limits));
    settings_free(settings);
}

static void checks_limits(void **state)
{
    (void)state;
    static const struct limits good = {0.5, 256 * MIB, 0.1, 128 * MIB, 128};
    struct error err;
    assert_int_equal(limits_check(&good, "limits.", &err), 0);

    static const struct {
        struct limits limits;
        const char *message;
    } bad[] = {
        {{0, 256 * MIB, 0, 0, 128}, "limits.cpu: \"0\" is out of range; allowed 0.01 to 1024 cores"},
        {{-1, 256 * MIB, 0, 0, 128}, "limits.cpu: \"-1\" is out of range; allowed 0.01 to 1024 cores"},
        {{NAN, 256 * MIB, 0, 0, 128}, "limits.cpu: \"nan\" is not a number; allowed 0.01 to 1024 cores"},
        {{INFINITY, 256 * MIB, 0, 0, 128}, "limits.cpu: \"inf\" is not a number; allowed 0.01 to 1024 cores"},
        {{1, 1000, 0, 0, 128}, "limits.memory: \"1000\" is out of range; allowed 4M to 1024T"},
        {{1, 256 * MIB, 0, 0, 1}, "limits.pids: \"1\" is out of range; allowed 8 to 4194304"},
        {{1, 256 * MIB, 2, 0, 128},
         "limits.cpu_reservation: cpu_reservation of 2 is more than cpu of 1; allowed 0 to the limit"},
        {{1, 256 * MIB, 0, 300 * MIB, 128},
         "limits.memory_reservation: memory_reservation of 300M is more than memory of 256M; allowed 0 to the limit"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(limits_check(&bad[i].limits, "limits.", &err), -EINVAL);
        assert_string_equal(err.message, bad[i].message);
    }
}

static void lists_its_flags(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++, count++) {
        assert_true(strncmp(flag->flag, "--", 2) == 0);
        assert_true(strlen(flag->text) > 10);
    }
    assert_true(count >= 20);
    settings_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, settings_fixture_clear)
    const struct CMUnitTest tests[] = {
        TEST(has_the_old_farms_defaults),
        TEST(warns_of_limits_beyond_the_machine),
        TEST(probes_every_30_seconds),
        TEST(probes_the_root_of_a_command),
        cmocka_unit_test_teardown(places_its_files_by_user, back_to_root),
        TEST(makes_paths_whole),
        TEST(each_layer_wins_over_those_below),
        TEST(an_empty_variable_is_none),
        TEST(every_variable_is_honoured),
        TEST(every_flag_is_honoured),
        TEST(a_switch_can_be_switched_off),
        TEST(groups_start_from_servers),
        TEST(variables_and_flags_change_servers_only),
        TEST(a_reservation_follows_a_lower_limit),
        TEST(tells_what_needs_a_new_process),
        TEST(checks_limits),
        TEST(lists_its_flags),
    };
    return cmocka_run_group_tests(tests, settings_fixture_enter, settings_fixture_leave);
}
