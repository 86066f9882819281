/* farm/log_marks: when a log was written, in bounded memory. */
#include "supervisor/farm/log_marks.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>

static void add(struct log_marks *marks, int64_t offset, double seconds)
{
    log_marks_add(marks, (struct log_mark){.offset = offset, .at_us = (int64_t)(seconds * (double)US_PER_SECOND)});
}

static void assert_time(const struct log_marks *marks, int64_t offset, double seconds)
{
    assert_true(log_marks_time(marks, offset, -1) == (int64_t)(seconds * (double)US_PER_SECOND));
}

static void tells_the_time_of_each_part(void **state)
{
    (void)state;
    struct log_marks marks = {0};
    assert_int_equal(log_marks_time(&marks, 10, 77), 77);
    add(&marks, 100, 10);
    add(&marks, 200, 11);
    add(&marks, 200, 99); /* nothing new */
    add(&marks, 350, 20);
    assert_time(&marks, 1, 10);
    assert_time(&marks, 100, 10);
    assert_time(&marks, 101, 11);
    assert_time(&marks, 350, 20);
    assert_int_equal(log_marks_time(&marks, 351, 77), 77);
    log_marks_done(&marks);
}

static void needs_no_more_than_one_a_second(void **state)
{
    (void)state;
    struct log_marks marks = {0};
    for (int i = 1; i <= 50; i++)
        add(&marks, i, 10 + i * 0.05);
    assert_true(marks.count <= 5);
    assert_time(&marks, 50, 12.5);
    log_marks_done(&marks);
}

static void begins_anew_with_the_file(void **state)
{
    (void)state;
    struct log_marks marks = {0};
    add(&marks, 1000, 10);
    add(&marks, 20, 15);
    assert_int_equal(marks.count, 1);
    assert_time(&marks, 20, 15);
    add(&marks, 0, 16);
    add(&marks, 5, 17);
    assert_time(&marks, 5, 17);
    log_marks_done(&marks);
}

static void becomes_coarser_with_age(void **state)
{
    (void)state;
    struct log_marks marks = {0};
    for (int i = 1; i <= 10000; i++)
        add(&marks, i, i);
    assert_true(marks.count <= LOG_MARKS_MAX);
    assert_time(&marks, 10000, 10000);
    assert_time(&marks, 9990, 9990);
    /* What is old has a time that is too late, never one that is too early. */
    for (int64_t offset = 1; offset < 10000; offset += 97)
        assert_true(log_marks_time(&marks, offset, 0) >= offset * US_PER_SECOND);
    log_marks_done(&marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_the_time_of_each_part),
        cmocka_unit_test(needs_no_more_than_one_a_second),
        cmocka_unit_test(begins_anew_with_the_file),
        cmocka_unit_test(becomes_coarser_with_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
