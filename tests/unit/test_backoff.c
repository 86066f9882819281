/*
 * What each restart profile does, step by step.
 */
#include "supervisor/farm/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#define GIVE_UP (-1) /* in a list of delays; 0 is at once */
#define END (-2)

/* Runs that all end after ran_ms, each started when its delay is over. */
static void expect_delays(enum restart_profile profile, int64_t ran_ms, int64_t healthy_ms, uint64_t random,
                          const int64_t *delays)
{
    struct backoff backoff = {0};
    int64_t now_ms = 1000000;
    for (int i = 0; delays[i] != END; i++) {
        now_ms += ran_ms;
        struct backoff_decision decision = backoff_next(&backoff, profile, now_ms, ran_ms, healthy_ms, random);
        int64_t got = decision.verdict == VERDICT_GIVE_UP     ? GIVE_UP
                      : decision.verdict == VERDICT_RETRY_NOW ? 0
                                                              : decision.delay_ms;
        if (got != delays[i])
            fail_msg("%s, failure %d: %lld ms instead of %lld", restart_profile_name(profile), i + 1, (long long)got,
                     (long long)delays[i]);
        now_ms += decision.delay_ms;
    }
}
#define EXPECT(profile, ran_ms, healthy_ms, random, ...)                                                               \
    expect_delays(profile, ran_ms, healthy_ms, random, (const int64_t[]){__VA_ARGS__, END})

static void test_farm(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_FARM, 50, 10, 0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000);
    EXPECT(RESTART_PROFILE_FARM, 70000, 60000, 0, 0, 0, 0, 0); /* healthy long enough each time */
    EXPECT(RESTART_PROFILE_FARM, 70000, 59999, 0, 0, 1000, 2000);
}

static void test_jitter_adds_up_to_a_quarter(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t random = 0; random < 10000; random++) {
        struct backoff backoff = {.failures = 1};
        int64_t delay = backoff_next(&backoff, RESTART_PROFILE_FARM, 0, 0, 0, random * 7919).delay_ms;
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    assert_int_equal(least, 1000);
    assert_int_equal(most, 1250);
}

static void test_kubernetes(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_KUBERNETES, 50, 0, 9, 0, 10000, 20000, 40000, 80000, 160000, 300000, 300000);
    EXPECT(RESTART_PROFILE_KUBERNETES, 600000, 0, 9, 0, 0, 0);
    EXPECT(RESTART_PROFILE_KUBERNETES, 599999, 600000, 9, 0, 10000);
}

static void test_docker(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_DOCKER, 50, 0, 9, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000);
    EXPECT(RESTART_PROFILE_DOCKER, 10000, 0, 9, 100, 100, 100);
    EXPECT(RESTART_PROFILE_DOCKER, 9999, 0, 9, 100, 200);
}

/* Five starts within 10 s, the sixth is refused. */
static void test_systemd(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_SYSTEMD, 50, 0, 9, 100, 100, 100, 100, GIVE_UP);
    EXPECT(RESTART_PROFILE_SYSTEMD, 1800, 0, 9, 100, 100, 100, 100, GIVE_UP);
    EXPECT(RESTART_PROFILE_SYSTEMD, 1900, 0, 9, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100);
}

static void test_nomad(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_NOMAD, 50, 0, 0, 15000, 15000, GIVE_UP);
    EXPECT(RESTART_PROFILE_NOMAD, 16 * 60000, 0, 0, 15000, 15000, 15000, 15000); /* never two within half an hour */
    EXPECT(RESTART_PROFILE_NOMAD, 50, 0, 3750, 18750, 18750, GIVE_UP);
}

static void test_supervisord(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_SUPERVISORD, 50, 0, 9, 1000, 2000, 3000, GIVE_UP);
    EXPECT(RESTART_PROFILE_SUPERVISORD, 10000, 0, 9, 1000, 1000, 1000, 1000, 1000);
}

static void test_s6(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_S6, 50, 0, 9, 950, 950, 950, 950, 950, 950);
    EXPECT(RESTART_PROFILE_S6, 1000, 0, 9, 0, 0, 0);
}

/* As after a start by hand. */
static void test_reset_begins_anew(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    int64_t now_ms = 0;
    for (int i = 0; i < 5; i++)
        backoff_next(&backoff, RESTART_PROFILE_SYSTEMD, now_ms += 10, 10, 0, 0);
    backoff_reset(&backoff);
    assert_int_equal(backoff_next(&backoff, RESTART_PROFILE_SYSTEMD, now_ms + 10, 10, 0, 0).verdict,
                     VERDICT_RETRY_LATER);
}

static void test_each_profile_is_described(void **state)
{
    (void)state;
    for (int profile = 0; profile < RESTART_PROFILE_COUNT; profile++)
        assert_true(strlen(backoff_describe(profile)) > 10);
}

static void test_swarm(void **state)
{
    (void)state;
    EXPECT(RESTART_PROFILE_SWARM, 50, 10, 0, 5000, 5000, 5000, 5000);
    EXPECT(RESTART_PROFILE_SWARM, 3600000, 3600000, 99, 5000, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_farm),
        cmocka_unit_test(test_swarm),
        cmocka_unit_test(test_jitter_adds_up_to_a_quarter),
        cmocka_unit_test(test_kubernetes),
        cmocka_unit_test(test_docker),
        cmocka_unit_test(test_systemd),
        cmocka_unit_test(test_nomad),
        cmocka_unit_test(test_supervisord),
        cmocka_unit_test(test_s6),
        cmocka_unit_test(test_reset_begins_anew),
        cmocka_unit_test(test_each_profile_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
