/* runtime/process: limits are in force, read back, changed live; OOM kills are told apart. Needs cgroups. */
#include "runtime_fixture.h"

#include "core/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct runtime_ops *const ops = &runtime_process_ops;

static void start(struct fixture *fixture, const char *script, const struct limits *limits)
{
    struct error err = {0};
    int rc = runtime_fixture_start(fixture, 0, script, limits, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(rc, 0);
}

static void expect_limits(struct fixture *f, const struct limits *expected)
{
    struct runtime_limits_in_force now;
    ops->limits_in_force(f->servers[0].process, &now);
    assert_true(now.cpu > expected->cpu - 0.0001 && now.cpu < expected->cpu + 0.0001);
    assert_int_equal(now.memory, expected->memory);
    assert_true(now.cpu_reservation > expected->cpu_reservation - 0.001);
    assert_true(now.cpu_reservation < expected->cpu_reservation + 0.001);
    assert_int_equal(now.memory_reservation, expected->memory_reservation);
    assert_int_equal(now.pids, expected->pids);
}

static void limits_are_read_back_and_change_live(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    start(f, "echo ready >&3; exec sleep 1000", &limits);
    assert_true(runtime_fixture_wait_ready(f, 0));
    expect_limits(f, &limits);
    struct limits more = {
        .cpu = 1.25, .memory = 256 << 20, .cpu_reservation = 0.7, .memory_reservation = 128 << 20, .pids = 99};
    struct error err = {0};
    assert_int_equal(ops->set_limits(f->servers[0].process, &more, &err), 0);
    expect_limits(f, &more);
    assert_int_equal(ops->set_limits(f->servers[0].process, &limits, &err), 0);
    expect_limits(f, &limits);
    assert_int_equal(f->servers[0].exits, 0);
}

static void a_change_that_is_refused_changes_nothing(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    start(f, "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo ready >&3; sleep 1000", &limits);
    assert_true(runtime_fixture_wait_ready(f, 0));
    struct limits less = {
        .cpu = 1.25, .memory = 16 << 20, .cpu_reservation = 0.7, .memory_reservation = 8 << 20, .pids = 99};
    struct error err = {0};
    assert_int_equal(ops->set_limits(f->servers[0].process, &less, &err), -EBUSY);
    assert_int_equal(strncmp(err.message, "server-7 uses ", 14), 0);
    assert_non_null(strstr(err.message, " MB, more than 16 MB"));
    expect_limits(f, &limits);
    /* What was written before the refusal is taken back. */
    struct limits too_many = limits;
    too_many.memory = 256 << 20;
    too_many.pids = UINT32_MAX;
    assert_int_equal(ops->set_limits(f->servers[0].process, &too_many, &err), -EBUSY);
    assert_non_null(strstr(err.message, "pids.max"));
    expect_limits(f, &limits);
    /* A later change is not in the way of the refused one. */
    limits.cpu = 0.75;
    assert_int_equal(ops->set_limits(f->servers[0].process, &limits, &err), 0);
    expect_limits(f, &limits);
    assert_int_equal(f->servers[0].exits, 0);
}

static void memory_past_the_limit_ends_the_server(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    limits.memory = 16 << 20;
    limits.memory_reservation = 8 << 20;
    start(f, "exec tail /dev/zero", &limits); /* keeps a line that never ends */
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[0].exit.kind, RUNTIME_EXIT_SIGNAL);
    assert_int_equal(f->servers[0].exit.signal, SIGKILL);
    assert_true(f->servers[0].exit.oom_killed);
    assert_true(f->servers[0].last.oom_kills > 0);
    /* The next run begins with a clean slate. */
    start(f, "exec sleep 1000", &limits);
    assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_false(f->servers[0].exit.oom_killed);
}

static bool sampled_oom(struct fixture *f, void *unused)
{
    (void)unused;
    struct runtime_sample sample;
    if (f->servers[0].process != NULL) {
        ops->sample(f->servers[0].process, &sample);
    }
    return f->servers[0].ooms > 0 || f->servers[0].exits > 0;
}

/* On cgroup v2 the whole group goes (memory.oom.group); on v1 the victim alone. */
static void an_oom_killed_child_is_told(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    limits.memory = 16 << 20;
    limits.memory_reservation = 8 << 20;
    start(f, "tail /dev/zero; while :; do sleep 1000; done", &limits);
    assert_true(runtime_fixture_wait(f, sampled_oom, NULL));
    if (strcmp(ops->enforcement(f->runtime), "cgroup1") == 0) {
        assert_int_equal(f->servers[0].ooms, 1);
        assert_int_equal(f->servers[0].exits, 0);
        assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
        assert_true(runtime_fixture_wait_exit(f, 0));
        assert_false(f->servers[0].exit.oom_killed); /* it was told; this end is another matter */
    } else {
        assert_true(f->servers[0].exit.oom_killed);
    }
}

/* Or the bomb is over: its first shell may end, for want of a child, before anybody looks. */
static bool pids_at_limit_or_gone(struct fixture *f, void *limit)
{
    struct runtime_sample sample;
    if (f->servers[0].exits > 0) {
        return true;
    }
    ops->sample(f->servers[0].process, &sample);
    return sample.pids >= *(uint32_t *)limit;
}

static void a_fork_bomb_stays_inside(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    limits.pids = 20;
    start(f, "bomb() { bomb | bomb & bomb; }; bomb", &limits);
    assert_true(runtime_fixture_wait(f, pids_at_limit_or_gone, &limits.pids));
    if (f->servers[0].process != NULL) {
        struct runtime_sample sample;
        ops->sample(f->servers[0].process, &sample);
        assert_true(sample.have & RUNTIME_HAVE_PIDS);
        /* The kernel counts a fork before it refuses it, so the figure is over the limit for moments. */
        assert_true(sample.pids < 2 * limits.pids);
        assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
    }
    assert_true(runtime_fixture_wait_exit(f, 0));
}

static bool burnt_enough(struct fixture *f, void *sample)
{
    struct runtime_sample *now = sample;
    ops->sample(f->servers[0].process, now);
    return now->periods >= 5 && now->periods_throttled > 0;
}

static void a_cpu_burner_is_held_at_its_limit(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    limits.cpu = 0.2;
    struct runtime_sample sample;
    start(f, "while :; do :; done", &limits);
    assert_true(runtime_fixture_wait(f, burnt_enough, &sample));
    const unsigned all = RUNTIME_HAVE_CPU | RUNTIME_HAVE_THROTTLED | RUNTIME_HAVE_MEMORY | RUNTIME_HAVE_OOM;
    assert_int_equal(sample.have & all, all);
    assert_true(sample.throttled_ns > 0);
    assert_true(sample.memory > 0);
    /* 20 ms in each period of 100 ms, and the one before the first was counted. */
    assert_true(sample.cpu_ns <= (sample.periods + 2) * 21000000);
}

static bool memory_is_known(struct fixture *f, void *sample)
{
    struct runtime_sample *now = sample;
    ops->sample(f->servers[0].process, now);
    return f->servers[0].ready > 0 && (now->have & RUNTIME_HAVE_MEMORY);
}

/* A file read once and never again is what the kernel drops first; it is charged, but no reason to worry. */
static void cache_is_not_counted_as_memory(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    struct runtime_sample sample;
    start(f, "head -c 30000000 /dev/zero >$FOLDER/big; cat $FOLDER/big >/dev/null; echo ready >&3; exec sleep 1000",
          &limits);
    assert_true(runtime_fixture_wait(f, memory_is_known, &sample));
    assert_true(sample.memory < 15000000);
}

/* What can be given back is no reason to refuse a limit, and the server goes on. */
static void a_lower_limit_takes_the_cache_back(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    struct limits limits = runtime_fixture_limits();
    struct error err = {0};
    start(f, "head -c 30000000 /dev/zero >$FOLDER/big; sync $FOLDER/big; echo ready >&3; exec sleep 1000", &limits);
    assert_true(runtime_fixture_wait_ready(f, 0));
    limits.memory = 16 << 20;
    assert_int_equal(ops->set_limits(f->servers[0].process, &limits, &err), 0);
    expect_limits(f, &limits);
    assert_int_equal(f->servers[0].exits, 0);
}

static void enforcement_is_named(void **state)
{
    struct fixture *f = *state;
    if (!runtime_fixture_enforces(f)) {
        skip();
    }
    assert_true(strncmp(ops->enforcement(f->runtime), "cgroup", 6) == 0);
    assert_true(runtime_fixture_cgroups(f) > 0);
}

#define IN_CGROUPS(test) cmocka_unit_test_setup_teardown(test, runtime_fixture_set_up, runtime_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CGROUPS(enforcement_is_named),
        IN_CGROUPS(limits_are_read_back_and_change_live),
        IN_CGROUPS(a_change_that_is_refused_changes_nothing),
        IN_CGROUPS(memory_past_the_limit_ends_the_server),
        IN_CGROUPS(an_oom_killed_child_is_told),
        IN_CGROUPS(a_fork_bomb_stays_inside),
        IN_CGROUPS(a_cpu_burner_is_held_at_its_limit),
        IN_CGROUPS(cache_is_not_counted_as_memory),
        IN_CGROUPS(a_lower_limit_takes_the_cache_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
