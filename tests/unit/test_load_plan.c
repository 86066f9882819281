/* supervisor/load/plan: ranges are kept and said, requests are composed as asked, and arrive so. */
#include "load_fixture.h"

#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static struct load_stage stage;

static struct load_plan good_plan(void)
{
    static const uint16_t PORTS[] = {1, 2};
    struct load_plan plan = load_plan_for(PORTS, 2);

    plan.requests = 10;
    return plan;
}

static struct load_plan open_plan(double rate, int64_t duration_ns)
{
    struct load_plan plan = good_plan();

    stage = (struct load_stage){.rate = rate, .duration_ns = duration_ns};
    plan.model = LOAD_OPEN_CONSTANT;
    plan.stages = &stage;
    plan.stage_count = 1;
    plan.requests = 0;
    return plan;
}

static void expect_refused(const struct load_plan *plan, int code, const char *words)
{
    struct error err = {0};

    assert_int_equal(load_plan_check(plan, &err), -code);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static void expect_taken(const struct load_plan *plan)
{
    struct error err = {0};

    if (load_plan_check(plan, &err) < 0)
        fail_msg("%s", err.message);
}

static void takes_what_is_in_range(void **state)
{
    (void)state;
    struct load_plan plan = good_plan();
    expect_taken(&plan);
    plan.warmup_ns = SECOND;
    plan.duration_ns = SECOND;
    expect_taken(&plan);
    plan.requests = 0;
    expect_taken(&plan);
    plan = open_plan(0.5, 2 * SECOND);
    expect_taken(&plan);
    plan = open_plan(100, 0);
    plan.requests = 1;
    expect_taken(&plan);
}

static void refuses_absurd_sizes(void **state)
{
    (void)state;
    struct load_plan plan = good_plan();
    plan.connections = 0;
    expect_refused(&plan, EINVAL, "connections must be from 1 to 100000 to each target");
    plan.connections = UINT32_MAX;
    expect_refused(&plan, EINVAL, "connections must be from 1 to 100000 to each target");
    plan.connections = 60000;
    plan.requests = 60000;
    expect_refused(&plan, EINVAL, "connections must be at most 50000 to each of 2 targets: 100000 in all");
    plan = good_plan();
    plan.target_count = 0;
    expect_refused(&plan, EINVAL, "targets must be from 1 to 10000");
    plan = good_plan();
    plan.threads = 65;
    expect_refused(&plan, EINVAL, "threads must be from 1 to 64");
    plan = good_plan();
    plan.requests = UINT64_MAX;
    expect_refused(&plan, EINVAL, "requests must be from 1 to 500000000000 to each of 2 targets");
    plan = good_plan();
    plan.threshold_count = 33;
    expect_refused(&plan, EINVAL, "thresholds must be at most 32");
}

static void refuses_absurd_times(void **state)
{
    (void)state;
    struct load_plan plan = good_plan();
    plan.requests = 0;
    expect_refused(&plan, EINVAL, "duration must be from 0.001 to 86400 seconds");
    plan.duration_ns = 86401 * SECOND;
    expect_refused(&plan, EINVAL, "duration must be from 0.001 to 86400 seconds");
    plan.duration_ns = -1;
    expect_refused(&plan, EINVAL, "duration must be from 0.001 to 86400 seconds");
    plan = good_plan();
    plan.warmup_ns = -1;
    expect_refused(&plan, EINVAL, "warmup must be from");
    plan = good_plan();
    plan.timeout_ns = 0;
    expect_refused(&plan, EINVAL, "timeout must be from 0.001 to 3600 seconds");
}

static void refuses_absurd_rates(void **state)
{
    (void)state;
    static const double WRONG[] = {0, -1, NAN, INFINITY, 1e12, 0.001};
    for (size_t i = 0; i < ARRAY_SIZE(WRONG); i++) {
        struct load_plan plan = open_plan(WRONG[i], SECOND);
        expect_refused(&plan, EINVAL, "rate must be from 0.01 to 10000000 requests per second");
    }
    struct load_plan plan = open_plan(0.1, SECOND);
    expect_refused(&plan, EINVAL, "rate × duration makes no request");
    plan = open_plan(100, 0);
    expect_refused(&plan, EINVAL, "the duration of a stage must be from");
    plan = open_plan(0.01, 0);
    plan.requests = 1000000;
    expect_refused(&plan, EINVAL, "so many requests at this rate last 200000000 seconds");
    plan = good_plan();
    plan.stage_count = 1;
    expect_refused(&plan, EINVAL, "the closed model has no rate");
    plan.model = LOAD_OPEN_POISSON;
    plan.stage_count = 0;
    expect_refused(&plan, EINVAL, "an open model needs a rate");
}

static void refuses_what_breaks_a_request(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *headers, *words;
    } WRONG[] = {
        {"GE T", "/", NULL, "method must be"},
        {"", "/", NULL, "method must be"},
        {"CONNECT", "/", NULL, "not CONNECT"},
        {"GET", "x", NULL, "path must begin with /"},
        {"GET", "/a b", NULL, "write a space as %20"},
        {"GET", "/\r\nX: y", NULL, "path must begin with /"},
        {"GET", "/", "X y\r\n", "\"X y\" is not a header; write Name: value"},
        {"GET", "/", "X: y", "every line ends in CR LF"},
        {"GET", "/", ": y\r\n", "is not a header"},
        {"GET", "/", "X: y\x01\r\n", "is not a header"},
        {"GET", "/", "X: a\r\nContent-Length: 5\r\n", "Content-Length is set by the engine itself"},
        {"GET", "/", "connection: close\r\n", "Connection is set by the engine itself"},
        {"GET", "/", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding is set by the engine itself"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(WRONG); i++) {
        struct load_plan plan = good_plan();
        plan.method = WRONG[i].method;
        plan.path = WRONG[i].path;
        plan.headers = WRONG[i].headers;
        expect_refused(&plan, EINVAL, WRONG[i].words);
    }
    struct load_plan plan = good_plan();
    plan.body = "";
    plan.body_length = LOAD_MAX_BODY + 1;
    expect_refused(&plan, EINVAL, "body must be at most 1048576 bytes");
}

static void thresholds_of_a_schedule_need_one(void **state)
{
    (void)state;
    struct threshold threshold;
    struct load_plan plan = good_plan();
    plan.thresholds = &threshold;
    plan.threshold_count = 1;
    threshold_parse("send_delay.p99<1ms", &threshold, NULL);
    expect_refused(&plan, EINVAL, "needs an open model: give a rate");
    threshold_parse("dropped<=0", &threshold, NULL);
    expect_refused(&plan, EINVAL, "needs an open model: give a rate");
    struct load_plan open = open_plan(100, SECOND);
    open.thresholds = &threshold;
    open.threshold_count = 1;
    expect_taken(&open);
}

static void too_few_descriptors_are_said_before(void **state)
{
    (void)state;
    struct rlimit before, few;
    struct load_plan plan = good_plan();
    plan.connections = 100;
    plan.requests = 1000;
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = 128;
    setrlimit(RLIMIT_NOFILE, &few);
    struct error err = {0};
    int rc = load_plan_check(&plan, &err);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, -EMFILE);
    assert_non_null(strstr(err.message, "200 connections need 269 file descriptors and this process may open 128"));
    assert_non_null(strstr(err.message, "ulimit -n 269"));
}

/* --- composing --- */

static char *composed(const struct load_plan *plan)
{
    size_t length;
    char *text = load_plan_compose(plan, &plan->targets[1], &length);

    assert_int_equal(strlen(text), length);
    return text;
}

static void composes_a_plain_request(void **state)
{
    (void)state;
    struct load_plan plan = good_plan();
    cleanup_free char *text = composed(&plan);
    assert_string_equal(text, "GET / HTTP/1.1\r\nHost: 127.0.0.1:2\r\n\r\n");
}

static void composes_all_that_is_asked(void **state)
{
    (void)state;
    struct load_plan plan = good_plan();
    plan.method = "PUT";
    plan.path = "/a/{server_id}/b?id={server_id}&x={server}";
    plan.headers = "X-One: 1\r\nX-Two: 2\r\n";
    plan.body = "body";
    plan.body_length = 4;
    plan.close = true;
    cleanup_free char *text = composed(&plan);
    assert_string_equal(text, "PUT /a/2/b?id=2&x={server} HTTP/1.1\r\nHost: 127.0.0.1:2\r\nConnection: close\r\n"
                              "Content-Length: 4\r\nX-One: 1\r\nX-Two: 2\r\n\r\nbody");
}

static void a_host_of_ones_own_takes_its_place(void **state)
{
    (void)state;
    struct load_plan plan = good_plan();
    plan.method = "POST";
    plan.headers = "host: example.com\r\n";
    cleanup_free char *text = composed(&plan);
    assert_string_equal(text, "POST / HTTP/1.1\r\nContent-Length: 0\r\nhost: example.com\r\n\r\n");
}

/* A body larger than a socket takes at once goes out in pieces, and whole. */
static void a_large_body_arrives(void **state)
{
    (void)state;
    struct load_server *server = load_server_start(&(struct load_server_options){.small_window = true});
    struct load_plan plan = load_plan_for_server(server);
    char *body = xmalloc(LOAD_MAX_BODY);
    memset(body, 'b', LOAD_MAX_BODY);
    plan.method = "POST";
    plan.body = body;
    plan.body_length = LOAD_MAX_BODY;
    plan.requests = 4;
    struct load_result *result = load_run_to_end(&plan);
    assert_int_equal(result->counts.status_200, 4);
    assert_int_equal(load_server_requests(server), 4);
    assert_true(result->counts.bytes_sent > 4 * (uint64_t)LOAD_MAX_BODY);
    const char *received = strstr(load_server_last_request(server), "\r\n\r\n") + 4;
    assert_int_equal(strspn(received, "b"), LOAD_MAX_BODY);
    load_result_free(result);
    load_server_stop(server);
    free(body);
}

static void a_copy_is_independent(void **state)
{
    (void)state;
    struct load_plan plan = good_plan();
    struct load_plan *copy = load_plan_copy(&plan);
    plan = good_plan(); /* fills the same targets anew */
    assert_ptr_not_equal(copy->targets, plan.targets);
    assert_ptr_not_equal(copy->targets[0].host, plan.targets[0].host);
    assert_string_equal(copy->targets[1].host, "127.0.0.1:2");
    assert_int_equal(copy->drain_ns, copy->timeout_ns);
    load_plan_free(copy);
    load_plan_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_is_in_range),
        cmocka_unit_test(refuses_absurd_sizes),
        cmocka_unit_test(refuses_absurd_times),
        cmocka_unit_test(refuses_absurd_rates),
        cmocka_unit_test(refuses_what_breaks_a_request),
        cmocka_unit_test(thresholds_of_a_schedule_need_one),
        cmocka_unit_test(too_few_descriptors_are_said_before),
        cmocka_unit_test(composes_a_plain_request),
        cmocka_unit_test(composes_all_that_is_asked),
        cmocka_unit_test(a_host_of_ones_own_takes_its_place),
        cmocka_unit_test(a_large_body_arrives),
        cmocka_unit_test(a_copy_is_independent),
    };
    return cmocka_run_group_tests_name("load plan", tests, NULL, NULL);
}
