/*
 * Sampling: rates from what the fake runtime shows, the kept points, what happens between two runs.
 */
#include "supervisor/farm/sampler.h"

#include "core/memory.h"
#include "tests/unit/farm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>

static struct farm_fixture fixture;

static int begin(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static struct server *make_running(void)
{
    fixture_make(&fixture, fixture_settings(&fixture, 1));
    fixture_start(&fixture);
    return farm_server(fixture.farm, 1);
}

static void next_sample(struct server *server)
{
    int64_t before = server->stats.at_us;
    run_until(&fixture, server->stats.at_us != before);
}

/* Between the last sample and the next lies about a second; figures are held to half of that. */
static void test_rates(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct runtime_sample *sample = fake_sample(1);
    struct counters *counters = fake_counters(1);
    counters->magic = COUNTERS_MAGIC;
    counters->version = COUNTERS_VERSION;
    sample->have = RUNTIME_HAVE_CPU | RUNTIME_HAVE_THROTTLED | RUNTIME_HAVE_MEMORY | RUNTIME_HAVE_IO;
    next_sample(server);

    sample->cpu_ns += 250000000;
    sample->throttled_ns += 600000000;
    sample->memory = 64 << 20;
    sample->pids = 3;
    sample->io_read += 1000000;
    counters->requests += 1000;
    counters->responses[4] += 100;
    counters->latency[histogram_bucket(200)] += 980;
    counters->latency[histogram_bucket(5000)] += 20;
    next_sample(server);

    const struct server_stats *stats = &server->stats;
    assert_in_range((int)(stats->cpu_cores * 1000), 150, 375);
    assert_in_range((int)stats->cpu_percent, 30, 75); /* of half a core */
    assert_in_range((int)stats->throttled_percent, 40, 90);
    assert_int_equal(stats->memory, 64 << 20);
    assert_true(stats->memory_percent == 25.0);
    assert_int_equal(stats->pids, 3);
    assert_in_range((int)stats->io_read_per_second, 600000, 1500000);
    assert_true(stats->have_requests);
    assert_int_equal(stats->requests_total, 1000);
    assert_in_range((int)stats->requests_per_second, 600, 1500);
    assert_in_range((int)stats->errors_per_second, 60, 150);
    assert_in_range(stats->p50_us, 200, 213);
    assert_in_range(stats->p99_us, 5000, 5320);

    next_sample(server); /* quiet again */
    assert_true(stats->cpu_percent == 0);
    assert_true(stats->requests_per_second == 0);
    assert_int_equal(stats->p50_us, 0);
    assert_int_equal(stats->requests_total, 1000);

    struct sample_point points[SAMPLE_KEEP_MAX];
    size_t count = sampler_points(server, &(struct sample_range){0}, points, SAMPLE_KEEP_MAX);
    assert_in_range(count, 2, 10);
    for (size_t i = 1; i < count; i++)
        assert_true(points[i].at_s > points[i - 1].at_s);
    assert_int_equal(
        sampler_points(server, &(struct sample_range){.since = points[count - 1].at_s}, points, SAMPLE_KEEP_MAX), 0);
    assert_int_equal(sampler_points(server, &(struct sample_range){.since = points[0].at_s}, points, 1), 1);
}

static void test_a_limit_that_is_not_in_force(void **state)
{
    (void)state;
    struct server *server = make_running();
    *fake_limits(1) = (struct runtime_limits_in_force){0};
    sampler_limits_changed(server);
    fake_sample(1)->have = RUNTIME_HAVE_MEMORY;
    fake_sample(1)->memory = 64 << 20;
    next_sample(server);
    assert_true(server->stats.memory_percent < 25.0); /* of the machine */
    assert_true(server->stats.memory_percent > 0);
    assert_false(server->stats.have_requests); /* a program without counters */
    struct sample_point point;
    assert_int_equal(sampler_points(server, &(struct sample_range){0}, &point, 1), 1);
    assert_true(point.requests_per_second < 0);
}

/* What cannot be read for a while has neither gone nor come back from nothing. */
static void test_a_figure_that_is_missing_for_a_while(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct runtime_sample *sample = fake_sample(1);
    const struct runtime_sample all = {.have =
                                           RUNTIME_HAVE_CPU | RUNTIME_HAVE_MEMORY | RUNTIME_HAVE_OOM | RUNTIME_HAVE_IO,
                                       .cpu_ns = 3600000000000,
                                       .memory = 64 << 20,
                                       .oom_kills = 2,
                                       .io_read = 1000000000000};
    *sample = all;
    next_sample(server);
    next_sample(server);
    assert_true(server->stats.cpu_cores == 0);
    for (int i = 0; i < 2; i++) {
        *sample = i == 0 ? (struct runtime_sample){0} : all;
        next_sample(server);
        assert_true(server->stats.cpu_cores == 0);
        assert_true(server->stats.io_read_per_second == 0);
        assert_int_equal(server->stats.memory, 64 << 20);
        assert_int_equal(server->stats.oom_kills, 2);
        assert_int_equal(server->stats.have, sample->have);
    }
}

static void test_runs_are_not_mixed(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct runtime_sample *sample = fake_sample(1);
    sample->have = RUNTIME_HAVE_CPU | RUNTIME_HAVE_OOM;
    sample->cpu_ns = 900000000000;
    sample->oom_kills = 2;
    next_sample(server);
    assert_int_equal(server->stats.oom_kills, 2);

    sample->oom_kills = 3; /* the kill that ends the run */
    fake_of(1)->stays_unready = true;
    fake_signal_exit(1, SIGKILL, true);
    run_until(&fixture, server->lifecycle.state == SERVER_STARTING);
    assert_int_equal(server->stats.oom_kills, 3);
    assert_int_equal(server->stats.memory, 0);
    *sample = (struct runtime_sample){.have = RUNTIME_HAVE_CPU | RUNTIME_HAVE_OOM, .cpu_ns = 1000};
    next_sample(server);
    assert_true(server->stats.cpu_cores < 0.001);
    assert_int_equal(server->stats.oom_kills, 3);
}

static void test_figures_that_go_back(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct counters *counters = fake_counters(1);
    counters->magic = COUNTERS_MAGIC;
    counters->version = COUNTERS_VERSION;
    counters->requests = 1000000;
    next_sample(server);
    counters->requests = 5;
    counters->responses[4] = UINT64_MAX;
    next_sample(server);
    assert_true(server->stats.requests_per_second == 0);
    counters->magic = 1;
    next_sample(server);
    assert_false(server->stats.have_requests);
}

static void test_all_are_sampled_within_a_second(void **state)
{
    (void)state;
    fixture_make(&fixture, fixture_settings(&fixture, 100));
    fixture_start(&fixture);
    unsigned sampled = 0;
    run_until(&fixture, ({
        sampled = 0;
        for (int id = 1; id <= 100; id++)
            sampled += farm_server(fixture.farm, id)->stats.at_us > 0;
        sampled == 100;
    }));
    int64_t first = INT64_MAX, last = 0;
    for (int id = 1; id <= 100; id++) {
        int64_t at_us = farm_server(fixture.farm, id)->stats.at_us;
        first = at_us < first ? at_us : first;
        last = at_us > last ? at_us : last;
    }
    assert_true(last - first > 300000); /* not in one burst */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_rates),
        TEST(test_a_limit_that_is_not_in_force),
        TEST(test_a_figure_that_is_missing_for_a_while),
        TEST(test_runs_are_not_mixed),
        TEST(test_figures_that_go_back),
        TEST(test_all_are_sampled_within_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
