/* http/sse: events written, and read out of pieces of any size. */
#include "http/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buffer seen; /* id/name/data and a newline for each */
static int stop_after;

static bool on_event(const struct sse_event *event, void *data)
{
    (void)data;
    assert_int_equal(strlen(event->data), event->length);
    buffer_printf(&seen, "%s/%s/%s\n", event->id, event->name, event->data);
    return --stop_after != 0;
}

static int reset(void **state)
{
    (void)state;
    buffer_clear(&seen);
    buffer_append_text(&seen, "");
    stop_after = 1000;
    return 0;
}

static void assert_reads(const char *text, const char *events)
{
    size_t length = strlen(text);
    for (size_t piece = 1; piece <= length + 1; piece++) {
        struct sse_reader reader = SSE_READER_EMPTY;
        reset(NULL);
        for (size_t at = 0; at < length; at += piece)
            assert_true(sse_read(&reader, text + at, length - at < piece ? length - at : piece, on_event, NULL));
        if (strcmp(seen.data, events) != 0)
            fail_msg("in pieces of %zu:\n%s", piece, seen.data);
        sse_reader_done(&reader);
    }
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    struct buffer out = BUFFER_EMPTY;
    sse_write(&out, "7", "lines", "{\"a\":1}", 7);
    sse_write_comment(&out);
    sse_write(&out, NULL, NULL, "two\nlines\n", 10);
    assert_string_equal(out.data, "id: 7\nevent: lines\ndata: {\"a\":1}\n\n:\n\ndata: two\ndata: lines\ndata: \n\n");
    assert_reads(out.data, "7/lines/{\"a\":1}\n7/message/two\nlines\n\n");
    buffer_done(&out);
}

static void reads_every_line_end(void **state)
{
    (void)state;
    assert_reads("data: a\r\rdata: b\r\n\r\ndata: c\n\n", "/message/a\n/message/b\n/message/c\n");
}

static void reads_by_the_standard(void **state)
{
    (void)state;
    assert_reads("data\n\n", "/message/\n");
    assert_reads("data:x\ndata:  y\n\n", "/message/x\n y\n");
    assert_reads("event: named\n\ndata: plain\n\n", "/message/plain\n");
    assert_reads("id: 1\n\ndata: x\n\n", "1/message/x\n");
    assert_reads(": comment\nretry: 5\ncolour: red\ndata: x\n\n", "/message/x\n");
    assert_reads("data: never ended\n", "");
}

static void stops_when_told(void **state)
{
    (void)state;
    struct sse_reader reader = SSE_READER_EMPTY;
    stop_after = 2;
    static const char text[] = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
    assert_false(sse_read(&reader, text, sizeof(text) - 1, on_event, NULL));
    assert_string_equal(seen.data, "/message/1\n/message/2\n");
    sse_reader_done(&reader);
}

static void drops_what_is_too_large(void **state)
{
    (void)state;
    struct sse_reader reader = SSE_READER_EMPTY;
    char *chunk = malloc(1 << 20);
    memset(chunk, 'x', 1 << 20);
    assert_true(sse_read(&reader, "data: ", 6, on_event, NULL));
    for (int i = 0; i < 40; i++)
        assert_true(sse_read(&reader, chunk, 1 << 20, on_event, NULL));
    assert_true(reader.line.capacity < SSE_EVENT_MAX * 2 + 64);
    assert_true(sse_read(&reader, "\n\ndata: next\n\n", 14, on_event, NULL));
    assert_string_equal(seen.data, "/message/next\n");
    sse_reader_done(&reader);
    free(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(writes_what_it_reads, reset),    cmocka_unit_test_setup(reads_every_line_end, reset),
        cmocka_unit_test_setup(reads_by_the_standard, reset),   cmocka_unit_test_setup(stops_when_told, reset),
        cmocka_unit_test_setup(drops_what_is_too_large, reset),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buffer_done(&seen);
    return failed;
}
