/* core/prometheus: the text format's escaping and numbers. */
#include "core/prometheus.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void writes_families(void **state)
{
    (void)state;
    struct buffer out = BUFFER_EMPTY;
    prometheus_family(&out, "farmd_requests_total", "counter", "Requests \"answered\".\nC:\\");
    assert_string_equal(out.data, "# HELP farmd_requests_total Requests \"answered\".\\nC:\\\\\n"
                                  "# TYPE farmd_requests_total counter\n");
    buffer_done(&out);
}

static void writes_labels(void **state)
{
    (void)state;
    struct buffer labels = BUFFER_EMPTY;
    struct buffer out = BUFFER_EMPTY;
    prometheus_label(&labels, "server", "server-1");
    prometheus_label(&labels, "path", "a\"b\\c\nd");
    assert_string_equal(labels.data, "server=\"server-1\",path=\"a\\\"b\\\\c\\nd\"");
    prometheus_sample(&out, "up", labels.data, 1);
    prometheus_sample(&out, "up", NULL, 0);
    prometheus_sample(&out, "up", "", -2);
    assert_string_equal(out.data, "up{server=\"server-1\",path=\"a\\\"b\\\\c\\nd\"} 1\nup 0\nup -2\n");
    buffer_done(&labels);
    buffer_done(&out);
}

static void writes_values(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *expected;
    } cases[] = {
        {0.1, "x 0.1\n"},
        {12.34, "x 12.34\n"},
        {-0.5, "x -0.5\n"},
        {1e9, "x 1000000000\n"},
        {9007199254740991.0, "x 9007199254740991\n"},
        {NAN, "x NaN\n"},
        {INFINITY, "x +Inf\n"},
        {-INFINITY, "x -Inf\n"},
    };
    struct buffer out = BUFFER_EMPTY;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&out);
        prometheus_sample(&out, "x", NULL, cases[i].value);
        assert_string_equal(out.data, cases[i].expected);
    }

    static const double values[] = {1.0 / 3, 1e300, 5e-324, 18446744073709551615.0, 0.1 + 0.2};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        buffer_clear(&out);
        prometheus_sample(&out, "x", NULL, values[i]);
        assert_true(strtod(out.data + 2, NULL) == values[i]); /* nothing is lost */
    }
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_families),
        cmocka_unit_test(writes_labels),
        cmocka_unit_test(writes_values),
    };
    return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}
