/* supervisor/load/schedule: stages as written, instants to the nanosecond, slots that share without gap or overlap,
 * Poisson's number and spread. */
#include "supervisor/load/schedule.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define SEED 20261123u

static struct schedule schedule_of(const struct load_stage *stages, size_t count, uint64_t limit, bool poisson)
{
    struct schedule schedule;

    schedule_init(&schedule, stages, count, limit, poisson);
    return schedule;
}

static void reads_stages(void **state)
{
    (void)state;
    struct load_stage stages[SCHEDULE_MAX_STAGES];
    struct error err = {0};
    assert_int_equal(schedule_parse_stages("10s@1000,500ms@0.5,1m@5000", stages, &err), 3);
    assert_int_equal(stages[0].duration_ns, 10 * SECOND);
    assert_float_equal(stages[0].rate, 1000, 0);
    assert_int_equal(stages[1].duration_ns, 500 * MS);
    assert_float_equal(stages[1].rate, 0.5, 0);
    assert_int_equal(stages[2].duration_ns, 60 * SECOND);
}

static void refuses_what_is_no_stage(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"",        "10s",     "@100",    "10s@",         "10s@x",
                                        "x@10",    "10s@-1",  "0s@10",   "-1s@10",       "10s@nan",
                                        "10s@inf", "10s@10,", ",10s@10", "10s@10;5s@10", "10s @10"};
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct load_stage stages[SCHEDULE_MAX_STAGES];
        struct error err = {0};
        assert_int_equal(schedule_parse_stages(WRONG[i], stages, &err), -EINVAL);
        assert_non_null(strstr(err.message, "write DURATION@RATE"));
    }
    char many[SCHEDULE_MAX_STAGES * 5 + 6];
    for (unsigned i = 0; i <= SCHEDULE_MAX_STAGES; i++)
        memcpy(many + 5 * i, "1s@1,", 5);
    many[sizeof(many) - 2] = '\0';
    struct load_stage stages[SCHEDULE_MAX_STAGES];
    assert_int_equal(schedule_parse_stages(many, stages, NULL), -E2BIG);
}

static void arrivals_are_evenly_spaced(void **state)
{
    (void)state;
    const struct load_stage stage = {.duration_ns = 10 * SECOND, .rate = 3000};
    struct schedule schedule = schedule_of(&stage, 1, 0, false);
    struct arrivals arrivals;
    arrivals_init(&arrivals, &schedule, 0, 1, SEED);
    assert_int_equal(schedule.count, 30000);
    for (int64_t i = 0; i < 30000; i++)
        assert_int_equal(arrivals_next_ns(&arrivals), (i * SECOND + 1500) / 3000);
    assert_int_equal(arrivals_next_ns(&arrivals), SCHEDULE_NEVER);
    assert_int_equal(arrivals_next_ns(&arrivals), SCHEDULE_NEVER);
    assert_int_equal(schedule_length_ns(&schedule), 10 * SECOND);
}

static void stages_change_the_rate(void **state)
{
    (void)state;
    const struct load_stage stages[] = {
        {.duration_ns = SECOND, .rate = 10}, {.duration_ns = SECOND, .rate = 0}, {.duration_ns = SECOND, .rate = 100}};
    struct schedule schedule = schedule_of(stages, 3, 0, false);
    struct arrivals arrivals;
    arrivals_init(&arrivals, &schedule, 0, 1, SEED);
    assert_int_equal(schedule.count, 110);
    for (int64_t i = 0; i < 10; i++)
        assert_int_equal(arrivals_next_ns(&arrivals), i * 100 * MS);
    for (int64_t i = 0; i < 100; i++)
        assert_int_equal(arrivals_next_ns(&arrivals), 2 * SECOND + i * 10 * MS);
    assert_int_equal(arrivals_next_ns(&arrivals), SCHEDULE_NEVER);
    assert_int_equal(schedule_length_ns(&schedule), 3 * SECOND);
}

static void the_first_limit_ends_it(void **state)
{
    (void)state;
    const struct load_stage bounded = {.duration_ns = 10 * SECOND, .rate = 100}, endless = {.rate = 100};
    struct schedule by_count = schedule_of(&bounded, 1, 300, false);
    struct schedule by_time = schedule_of(&bounded, 1, 5000, false);
    struct schedule without_end = schedule_of(&endless, 1, 300, false);
    assert_int_equal(by_count.count, 300);
    assert_int_equal(schedule_length_ns(&by_count), 3 * SECOND);
    assert_int_equal(by_time.count, 1000);
    assert_int_equal(schedule_length_ns(&by_time), 10 * SECOND);
    assert_int_equal(without_end.count, 300);
    assert_int_equal(schedule_length_ns(&without_end), 3 * SECOND);
}

/* Together the slots have every instant of the whole, and each the same number or one less. */
static void slots_share_the_arrivals(void **state)
{
    (void)state;
    const struct load_stage stage = {.duration_ns = SECOND, .rate = 1003};
    struct schedule schedule = schedule_of(&stage, 1, 0, false);
    for (uint64_t slots = 1; slots <= 7; slots++) {
        struct arrivals arrivals[7];
        for (uint64_t slot = 0; slot < slots; slot++) {
            arrivals_init(&arrivals[slot], &schedule, slot, slots, SEED);
            assert_in_range(arrivals[slot].left, 1003 / slots, 1003 / slots + 1);
        }
        for (uint64_t i = 0; i < 1003; i++)
            assert_int_equal(arrivals_next_ns(&arrivals[i % slots]), schedule_instant_ns(&schedule, (double)i));
        for (uint64_t slot = 0; slot < slots; slot++)
            assert_int_equal(arrivals_next_ns(&arrivals[slot]), SCHEDULE_NEVER);
    }
}

static void more_slots_than_arrivals(void **state)
{
    (void)state;
    const struct load_stage stage = {.duration_ns = SECOND, .rate = 2};
    struct schedule schedule = schedule_of(&stage, 1, 0, false);
    struct arrivals last, beyond;
    arrivals_init(&last, &schedule, 1, 5, SEED);
    arrivals_init(&beyond, &schedule, 2, 5, SEED);
    assert_int_equal(last.left, 1);
    assert_int_equal(arrivals_next_ns(&beyond), SCHEDULE_NEVER);
}

/* Exponential gaps have a standard deviation as large as their mean; the share of gaps above the mean is 1/e. */
static void poisson_is_poisson(void **state)
{
    (void)state;
    const struct load_stage stage = {.duration_ns = 100 * SECOND, .rate = 1000};
    struct schedule schedule = schedule_of(&stage, 1, 0, true);
    struct arrivals arrivals;
    double sum = 0, squares = 0;
    int64_t last = 0, above = 0, count = 0, now;
    arrivals_init(&arrivals, &schedule, 0, 1, SEED);
    for (; (now = arrivals_next_ns(&arrivals)) != SCHEDULE_NEVER; count++, last = now) {
        double gap = (double)(now - last) / (double)MS;
        assert_true(now >= last);
        sum += gap;
        squares += gap * gap;
        above += gap > 1;
    }
    double mean = sum / (double)count;
    double deviation = sqrt(squares / (double)count - mean * mean);
    assert_int_equal(count, 100000);
    assert_true(last <= 100 * SECOND);
    assert_true(fabs(mean - 1) < 0.01);
    assert_true(fabs(deviation - 1) < 0.02);
    assert_true(fabs((double)above / (double)count - exp(-1)) < 0.01);
}

static void poisson_follows_the_stages(void **state)
{
    (void)state;
    const struct load_stage stages[] = {{.duration_ns = 10 * SECOND, .rate = 100},
                                        {.duration_ns = 10 * SECOND, .rate = 900}};
    struct schedule schedule = schedule_of(stages, 2, 0, true);
    struct arrivals arrivals;
    unsigned first = 0, second = 0;
    arrivals_init(&arrivals, &schedule, 0, 1, SEED);
    for (int64_t now; (now = arrivals_next_ns(&arrivals)) != SCHEDULE_NEVER;)
        *(now < 10 * SECOND ? &first : &second) += 1;
    assert_int_equal(first + second, 10000);
    assert_in_range(first, 850, 1150); /* five standard deviations */
}

static void poisson_slots_differ_and_seeds_repeat(void **state)
{
    (void)state;
    const struct load_stage stage = {.duration_ns = SECOND, .rate = 100};
    struct schedule schedule = schedule_of(&stage, 1, 0, true);
    struct arrivals a, same, other_slot, other_seed;
    unsigned as_other_slot = 0, as_other_seed = 0;
    arrivals_init(&a, &schedule, 0, 2, SEED);
    arrivals_init(&same, &schedule, 0, 2, SEED);
    arrivals_init(&other_slot, &schedule, 1, 2, SEED);
    arrivals_init(&other_seed, &schedule, 0, 2, SEED + 1);
    for (int i = 0; i < 50; i++) {
        int64_t at = arrivals_next_ns(&a);
        assert_int_equal(at, arrivals_next_ns(&same));
        as_other_slot += at == arrivals_next_ns(&other_slot);
        as_other_seed += at == arrivals_next_ns(&other_seed);
    }
    assert_int_equal(as_other_slot + as_other_seed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_stages),
        cmocka_unit_test(refuses_what_is_no_stage),
        cmocka_unit_test(arrivals_are_evenly_spaced),
        cmocka_unit_test(stages_change_the_rate),
        cmocka_unit_test(the_first_limit_ends_it),
        cmocka_unit_test(slots_share_the_arrivals),
        cmocka_unit_test(more_slots_than_arrivals),
        cmocka_unit_test(poisson_is_poisson),
        cmocka_unit_test(poisson_follows_the_stages),
        cmocka_unit_test(poisson_slots_differ_and_seeds_repeat),
    };
    return cmocka_run_group_tests_name("load schedule", tests, NULL, NULL);
}
