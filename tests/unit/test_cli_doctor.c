/* supervisor/cli/doctor: what is asked of the machine, and how findings are told. */
#include "supervisor/cli/verbs.h"
#include "supervisor/runtime/docker/doctor.h"
#include "supervisor/runtime/process/doctor.h"
#include "supervisor/runtime/swarm/doctor.h"

#include "core/memory.h"
#include "tests/unit/cli_capture.h"
#include "tests/unit/settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool port_is_free;
static struct doctor_question asked;
static uint16_t asked_ports[64];

/* In the place of a look at the machine. */
size_t doctor_examine(const struct doctor_question *question, struct doctor_finding findings[DOCTOR_FINDINGS_MAX])
{
    asked = *question;
    memcpy(asked_ports, question->ports,
           (question->port_count < ARRAY_SIZE(asked_ports) ? question->port_count : ARRAY_SIZE(asked_ports)) *
               sizeof(asked_ports[0]));
    findings[0] = (struct doctor_finding){.name = "limits", .ok = true, .text = "enforced by cgroup v2"};
    findings[1] = (struct doctor_finding){.name = "ports", .ok = port_is_free, .text = "8007 is taken"};
    if (!port_is_free)
        snprintf(findings[1].fix, sizeof(findings[1].fix), "stop it");
    return 2;
}

/* In the place of a look at the Engine. */
size_t docker_doctor_examine(const struct doctor_question *question,
                             struct doctor_finding findings[DOCTOR_FINDINGS_MAX])
{
    asked = *question;
    findings[0] = (struct doctor_finding){.name = "engine", .ok = true, .text = "it answers"};
    return 1;
}

/* In the place of a look at the Swarm. */
size_t swarm_doctor_examine(const struct doctor_question *question, struct doctor_finding findings[DOCTOR_FINDINGS_MAX])
{
    asked = *question;
    findings[0] = (struct doctor_finding){.name = "swarm", .ok = true, .text = "of two nodes"};
    return 1;
}

static void asks_the_swarm_where_services_are_wanted(void **state)
{
    (void)state;
    struct outcome outcome = cli_capture("doctor --runtime swarm");
    assert_int_equal(outcome.code, CLI_DONE);
    assert_non_null(strstr(outcome.out, "  ok  swarm        of two nodes\n"));
    cli_capture_done(&outcome);
}

static void asks_the_engine_where_containers_are_wanted(void **state)
{
    (void)state;
    struct outcome outcome = cli_capture("doctor --runtime docker");
    assert_int_equal(outcome.code, CLI_DONE);
    assert_non_null(strstr(outcome.out, "  ok  engine       it answers\n"));
    cli_capture_done(&outcome);
}

static void tells_findings_and_fixes(void **state)
{
    (void)state;
    port_is_free = false;
    struct outcome outcome = cli_capture("doctor");
    assert_int_equal(outcome.code, CLI_FAILED);
    assert_string_equal(outcome.out, "farmd " FARMD_VERSION ": this machine and a farm of 50 servers\n"
                                     "  ok  limits       enforced by cgroup v2\n"
                                     "  BAD ports        8007 is taken\n"
                                     "                   fix: stop it\n"
                                     "1 of 2 stands in the way; each has its fix behind it\n");
    assert_string_equal(outcome.err, "");
    cli_capture_done(&outcome);
}

static void is_content_when_all_is_well(void **state)
{
    (void)state;
    port_is_free = true;
    struct outcome outcome = cli_capture("doctor --servers 1");
    assert_int_equal(outcome.code, CLI_DONE);
    assert_non_null(strstr(outcome.out, "a farm of 1 server\n"));
    assert_non_null(strstr(outcome.out, "\nnothing stands in the way\n"));
    cli_capture_done(&outcome);
}

static void asks_about_this_farm(void **state)
{
    (void)state;
    settings_fixture_write("farm.yaml",
                           "groups: [{name: a, count: 2, base_port: 9001}, {name: b, count: 1, base_port: 7001}]\n");
    struct outcome outcome = cli_capture("doctor --port 7000 --enforce required");
    cli_capture_done(&outcome);
    static const uint16_t ports[] = {7000, 3000, 9001, 9002, 7001};
    assert_int_equal(asked.servers, 3);
    assert_int_equal(asked.enforce, ENFORCE_REQUIRED);
    assert_int_equal(asked.port_count, ARRAY_SIZE(ports));
    assert_memory_equal(asked_ports, ports, sizeof(ports));

    outcome = cli_capture("doctor --dashboard-port 0");
    cli_capture_done(&outcome);
    assert_int_equal(asked.port_count, 4);
}

static void needs_settings_in_order(void **state)
{
    (void)state;
    struct outcome outcome = cli_capture("doctor --servers none");
    assert_int_equal(outcome.code, CLI_USAGE);
    assert_string_equal(outcome.err, "farmd: --servers: \"none\" is not a whole number; allowed 1 to 10000\n");
    assert_string_equal(outcome.out, "");
    cli_capture_done(&outcome);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, settings_fixture_clear)
    const struct CMUnitTest tests[] = {
        TEST(tells_findings_and_fixes),
        TEST(is_content_when_all_is_well),
        TEST(asks_about_this_farm),
        TEST(asks_the_swarm_where_services_are_wanted),
        TEST(asks_the_engine_where_containers_are_wanted),
        TEST(needs_settings_in_order),
    };
    return cmocka_run_group_tests(tests, settings_fixture_enter, settings_fixture_leave);
}
