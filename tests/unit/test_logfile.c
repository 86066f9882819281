/*
 * Logs: their bound on disk, reading by offset across the head that is gone, the last lines.
 */
#include "supervisor/farm/logfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_LENGTH 64 /* of the lines that write_lines makes */

static char path[64];
static struct buffer out;
static struct logfile_part part;
static struct error err;

static int begin(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/farmd-log-XXXXXX");
    int fd = mkstemp(path);
    close(fd);
    out = BUFFER_EMPTY;
    return fd < 0;
}

static int end(void **state)
{
    (void)state;
    buffer_done(&out);
    return unlink(path) < 0 && errno != ENOENT;
}

static void append(const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* Lines "line 0000001 …" of LINE_LENGTH bytes each. */
static void write_lines(unsigned first, unsigned count)
{
    FILE *file = fopen(path, "ae");
    assert_non_null(file);
    for (unsigned i = first; i < first + count; i++)
        fprintf(file, "line %08u %*s\n", i, LINE_LENGTH - 15, "");
    assert_int_equal(fclose(file), 0);
}

static int64_t bytes_on_disk(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (int64_t)st.st_blocks * 512;
}

static int64_t file_size(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void test_read_by_offset(void **state)
{
    (void)state;
    append("one\ntwo\nthr");
    assert_int_equal(logfile_read(path, 0, 1000, &out, &part, &err), 0);
    assert_string_equal(out.data, "one\ntwo\n"); /* the third is still being written */
    assert_int_equal(part.start, 0);
    assert_int_equal(part.end, 8);
    append("ee\nfour\n");
    buffer_clear(&out);
    assert_int_equal(logfile_read(path, part.end, 1000, &out, &part, &err), 0);
    assert_string_equal(out.data, "three\nfour\n");
    assert_int_equal(part.start, 8);
    buffer_clear(&out);
    assert_int_equal(logfile_read(path, part.end, 1000, &out, &part, &err), 0);
    assert_int_equal(out.length, 0);
    assert_int_equal(part.end, 19);
}

static void test_read_is_bounded(void **state)
{
    (void)state;
    append("one\ntwo\nthree\n");
    assert_int_equal(logfile_read(path, 0, 10, &out, &part, &err), 0);
    assert_string_equal(out.data, "one\ntwo\n");
    assert_int_equal(part.end, 8);
    /* A line that is longer than what is asked for comes in pieces. */
    buffer_clear(&out);
    assert_int_equal(logfile_read(path, 8, 3, &out, &part, &err), 0);
    assert_string_equal(out.data, "thr");
    assert_int_equal(part.end, 11);
}

static void test_reading_appends(void **state)
{
    (void)state;
    append("a\nb\n");
    buffer_append_text(&out, "before:");
    assert_int_equal(logfile_read(path, 2, 100, &out, &part, &err), 0);
    assert_string_equal(out.data, "before:b\n");
    assert_int_equal(logfile_tail(path, 1, 100, &out, &part, &err), 0);
    assert_string_equal(out.data, "before:b\nb\n");
}

static void test_tail(void **state)
{
    (void)state;
    append("one\ntwo\nthree");
    assert_int_equal(logfile_tail(path, 2, 1000, &out, &part, &err), 0);
    assert_string_equal(out.data, "two\nthree"); /* what a crashing program said last may have no end of line */
    assert_int_equal(part.start, 4);
    assert_int_equal(part.end, 13);
    buffer_clear(&out);
    assert_int_equal(logfile_tail(path, 50, 1000, &out, &part, &err), 0);
    assert_string_equal(out.data, "one\ntwo\nthree");
    buffer_clear(&out);
    assert_int_equal(logfile_tail(path, 50, 7, &out, &part, &err), 0);
    assert_string_equal(out.data, "three");
    buffer_clear(&out);
    assert_int_equal(logfile_tail(path, 0, 1000, &out, &part, &err), 0);
    assert_int_equal(out.length, 0);
    assert_int_equal(part.end, 13);
}

static void test_no_file_is_an_empty_log(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(logfile_trim(path, NULL, &err), 0);
    assert_int_equal(logfile_tail(path, 10, 1000, &out, &part, &err), 0);
    assert_int_equal(logfile_read(path, 77, 1000, &out, &part, &err), 0);
    assert_int_equal(out.length, 0);
    assert_int_equal(part.end, 0);
}

static void test_a_small_log_stays(void **state)
{
    (void)state;
    write_lines(0, LOGFILE_KEEP / LINE_LENGTH);
    int64_t before = bytes_on_disk();
    assert_int_equal(logfile_trim(path, NULL, &err), 0);
    assert_int_equal(bytes_on_disk(), before);
}

static void test_the_head_goes_and_offsets_stay(void **state)
{
    (void)state;
    unsigned lines = 5 * LOGFILE_KEEP / LINE_LENGTH;
    write_lines(0, lines);
    int64_t size = file_size();
    assert_int_equal(logfile_trim(path, NULL, &err), 1);
    assert_int_equal(file_size(), size);
    assert_in_range(bytes_on_disk(), LOGFILE_KEEP / 2, LOGFILE_KEEP);

    /* The oldest there is begins with a whole line. */
    assert_int_equal(logfile_read(path, 0, 10 * LINE_LENGTH, &out, &part, &err), 0);
    assert_true(part.first >= size - LOGFILE_KEEP);
    assert_true(part.start >= part.first);
    assert_memory_equal(out.data, "line ", 5);
    assert_int_equal(strtoul(out.data + 5, NULL, 10), part.start / LINE_LENGTH);

    /* And an offset from before goes on where it was. */
    buffer_clear(&out);
    int64_t from = size - 2 * LINE_LENGTH;
    assert_int_equal(logfile_read(path, from, 1000, &out, &part, &err), 0);
    assert_int_equal(out.length, 2 * LINE_LENGTH);
    assert_int_equal(strtoul(out.data + 5, NULL, 10), lines - 2);

    write_lines(lines, lines);
    assert_int_equal(logfile_trim(path, NULL, &err), 1);
    assert_true(bytes_on_disk() <= LOGFILE_KEEP);
}

static void test_tail_of_more_than_there_is_left(void **state)
{
    (void)state;
    unsigned lines = 2 * LOGFILE_KEEP / LINE_LENGTH;
    write_lines(0, lines);
    assert_int_equal(logfile_trim(path, NULL, &err), 1);
    assert_int_equal(logfile_tail(path, lines, 100 << 20, &out, &part, &err), 0);
    assert_memory_equal(out.data, "line ", 5); /* not the NULs of the hole, nor the rest of a line */
    assert_int_equal(out.length % LINE_LENGTH, 0);
    assert_null(memchr(out.data, '\0', out.length));
}

static void test_copying_down_where_nothing_can_be_punched(void **state)
{
    (void)state;
    unsigned lines = 2 * LOGFILE_KEEP / LINE_LENGTH;
    write_lines(0, lines);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(logfile_copy_down(fd, file_size(), &err), 1);
    close(fd);
    assert_in_range(file_size(), LOGFILE_KEEP / 4, LOGFILE_KEEP);
    assert_int_equal(logfile_tail(path, 1, 1000, &out, &part, &err), 0);
    assert_int_equal(strtoul(out.data + 5, NULL, 10), lines - 1);
    /* A reader that still has an old offset begins at what is there. */
    buffer_clear(&out);
    assert_int_equal(logfile_read(path, (int64_t)lines * LINE_LENGTH, 1000, &out, &part, &err), 0);
    assert_int_equal(part.start, 0);
    assert_memory_equal(out.data, "line ", 5);
}

static void test_a_program_that_makes_its_log_sparse(void **state)
{
    (void)state;
    append("first\n");
    assert_int_equal(truncate(path, INT64_C(1) << 40), 0);
    append("last\n");
    assert_int_equal(logfile_trim(path, NULL, &err), 0); /* hardly any of it is on the disk */
    assert_int_equal(logfile_tail(path, 10, 1 << 20, &out, &part, &err), 0);
    assert_true(out.length <= 1 << 20);
    assert_non_null(memmem(out.data, out.length, "last\n", 5));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_read_by_offset),
        TEST(test_read_is_bounded),
        TEST(test_reading_appends),
        TEST(test_tail),
        TEST(test_no_file_is_an_empty_log),
        TEST(test_a_small_log_stays),
        TEST(test_the_head_goes_and_offsets_stay),
        TEST(test_tail_of_more_than_there_is_left),
        TEST(test_copying_down_where_nothing_can_be_punched),
        TEST(test_a_program_that_makes_its_log_sparse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
