/* core/buffer: growth, termination, hand-over. */
#include "core/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void appends_and_terminates(void **state)
{
    (void)state;
    struct buffer buf = BUFFER_EMPTY;
    buffer_append_text(&buf, "farm");
    buffer_append_char(&buf, 'd');
    buffer_append(&buf, "\0x", 2);
    assert_int_equal(buf.length, 7);
    assert_memory_equal(buf.data, "farmd\0x", 8);
    buffer_done(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.capacity, 0);
}

static void appending_nothing_terminates(void **state)
{
    (void)state;
    struct buffer buf = BUFFER_EMPTY;
    buffer_append(&buf, NULL, 0);
    assert_int_equal(buf.length, 0);
    assert_string_equal(buf.data, "");
    buffer_done(&buf);
}

static void grows_byte_by_byte(void **state)
{
    (void)state;
    struct buffer buf = BUFFER_EMPTY;
    for (int i = 0; i < 5000; i++) {
        buffer_append_char(&buf, (char)('a' + i % 26));
        assert_true(buf.capacity > buf.length);
        assert_int_equal(buf.data[buf.length], 0);
    }
    for (int i = 0; i < 5000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    buffer_done(&buf);
}

static void prints_what_does_not_fit_at_first(void **state)
{
    (void)state;
    struct buffer buf = BUFFER_EMPTY;
    buffer_append_text(&buf, "x");
    for (int width = 1; width < 700; width += 53) {
        size_t before = buf.length;
        buffer_printf(&buf, "%*d", width, 7);
        assert_int_equal(buf.length, before + (size_t)width);
        assert_int_equal(buf.data[buf.length - 1], '7');
        assert_int_equal(buf.data[buf.length], 0);
    }
    buffer_done(&buf);
}

static void clears_and_keeps_memory(void **state)
{
    (void)state;
    struct buffer buf = BUFFER_EMPTY;
    buffer_clear(&buf);
    buffer_append_text(&buf, "old");
    size_t capacity = buf.capacity;
    buffer_clear(&buf);
    assert_string_equal(buf.data, "");
    assert_int_equal(buf.length, 0);
    assert_int_equal(buf.capacity, capacity);
    buffer_done(&buf);
}

static void refuses_the_impossible(void **state)
{
    (void)state;
    struct buffer buf = BUFFER_EMPTY;
    buffer_append_text(&buf, "kept");
    assert_false(buffer_try_reserve(&buf, SIZE_MAX));
    assert_false(buffer_try_reserve(&buf, SIZE_MAX / 2));
    assert_string_equal(buf.data, "kept");
    assert_true(buffer_try_reserve(&buf, 1000));
    assert_true(buf.capacity >= 1005);
    buffer_done(&buf);
}

static void detaches(void **state)
{
    (void)state;
    struct buffer buf = BUFFER_EMPTY;
    char *empty = buffer_detach(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buffer_append_text(&buf, "mine");
    char *text = buffer_detach(&buf);
    assert_string_equal(text, "mine");
    assert_null(buf.data);
    assert_int_equal(buf.length, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_terminates),
        cmocka_unit_test(appending_nothing_terminates),
        cmocka_unit_test(grows_byte_by_byte),
        cmocka_unit_test(prints_what_does_not_fit_at_first),
        cmocka_unit_test(clears_and_keeps_memory),
        cmocka_unit_test(refuses_the_impossible),
        cmocka_unit_test(detaches),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
