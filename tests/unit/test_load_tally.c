/* supervisor/load/tally, series: percentiles of exactly known times, what is measured and what is warm-up, seconds from
 * several threads. */
#include "supervisor/load/engine.h"

#include "core/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define START (1000 * SECOND)

/* A worker with one lane and one connection, with neither a thread nor a socket. */
static struct {
    struct load_run run;
    struct worker worker;
    struct lane lane;
    struct load_connection connection;
    uv_loop_t loop;
} fixture;

static void on_news(uv_async_t *news)
{
    (void)news;
}

static int set_up(void **state)
{
    (void)state;
    memset(&fixture, 0, sizeof(fixture));
    uv_loop_init(&fixture.loop);
    uv_async_init(&fixture.loop, &fixture.run.news, on_news);
    uv_mutex_init(&fixture.run.lock);
    series_init(&fixture.run.series, 1);
    load_second_init(&fixture.worker.counted);
    latency_init(&fixture.lane.latency, LATENCY_COARSE_BITS);
    latency_init(&fixture.lane.service, LATENCY_COARSE_BITS);
    fixture.run.plan.model = LOAD_OPEN_CONSTANT;
    fixture.worker.run = &fixture.run;
    fixture.worker.second = -1;
    fixture.worker.start_ns = fixture.worker.second_end_ns = fixture.worker.begin_ns = START;
    fixture.lane.worker = &fixture.worker;
    fixture.lane.quota = UINT64_MAX;
    fixture.connection.lane = &fixture.lane;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    load_second_done(&fixture.worker.counted);
    latency_done(&fixture.lane.latency);
    latency_done(&fixture.lane.service);
    series_done(&fixture.run.series);
    uv_mutex_destroy(&fixture.run.lock);
    uv_close((uv_handle_t *)&fixture.run.news, NULL);
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&fixture.loop);
}

static void request(int64_t due_ns, int64_t sent_ns, int64_t answered_ns, unsigned status)
{
    struct load_connection *connection = &fixture.connection;

    connection->due_ns = due_ns;
    connection->sent_ns = sent_ns;
    connection->answer.status = (uint16_t)status;
    connection->received = 100;
    tally_begun(connection);
    tally_answered(connection, answered_ns);
}

static void expect_about(double actual, double exact, double share)
{
    if (fabs(actual - exact) > share * exact)
        fail_msg("%f is not within %g of %f", actual, share, exact);
}

/* 10,000 requests: the i-th is sent i µs late and answered 2i µs after that. */
static void percentiles_are_those_of_the_times(void **state)
{
    (void)state;
    static const double QUANTILES[] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999};
    for (int64_t i = 10000; i >= 1; i--)
        request(START, START + i * US, START + 3 * i * US, 200);
    tally_finish(&fixture.worker);
    const struct series *series = &fixture.run.series;
    for (size_t k = 0; k < ARRAY_SIZE(QUANTILES); k++) {
        double i = QUANTILES[k] * 10000 * (double)US;
        expect_about(latency_quantile(&series->send_delay, QUANTILES[k]), i, 0.001);
        expect_about(latency_quantile(&series->service, QUANTILES[k]), 2 * i, 0.001);
        expect_about(latency_quantile(&series->latency, QUANTILES[k]), 3 * i, 0.001);
        expect_about(latency_quantile(&fixture.lane.latency, QUANTILES[k]), 3 * i, 0.01);
        expect_about(latency_quantile(&fixture.lane.service, QUANTILES[k]), 2 * i, 0.01);
    }
    assert_int_equal(series->latency.max_ns, 30000 * US);
    expect_about(latency_mean(&series->latency), 15001.5 * (double)US, 1e-9);
}

static void the_closed_model_has_one_distribution(void **state)
{
    (void)state;
    fixture.run.plan.model = LOAD_CLOSED;
    request(START, START, START + 5 * MS, 200);
    tally_finish(&fixture.worker);
    assert_int_equal(fixture.run.series.latency.count, 1);
    assert_int_equal(fixture.run.series.service.count, 0);
    assert_int_equal(fixture.run.series.send_delay.count, 0);
}

/* What was due before the start is warm-up, even when it was sent and answered after it. */
static void warmup_is_by_the_instant_that_was_meant(void **state)
{
    (void)state;
    request(START - 1, START + MS, START + 2 * MS, 200);
    request(START, START + MS, START + 2 * MS, 200);
    tally_finish(&fixture.worker);
    assert_int_equal(fixture.worker.warmup.requests, 1);
    assert_int_equal(fixture.worker.warmup.answered, 1);
    assert_int_equal(fixture.lane.counts.requests, 1);
    assert_int_equal(fixture.run.series.latency.count, 1);
    assert_int_equal(fixture.worker.status[200], 1);
}

static void seconds_are_by_the_end_of_a_request(void **state)
{
    (void)state;
    request(START, START, START + SECOND - 1, 200);
    request(START, START, START + SECOND, 503);
    request(START + 2 * SECOND, START + 2 * SECOND, START + 4 * SECOND + 7, 200);
    tally_finish(&fixture.worker);
    const struct series *series = &fixture.run.series;
    assert_int_equal(series->count, 5);
    static const uint64_t ANSWERED[] = {1, 1, 0, 0, 1}, FAILED[] = {0, 1, 0, 0, 0};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(series->points[i].second, i);
        assert_int_equal(series->points[i].answered, ANSWERED[i]);
        assert_int_equal(series->points[i].failed, FAILED[i]);
        assert_int_equal(series->points[i].bytes_received, 100 * ANSWERED[i]);
    }
    expect_about(series->points[4].p99_ns, 2e9, 0.001);
    assert_float_equal(series->points[2].p99_ns, 0, 0);
    struct load_point total;
    series_total(series, &total);
    assert_int_equal(total.answered, 3);
    assert_int_equal(total.failed, 1);
}

static void a_timeout_has_a_time_and_a_reset_has_none(void **state)
{
    (void)state;
    struct load_connection *connection = &fixture.connection;
    connection->due_ns = connection->sent_ns = START;
    tally_begun(connection);
    tally_broken(connection, LOAD_TIMEOUT, START + 10 * MS);
    tally_begun(connection);
    tally_broken(connection, LOAD_RESET, START + 20 * MS);
    tally_finish(&fixture.worker);
    assert_int_equal(fixture.run.series.latency.count, 1);
    assert_int_equal(fixture.run.series.latency.max_ns, 10 * MS);
    assert_int_equal(fixture.run.series.points[0].failed, 2);
}

/* --- seconds of several threads --- */

static void add_second(struct series *series, unsigned second, uint64_t answered, int64_t ns)
{
    struct load_second counted;

    load_second_init(&counted);
    counted.counts.answered = answered;
    for (uint64_t i = 0; i < answered; i++)
        latency_add(&counted.latency, ns);
    series_add(series, second, &counted);
    load_second_done(&counted);
}

static void a_point_waits_for_every_thread(void **state)
{
    (void)state;
    struct series series;
    series_init(&series, 2);
    add_second(&series, 0, 10, 5 * MS);
    add_second(&series, 1, 10, 5 * MS);
    add_second(&series, 2, 10, 5 * MS);
    assert_int_equal(series.count, 0);
    add_second(&series, 0, 1, 9 * MS);
    assert_int_equal(series.count, 1);
    assert_int_equal(series.points[0].answered, 11);
    expect_about(series.points[0].p50_ns, 5e6, 0.001);
    assert_float_equal(series.points[0].max_ns, 9e6, 0);
    add_second(&series, 1, 0, 0);
    assert_int_equal(series.count, 2);
    assert_int_equal(series.latency.count, 31);
    series_done(&series);
}

static void a_thread_that_has_ended_is_not_waited_for(void **state)
{
    (void)state;
    struct series series;
    series_init(&series, 3);
    add_second(&series, 0, 1, MS);
    series_leave(&series, 1);
    add_second(&series, 0, 2, MS);
    add_second(&series, 1, 2, MS);
    add_second(&series, 0, 4, MS);
    add_second(&series, 1, 4, MS);
    series_leave(&series, 2);
    assert_int_equal(series.count, 2);
    add_second(&series, 2, 4, MS);
    series_leave(&series, 3);
    assert_int_equal(series.count, 3);
    assert_int_equal(series.points[0].answered, 7);
    assert_int_equal(series.points[1].answered, 6);
    assert_int_equal(series.points[2].answered, 4);
    series_done(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(percentiles_are_those_of_the_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_closed_model_has_one_distribution, set_up, tear_down),
        cmocka_unit_test_setup_teardown(warmup_is_by_the_instant_that_was_meant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(seconds_are_by_the_end_of_a_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timeout_has_a_time_and_a_reset_has_none, set_up, tear_down),
        cmocka_unit_test(a_point_waits_for_every_thread),
        cmocka_unit_test(a_thread_that_has_ended_is_not_waited_for),
    };
    return cmocka_run_group_tests_name("load tally", tests, NULL, NULL);
}
