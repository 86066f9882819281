/* supervisor/load: what the engine counts is what the server counted, to the request, in every model and however the
 * run ends. */
#include "load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

static struct load_server *servers[LOAD_TEST_TARGETS];
static size_t server_count;
static struct load_stage stages[2];

static struct load_plan plan_for_servers(size_t count, const struct load_server_options *options)
{
    uint16_t ports[LOAD_TEST_TARGETS];

    for (; server_count < count; server_count++)
        servers[server_count] = load_server_start(options);
    for (size_t i = 0; i < count; i++)
        ports[i] = load_server_port(servers[i]);
    return load_plan_for(ports, count);
}

static int stop_servers(void **state)
{
    (void)state;
    while (server_count > 0)
        load_server_stop(servers[--server_count]);
    return 0;
}

/* Runs it, and holds every target's count against its server's. */
static struct load_result *run_and_compare(const struct load_plan *plan)
{
    struct load_result *result = load_run_to_end(plan);
    uint64_t warmup = result->warmup.requests;

    for (size_t i = 0; i < result->target_count; i++) {
        uint64_t received = load_server_requests(servers[i]);
        if (warmup == 0)
            assert_int_equal(result->targets[i].counts.requests, received);
    }
    if (warmup > 0)
        assert_int_equal(result->counts.requests + warmup, load_server_requests(servers[0]));
    assert_int_equal(result->counts.unfinished, 0);
    assert_int_equal(load_counts_failed(&result->counts), 0);
    return result;
}

/* On a machine that stands still for a while at the end of a run, some may be dropped. */
static uint64_t asked_of(const struct load_target_result *target)
{
    return target->counts.requests + target->dropped;
}

static void make_open(struct load_plan *plan, enum load_model model, double rate, int64_t duration_ns)
{
    stages[0] = (struct load_stage){.duration_ns = duration_ns, .rate = rate};
    plan->model = model;
    plan->stages = stages;
    plan->stage_count = 1;
}

static void closed_by_count(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(1, NULL);
    plan.requests = 1001;
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(result->counts.requests, 1001);
    assert_int_equal(result->counts.status_200, 1001);
    assert_int_equal(result->counts.connects, 4);
    assert_int_equal(load_server_connections(servers[0]), 4);
    assert_int_equal(result->end, LOAD_END_COUNT);
    assert_int_equal(result->asked, 1001);
    assert_int_equal(result->dropped, 0);
    load_result_free(result);
}

/* Any number of threads, with targets that divide among them and that don't. */
static void closed_by_count_on_threads(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads++) {
        for (size_t count = 1; count <= LOAD_TEST_TARGETS; count++) {
            struct load_plan plan = plan_for_servers(count, NULL);
            plan.threads = threads;
            plan.requests = 103;
            struct load_result *result = run_and_compare(&plan);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(result->targets[i].counts.answered, 103);
            assert_int_equal(result->connections, 4 * count);
            load_result_free(result);
            stop_servers(state);
        }
    }
}

static void fewer_requests_than_connections(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(2, NULL);
    plan.threads = 3;
    plan.connections = 50;
    plan.requests = 2;
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(result->counts.requests, 4);
    assert_int_equal(result->connections, 4);
    load_result_free(result);
}

static void closed_by_time(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(2, NULL);
    plan.duration_ns = 300 * MS;
    struct load_result *result = run_and_compare(&plan);
    assert_true(result->counts.requests > 0);
    assert_int_equal(result->end, LOAD_END_TIME);
    assert_true(result->seconds >= 0.3);
    assert_int_equal(result->asked, 0);
    load_result_free(result);
}

static void closed_by_both_ends_with_the_first(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(1, NULL);
    plan.duration_ns = 3600 * SECOND;
    plan.requests = 50;
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(result->counts.requests, 50);
    assert_int_equal(result->end, LOAD_END_COUNT);
    load_result_free(result);

    plan.duration_ns = 100 * MS;
    plan.requests = UINT64_C(1000000000);
    result = load_run_to_end(&plan);
    assert_int_equal(result->counts.requests + 50, load_server_requests(servers[0]));
    assert_int_equal(result->end, LOAD_END_TIME);
    load_result_free(result);
}

static void open_by_time(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct load_plan plan = plan_for_servers(3, NULL);
        plan.threads = threads;
        make_open(&plan, LOAD_OPEN_CONSTANT, 1000, 301 * MS);
        struct load_result *result = run_and_compare(&plan);
        assert_int_equal(result->asked, 301);
        assert_int_equal(asked_of(&result->targets[0]), 101);
        assert_int_equal(asked_of(&result->targets[1]), 100);
        assert_int_equal(asked_of(&result->targets[2]), 100);
        assert_int_equal(result->end, LOAD_END_TIME);
        assert_float_equal(result->asked_rate, 1000, 1e-6);
        load_result_free(result);
        stop_servers(state);
    }
}

static void open_by_count(void **state)
{
    (void)state;
    for (enum load_model model = LOAD_OPEN_CONSTANT; model <= LOAD_OPEN_POISSON; model++) {
        struct load_plan plan = plan_for_servers(3, NULL);
        plan.threads = 2;
        plan.requests = 77;
        make_open(&plan, model, 2000, 0);
        struct load_result *result = run_and_compare(&plan);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(result->targets[i].counts.requests, 77);
        assert_int_equal(result->end, LOAD_END_COUNT);
        assert_int_equal(result->asked, 231);
        assert_int_equal(result->dropped, 0);
        load_result_free(result);
        stop_servers(state);
    }
}

static void open_by_both_ends_with_the_first(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(1, NULL);
    plan.requests = 100;
    make_open(&plan, LOAD_OPEN_CONSTANT, 2000, 3600 * SECOND);
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(result->counts.requests, 100);
    assert_int_equal(result->end, LOAD_END_COUNT);
    load_result_free(result);
}

static void poisson_keeps_the_number_asked_for(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(2, NULL);
    make_open(&plan, LOAD_OPEN_POISSON, 2000, 250 * MS);
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(result->asked, 500);
    load_result_free(result);
}

static void stages_follow_each_other(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(1, NULL);
    make_open(&plan, LOAD_OPEN_CONSTANT, 500, 200 * MS);
    stages[1] = (struct load_stage){.duration_ns = 100 * MS, .rate = 2000};
    plan.stage_count = 2;
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(result->asked, 100 + 200);
    assert_true(result->seconds >= 0.3);
    load_result_free(result);
}

static void warmup_is_not_counted(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(1, NULL);
    plan.warmup_ns = 400 * MS;
    plan.requests = 40;
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(result->counts.requests, 40);
    assert_true(result->warmup.requests > 0);
    load_result_free(result);
    stop_servers(state);

    plan = plan_for_servers(1, NULL);
    plan.threads = 2;
    plan.warmup_ns = 100 * MS;
    make_open(&plan, LOAD_OPEN_CONSTANT, 1000, 100 * MS);
    result = run_and_compare(&plan);
    assert_int_equal(result->asked, 100);
    assert_int_equal(result->warmup.requests, 100);
    load_result_free(result);
}

static void a_connection_for_every_request(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(1, NULL);
    plan.close = true;
    plan.requests = 200;
    struct load_result *result = run_and_compare(&plan);
    assert_int_equal(load_server_connections(servers[0]), 200);
    assert_int_equal(result->counts.connects, 200);
    assert_non_null(strstr(load_server_last_request(servers[0]), "Connection: close\r\n"));
    load_result_free(result);
    stop_servers(state);

    plan = plan_for_servers(1, NULL);
    plan.close = true;
    make_open(&plan, LOAD_OPEN_CONSTANT, 1000, 100 * MS);
    load_result_free(run_and_compare(&plan));
}

/* A server that ends its connections now and then costs new connections, not requests. */
static void a_server_may_close_its_connections(void **state)
{
    (void)state;
    const struct load_server_options options = {.closes_every = 7};
    struct load_plan plan = plan_for_servers(1, &options);
    plan.requests = 300;
    struct load_result *result = run_and_compare(&plan);
    assert_true(result->counts.connects > 40);
    load_result_free(result);
    stop_servers(state);

    plan = plan_for_servers(1, &options);
    make_open(&plan, LOAD_OPEN_CONSTANT, 1000, 200 * MS);
    load_result_free(run_and_compare(&plan));
}

static void stopped_by_its_caller(void **state)
{
    (void)state;
    for (enum load_model model = LOAD_CLOSED; model <= LOAD_OPEN_POISSON; model++) {
        struct load_plan plan = plan_for_servers(2, NULL);
        plan.threads = 2;
        if (model == LOAD_CLOSED)
            plan.duration_ns = 3600 * SECOND;
        else
            make_open(&plan, model, 500, 3600 * SECOND);
        load_seen.stop_at_point = 1;
        struct load_result *result = run_and_compare(&plan);
        assert_int_equal(result->end, LOAD_END_STOPPED);
        assert_true(result->counts.requests > 0);
        /* What would have come later was never asked for. */
        if (model != LOAD_CLOSED)
            assert_true(result->asked < 500 * (uint64_t)(result->seconds + 60));
        load_result_free(result);
        stop_servers(state);
    }
}

static void abandoned_by_its_caller(void **state)
{
    (void)state;
    struct load_plan plan = plan_for_servers(2, NULL);
    plan.threads = 2;
    plan.duration_ns = 3600 * SECOND;
    load_seen.stop_at_point = 1;
    load_seen.abandon_instead = true;
    assert_null(load_run_to_end(&plan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(closed_by_count, stop_servers),
        cmocka_unit_test_teardown(closed_by_count_on_threads, stop_servers),
        cmocka_unit_test_teardown(fewer_requests_than_connections, stop_servers),
        cmocka_unit_test_teardown(closed_by_time, stop_servers),
        cmocka_unit_test_teardown(closed_by_both_ends_with_the_first, stop_servers),
        cmocka_unit_test_teardown(open_by_time, stop_servers),
        cmocka_unit_test_teardown(open_by_count, stop_servers),
        cmocka_unit_test_teardown(open_by_both_ends_with_the_first, stop_servers),
        cmocka_unit_test_teardown(poisson_keeps_the_number_asked_for, stop_servers),
        cmocka_unit_test_teardown(stages_follow_each_other, stop_servers),
        cmocka_unit_test_teardown(warmup_is_not_counted, stop_servers),
        cmocka_unit_test_teardown(a_connection_for_every_request, stop_servers),
        cmocka_unit_test_teardown(a_server_may_close_its_connections, stop_servers),
        cmocka_unit_test_teardown(stopped_by_its_caller, stop_servers),
        cmocka_unit_test_teardown(abandoned_by_its_caller, stop_servers),
    };
    return cmocka_run_group_tests_name("load counts", tests, NULL, NULL);
}
