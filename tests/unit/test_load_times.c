/* supervisor/load: the times of real answers. Delays are lower bounds that hold on any machine; upper ones are wide. */
#include "load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

static struct load_server *server;
static struct load_stage stage;

static int stop_server(void **state)
{
    (void)state;
    load_server_stop(server);
    return 0;
}

static struct load_plan plan_for(const struct load_server_options *options, double rate)
{
    server = load_server_start(options);
    struct load_plan plan = load_plan_for_server(server);
    if (rate > 0) {
        stage = (struct load_stage){.rate = rate};
        plan.model = LOAD_OPEN_CONSTANT;
        plan.stages = &stage;
        plan.stage_count = 1;
    }
    return plan;
}

static double ms(const struct latency *latency, double q)
{
    return latency_quantile(latency, q) / 1e6;
}

/* On one connection every ninth and tenth answer takes 50 ms: a fifth of them, to the request. */
static void late_answers_are_seen_as_late(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.slow_from = 8, .slow_ms = 50}, 0);
    plan.connections = 1;
    plan.requests = 100;
    struct load_result *result = load_run_to_end(&plan);
    assert_true(ms(&result->latency, 0.81) >= 50 * 0.999);
    assert_true(ms(&result->latency, 0.99) >= 50 * 0.999);
    assert_true(ms(&result->latency, 0.5) < 50);
    assert_true(ms(&result->latency, 0.9) < 500);
    assert_true(ms(&result->targets[0].latency, 0.81) >= 50 * 0.99);
    assert_true(latency_mean(&result->latency) / 1e6 >= 10);
    assert_true(result->seconds >= 1);
    load_result_free(result);
}

/* The server stands still for a second. A closed loop waits with it and sees that four times, once a connection. */
static void a_closed_loop_omits_what_it_waited_for(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.freezes_at = 50, .freeze_ms = 1000}, 0);
    plan.requests = 2000;
    struct load_result *result = load_run_to_end(&plan);
    assert_true((double)result->latency.max_ns / 1e6 >= 990);
    assert_true(ms(&result->latency, 0.99) < 500);
    load_result_free(result);
}

/* An open one has 500 requests due in that second, and each tells how long it had to wait. */
static void an_open_one_does_not(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.freezes_at = 100, .freeze_ms = 1000}, 500);
    plan.requests = 1000;
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.answered, 1000);
    assert_int_equal(result->dropped, 0);
    assert_true(ms(&result->latency, 0.75) >= 450);
    assert_true(ms(&result->latency, 0.99) >= 900);
    assert_true(ms(&result->service, 0.99) < 500);
    assert_true(ms(&result->send_delay, 0.99) >= 900);
    load_result_free(result);
}

/* The schedule goes on although every answer takes longer than the distance between requests. */
static void the_schedule_does_not_slip(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.slow_from = 0, .slow_ms = 100}, 100);
    plan.connections = 100;
    plan.requests = 60;
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.answered, 60);
    assert_true(ms(&result->latency, 0.01) >= 99);
    assert_true(ms(&result->send_delay, 0.5) < 50); /* 30 µs, as a rule */
    assert_true(result->seconds >= 0.69);
    load_result_free(result);
}

/* One connection can carry ten of the hundred a second: the others wait, and say for how long. */
static void what_waits_its_turn_is_timed_from_its_instant(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.slow_from = 0, .slow_ms = 50}, 100);
    plan.connections = 1;
    plan.requests = 20;
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.answered, 20);
    assert_true((double)result->latency.max_ns / 1e6 >= 20 * 50 - 190);
    assert_true((double)result->send_delay.max_ns / 1e6 >= 19 * 50 - 190);
    assert_true(ms(&result->service, 0.5) < 500);
    load_result_free(result);
}

static void the_engine_knows_its_own_cost(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(NULL, 0);
    plan.duration_ns = 300 * MS;
    struct load_result *result = load_run_to_end(&plan);
    assert_true(result->cpu_cores > 0 && result->cpu_cores <= 1.1);
    assert_true(result->memory_bytes > 64 * 1024 && result->memory_bytes < 4 * 1024 * 1024);
    assert_int_equal(result->saturated, result->saturated_why[0] != '\0');
    load_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(late_answers_are_seen_as_late, stop_server),
        cmocka_unit_test_teardown(a_closed_loop_omits_what_it_waited_for, stop_server),
        cmocka_unit_test_teardown(an_open_one_does_not, stop_server),
        cmocka_unit_test_teardown(the_schedule_does_not_slip, stop_server),
        cmocka_unit_test_teardown(what_waits_its_turn_is_timed_from_its_instant, stop_server),
        cmocka_unit_test_teardown(the_engine_knows_its_own_cost, stop_server),
    };
    return cmocka_run_group_tests_name("load times", tests, NULL, NULL);
}
