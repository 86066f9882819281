/* supervisor/cli/top: what is typed as limits or as a load test. */
#include "core/memory.h"
#include "supervisor/cli/top/wish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef int wish_fn(const char *text, struct json_writer *w, struct error *err);

static void assert_wish(wish_fn *wish, const char *text, const char *json)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct error err;
    json_begin_object(&w);
    if (wish(text, &w, &err) < 0)
        fail_msg("\"%s\": %s", text, err.message);
    json_end_object(&w);
    assert_string_equal(out.data, json);
    buffer_done(&out);
}

static void assert_refused(wish_fn *wish, const char *text, const char *message)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct error err;
    json_begin_object(&w);
    assert_true(wish(text, &w, &err) < 0);
    assert_non_null(strstr(err.message, message));
    buffer_done(&out);
}

static void reads_limits(void **state)
{
    (void)state;
    assert_wish(wish_limits, "cpu=0.25", "{\"cpu\":0.25}");
    assert_wish(wish_limits, "  memory=128M  cpu=2 pids=64 ", "{\"memory\":\"128M\",\"cpu\":2,\"pids\":64}");
    assert_wish(wish_limits, "memory=\"x", "{\"memory\":\"\\\"x\"}");
    assert_refused(wish_limits, "", "say what to set, as in cpu=0.25");
    assert_refused(wish_limits, "cpu=x", "cpu=x: write a number");
    assert_refused(wish_limits, "cpu=nan", "write a number");
    assert_refused(wish_limits, "cpu=-1", "write a number");
    assert_refused(wish_limits, "cpus=1",
                   "cpus=1: write cpu=, memory=, cpu_reservation=, memory_reservation= or pids=");
    assert_refused(wish_limits, "cpu", "write cpu=");
    assert_refused(wish_limits, "memory=", "write cpu=");
    assert_refused(wish_limits, "=5", "write cpu=");
}

static void reads_load_tests(void **state)
{
    (void)state;
    assert_wish(wish_load, "", "{}");
    assert_wish(wish_load, "rate=1000 duration=1.5m connections=10",
                "{\"rate\":1000,\"duration\":90,\"connections\":10}");
    assert_wish(wish_load, "path=/data/1 warmup=250ms", "{\"path\":\"/data/1\",\"warmup\":0.25}");
    assert_refused(wish_load, "duration=soon", "duration=soon: write a time");
    assert_refused(wish_load, "rate", "rate: write rate=, duration=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_limits),
        cmocka_unit_test(reads_load_tests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
