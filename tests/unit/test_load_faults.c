/* supervisor/load against servers that die, freeze, answer garbage, close mid-body, send 1 GB, drip or never answer:
 * every request ends in exactly one way, in time, and in bounded memory. */
#include "load_fixture.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

static struct load_server *server;
static struct load_stage stage;

static int stop_server(void **state)
{
    (void)state;
    if (server)
        load_server_stop(server);
    server = NULL;
    return 0;
}

static struct load_plan plan_for(const struct load_server_options *options)
{
    server = load_server_start(options);
    struct load_plan plan = load_plan_for_server(server);
    plan.requests = 12;
    return plan;
}

static void make_open(struct load_plan *plan, double rate, int64_t duration_ns)
{
    stage = (struct load_stage){.duration_ns = duration_ns, .rate = rate};
    plan->model = LOAD_OPEN_CONSTANT;
    plan->stages = &stage;
    plan->stage_count = 1;
    plan->requests = 0;
}

/* Every request of the plan must end in this error, closed and open. */
static void expect_error(struct load_plan plan, enum load_error error)
{
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.requests, 12);
    assert_int_equal(result->counts.errors[error], 12);
    assert_int_equal(result->latency.count, error == LOAD_TIMEOUT ? 12 : 0);
    assert_int_equal(result->end, LOAD_END_COUNT);
    load_result_free(result);

    make_open(&plan, 200, 0);
    plan.requests = 12;
    result = load_run_to_end(&plan);
    assert_int_equal(result->counts.requests, 12);
    assert_int_equal(result->counts.errors[error], 12);
    load_result_free(result);
}

static void nothing_listens(void **state)
{
    (void)state;
    uint16_t port = load_free_port();
    struct load_plan plan = load_plan_for(&port, 1);
    plan.requests = 12;
    expect_error(plan, LOAD_REFUSED);
}

/* Four connections that try again every 10 ms at most. */
static void a_dead_server_is_not_asked_in_a_busy_loop(void **state)
{
    (void)state;
    uint16_t port = load_free_port();
    struct load_plan plan = load_plan_for(&port, 1);
    plan.duration_ns = 300 * MS;
    struct load_result *result = load_run_to_end(&plan);
    assert_in_range(result->counts.requests, 4, 4 * 31);
    assert_int_equal(result->counts.errors[LOAD_REFUSED], result->counts.requests);
    load_result_free(result);
}

static void it_hangs_up(void **state)
{
    (void)state;
    expect_error(plan_for(&(struct load_server_options){.kind = SERVER_HANGS_UP}), LOAD_RESET);
}

static void it_hangs_up_before_it_has_the_request(void **state)
{
    (void)state;
    struct load_plan plan =
        plan_for(&(struct load_server_options){.kind = SERVER_HANGS_UP_EARLY, .small_window = true});
    char *body = xcalloc(1, LOAD_MAX_BODY);
    plan.method = "POST";
    plan.body = body;
    plan.body_length = LOAD_MAX_BODY;
    expect_error(plan, LOAD_RESET);
    free(body);
}

/* The next request may already be on its way then, and is lost; none waits for what will not come. */
static void it_leaves_without_a_word(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.leaves_silently = true});
    make_open(&plan, 4000, 0);
    plan.requests = 2000;
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.requests, 2000);
    assert_int_equal(result->counts.requests, result->counts.answered + result->counts.errors[LOAD_RESET]);
    assert_int_equal(result->counts.answered, load_server_requests(server));
    load_result_free(result);
}

static void it_closes_in_the_middle_of_a_body(void **state)
{
    (void)state;
    expect_error(plan_for(&(struct load_server_options){.kind = SERVER_CUTS}), LOAD_SHORT_BODY);
}

static void it_answers_garbage(void **state)
{
    (void)state;
    expect_error(plan_for(&(struct load_server_options){.kind = SERVER_GARBAGE}), LOAD_BAD_HTTP);
}

static void its_headers_do_not_end(void **state)
{
    (void)state;
    expect_error(plan_for(&(struct load_server_options){.kind = SERVER_ENDLESS_HEAD}), LOAD_BAD_HTTP);
}

static void it_never_answers(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.kind = SERVER_NEVER});
    plan.timeout_ns = 50 * MS;
    expect_error(plan, LOAD_TIMEOUT);
}

static void a_timeout_counts_as_long_as_it_took(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.kind = SERVER_NEVER});
    plan.timeout_ns = 80 * MS;
    struct load_result *result = load_run_to_end(&plan);
    assert_true(result->latency.min_ns >= (uint64_t)(80 * MS));
    load_result_free(result);
}

static void it_drips(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.kind = SERVER_DRIPS});
    plan.timeout_ns = 60 * MS;
    expect_error(plan, LOAD_TIMEOUT);
}

static long peak_kb(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void it_sends_a_gigabyte(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.kind = SERVER_HUGE});
    plan.requests = 1;
    plan.timeout_ns = 50 * SECOND;
    long before = peak_kb();
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.answered, 1);
    assert_true(result->counts.bytes_received > UINT64_C(1) << 30);
    assert_true(peak_kb() - before < 64 * 1024);
    load_result_free(result);
}

static void it_dies(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.dies_after = 50});
    plan.requests = 200;
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.requests, 200);
    assert_in_range(result->counts.answered, 1, 50);
    assert_true(result->counts.errors[LOAD_REFUSED] > 0);
    load_result_free(result);
}

static void it_answers_errors(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.status = 503});
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.answered, 12);
    assert_int_equal(result->counts.status_class[4], 12);
    assert_int_equal(result->counts.status_200, 0);
    assert_int_equal(result->status[503], 12);
    assert_int_equal(load_counts_failed(&result->counts), 12);
    assert_int_equal(load_counts_broken(&result->counts), 0);
    load_result_free(result);
}

static void it_is_given_up(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.kind = SERVER_NEVER});
    plan.requests = UINT64_C(1000000);
    plan.timeout_ns = 20 * MS;
    plan.give_up_ns = 100 * MS;
    struct load_result *result = load_run_to_end(&plan);
    assert_true(result->targets[0].gave_up);
    assert_int_equal(result->end, LOAD_END_GAVE_UP);
    assert_true(result->counts.requests < 1000000);
    load_result_free(result);
}

/* Two connections wait for ever: what is due meanwhile is never sent, and said to be dropped. */
static void what_cannot_be_sent_is_dropped(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(&(struct load_server_options){.kind = SERVER_NEVER});
    make_open(&plan, 100, 300 * MS);
    plan.connections = 2;
    plan.drain_ns = 50 * MS;
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->asked, 30);
    assert_int_equal(result->counts.requests, 2);
    assert_int_equal(result->counts.unfinished, 2);
    assert_int_equal(result->dropped, 28);
    load_result_free(result);
}

/* As many descriptors as the engine needs for itself, and three. */
static void descriptors_run_out(void **state)
{
    (void)state;
    struct load_plan plan = plan_for(NULL);
    struct rlimit before, few;
    plan.connections = 10;
    plan.requests = 30;
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t)next + 500;
    if (before.rlim_cur > few.rlim_cur)
        setrlimit(RLIMIT_NOFILE, &few);
    int taken[600];
    size_t count = 0;
    while (count < 600 && (taken[count] = dup(0)) >= 0)
        count++;
    for (int i = 0; i < 14 && count > 0; i++)
        close(taken[--count]);
    struct load_result *result = load_run_to_end(&plan);
    while (count > 0)
        close(taken[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(result->counts.requests, 30);
    assert_true(result->counts.errors[LOAD_LOCAL] > 0);
    load_result_free(result);
}

static void a_dead_target_does_not_touch_the_others(void **state)
{
    (void)state;
    struct load_server *good[2];
    uint16_t ports[3];
    for (size_t i = 0; i < 2; i++) {
        good[i] = load_server_start(NULL);
        ports[2 * i] = load_server_port(good[i]);
    }
    ports[1] = load_free_port();
    struct load_plan plan = load_plan_for(ports, 3);
    plan.requests = 120;
    struct load_result *result = load_run_to_end(&plan);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(result->targets[2 * i].counts.status_200, 120);
        assert_string_equal(result->targets[2 * i].stands_out, "");
        load_server_stop(good[i]);
    }
    assert_int_equal(result->targets[1].counts.errors[LOAD_REFUSED], 120);
    assert_non_null(strstr(result->targets[1].stands_out, "100.0 % of its requests failed"));
    load_result_free(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_listens, stop_server),
        cmocka_unit_test_teardown(a_dead_server_is_not_asked_in_a_busy_loop, stop_server),
        cmocka_unit_test_teardown(it_hangs_up, stop_server),
        cmocka_unit_test_teardown(it_hangs_up_before_it_has_the_request, stop_server),
        cmocka_unit_test_teardown(it_leaves_without_a_word, stop_server),
        cmocka_unit_test_teardown(it_closes_in_the_middle_of_a_body, stop_server),
        cmocka_unit_test_teardown(it_answers_garbage, stop_server),
        cmocka_unit_test_teardown(its_headers_do_not_end, stop_server),
        cmocka_unit_test_teardown(it_never_answers, stop_server),
        cmocka_unit_test_teardown(a_timeout_counts_as_long_as_it_took, stop_server),
        cmocka_unit_test_teardown(it_drips, stop_server),
        cmocka_unit_test_teardown(it_sends_a_gigabyte, stop_server),
        cmocka_unit_test_teardown(it_dies, stop_server),
        cmocka_unit_test_teardown(it_answers_errors, stop_server),
        cmocka_unit_test_teardown(it_is_given_up, stop_server),
        cmocka_unit_test_teardown(what_cannot_be_sent_is_dropped, stop_server),
        cmocka_unit_test_teardown(descriptors_run_out, stop_server),
        cmocka_unit_test_teardown(a_dead_target_does_not_touch_the_others, stop_server),
    };
    return cmocka_run_group_tests_name("load faults", tests, NULL, NULL);
}
