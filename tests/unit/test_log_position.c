/*
 * supervisor/runtime/docker/log_position: whatever comes again after a break at any entry, each is taken once.
 */
#include "supervisor/runtime/docker/log_position.h"

#include "core/clock.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

#define MS (NS_PER_SECOND / 1000)

/* Times of a log in the order of its file: alike, out of order, close together and far apart. */
static const int64_t times[] = {
    100 * MS,  100 * MS,  100 * MS,  90 * MS,   101 * MS,  700 * MS,  1400 * MS, 1100 * MS, 1100 * MS,
    1400 * MS, 2600 * MS, 2590 * MS, 2601 * MS, 9000 * MS, 8999 * MS, 9001 * MS, 9001 * MS, 9001 * MS,
};
#define COUNT ARRAY_SIZE(times)

/* The Engine gives what is in the file from a time on; `until` entries of the file are there by now. */
static void follow(struct log_position *position, size_t dropped, size_t until, unsigned taken[COUNT])
{
    int64_t from_ns = log_position_resume(position);

    for (size_t i = dropped; i < until; i++)
        if (times[i] >= from_ns)
            taken[i] += log_position_take(position, times[i]);
}

static void each_is_taken_once_whatever_breaks(void **state)
{
    (void)state;
    for (size_t first = 0; first <= COUNT; first++) {
        for (size_t second = first; second <= COUNT; second++) {
            struct log_position position = log_position_new("abc", 0);
            unsigned taken[COUNT] = {0};

            follow(&position, 0, first, taken);
            follow(&position, 0, second, taken);
            follow(&position, 0, second, taken);
            follow(&position, 0, COUNT, taken);
            for (size_t i = 0; i < COUNT; i++)
                if (taken[i] != 1)
                    fail_msg("entry %zu was taken %u times after breaks at %zu and %zu", i, taken[i], first, second);
        }
    }
}

static void what_is_later_than_all_is_new(void **state)
{
    (void)state;
    struct log_position position = log_position_new("abc", 0);
    unsigned taken[COUNT] = {0};

    follow(&position, 0, 13, taken);
    follow(&position, 12, COUNT, taken); /* the Engine has dropped the rest */
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(taken[i], 1);
}

static void what_is_older_than_the_beginning_is_not_asked_for(void **state)
{
    (void)state;
    struct log_position position = log_position_new("abc", 500 * MS);

    assert_string_equal(position.container, "abc");
    assert_int_equal(log_position_resume(&position), 500 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_taken_once_whatever_breaks),
        cmocka_unit_test(what_is_later_than_all_is_new),
        cmocka_unit_test(what_is_older_than_the_beginning_is_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
