/*
 * Two runs compared: what is noise and what is not, plans that differ, reports that are none.
 */
#include "supervisor/load/compare.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/load/noise.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cjson/cJSON.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- statistics --- */

static void test_rank_score(void **state)
{
    (void)state;
    double low[] = {1, 2, 3, 4, 5}, high[] = {6, 7, 8, 9, 10}, same[] = {3, 3, 3, 3, 3}, mixed[] = {10, 1, 8, 3, 6};
    double even[] = {2, 9, 4, 7, 5};

    /* U = 25 of 25, mean 12.5, deviation sqrt(25 · 11 / 12) */
    assert_true(fabs(noise_rank_score(low, 5, high, 5) - 12.5 / sqrt(25.0 * 11 / 12)) < 1e-9);
    assert_true(fabs(noise_rank_score(high, 5, low, 5) + 12.5 / sqrt(25.0 * 11 / 12)) < 1e-9);
    assert_true(noise_rank_score(low, 5, high, 5) > NOISE_SCORE);
    assert_true(fabs(noise_rank_score(mixed, 5, even, 5)) < 0.5);
    double also_same[] = {3, 3, 3};
    assert_true(noise_rank_score(same, 5, also_same, 3) == 0);
    /* ties: U = 2 + 0.5 of 4; variance 4/12 · (5 − 6/12) */
    double a[] = {1, 2}, b[] = {2, 3};
    assert_true(fabs(noise_rank_score(a, 2, b, 2) - 1.5 / sqrt(4.0 / 12 * (5 - 6.0 / 12))) < 1e-9);
    assert_true(noise_rank_score(a, 0, b, 0) == 0);
}

static void test_share_score(void **state)
{
    (void)state;
    assert_true(noise_share_score(0, 1000, 0, 1000) == 0);
    assert_true(noise_share_score(0, 0, 5, 10) == 0);
    assert_true(noise_share_score(10, 1000, 12, 1000) < NOISE_SCORE);
    assert_true(noise_share_score(10, 1000, 60, 1000) > NOISE_SCORE);
    assert_true(noise_share_score(60, 1000, 10, 1000) < -NOISE_SCORE);
}

static void test_thinning(void **state)
{
    (void)state;
    double values[95];

    for (size_t i = 0; i < 95; i++)
        values[i] = (double)i;
    assert_int_equal(noise_thin(values, NOISE_PIECES), NOISE_PIECES);
    assert_true(values[7] == 7);
    assert_int_equal(noise_thin(values, 95), 23); /* of 4 each; the rest makes no piece */
    assert_true(values[0] == 1.5 && values[22] == 89.5);
    assert_int_equal(noise_thin(values, 0), 0);
}

/* --- reports --- */

struct run {
    double rate, p50, p99; /* of the whole; its seconds lie around them */
    unsigned seconds, failed;
    const char *path, *ended_by, *saturated_why;
};

static const struct run USUAL = {.rate = 1000, .p50 = 100, .p99 = 400, .seconds = 11, .path = "/", .ended_by = "time"};

/* Seconds are up to 2 % off, in a pattern that differs by `seed`; the last one is a part, and far off. */
static cJSON *report_of(const struct run *run, unsigned seed)
{
    struct buffer out = BUFFER_EMPTY;

    buffer_printf(&out,
                  "{\"plan\":{\"path\":\"%s\",\"model\":\"closed\"},\"result\":{\"achieved_rate\":%.2f,\"requests\":%u,"
                  "\"dropped\":0,\"failed\":%u,\"ended_by\":\"%s\",\"latency\":{\"p50_us\":%.2f,\"p90_us\":200,"
                  "\"p99_us\":%.2f,\"p99_9_us\":900,\"max_us\":1000},\"service_time\":{\"p99_us\":%.2f},",
                  run->path, run->rate, (unsigned)run->rate * run->seconds, run->failed, run->ended_by, run->p50,
                  run->p99, run->p99);
    if (run->saturated_why != NULL)
        buffer_printf(&out, "\"engine\":{\"saturated_why\":\"%s\"},", run->saturated_why);
    buffer_printf(&out, "\"series\":[");
    for (unsigned i = 0; i < run->seconds; i++) {
        double off = i + 1 == run->seconds ? 0.1 : 0.98 + 0.01 * ((i * 7 + seed * 3) % 5);
        buffer_printf(&out,
                      "%s{\"answered\":%.0f,\"p50_us\":%.2f,\"p90_us\":200,\"p99_us\":%.2f,\"service_p99_us\":%.2f}",
                      i > 0 ? "," : "", run->rate * off, run->p50 * off, run->p99 * off, run->p99 * off);
    }
    buffer_printf(&out, "]}}");
    cJSON *report = cJSON_Parse(out.data);
    assert_non_null(report);
    buffer_done(&out);
    return report;
}

static cJSON *compared(const struct run *a, const struct run *b)
{
    cJSON *left = report_of(a, 1), *right = report_of(b, 2);
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct error err = {0};

    assert_int_equal(load_compare(left, right, &w, &err), 0);
    cJSON *comparison = cJSON_Parse(out.data);
    assert_non_null(comparison);
    buffer_done(&out);
    cJSON_Delete(left);
    cJSON_Delete(right);
    return comparison;
}

static const char *text(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static const cJSON *metric(const cJSON *comparison, const char *name)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, cJSON_GetObjectItemCaseSensitive(comparison, "metrics"))
    {
        if (strcmp(text(entry, "metric"), name) == 0)
            return entry;
    }
    fail_msg("no metric %s", name);
    return NULL;
}

static void expect(const struct run *a, const struct run *b, const char *name, const char *of_it, const char *of_all)
{
    cJSON *comparison = compared(a, b);

    assert_string_equal(text(metric(comparison, name), "verdict"), of_it);
    assert_string_equal(text(comparison, "verdict"), of_all);
    cJSON_Delete(comparison);
}

static void test_the_same_is_noise(void **state)
{
    (void)state;
    cJSON *comparison = compared(&USUAL, &USUAL);

    assert_string_equal(text(comparison, "verdict"), "noise");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(comparison, "plan_changes")), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(comparison, "cautions")), 0);
    /* no second has it */
    assert_string_equal(text(metric(comparison, "latency_max_us"), "verdict"), "unknown");
    cJSON_Delete(comparison);
}

static void test_changes_are_told_from_noise(void **state)
{
    (void)state;
    struct run other = USUAL;

    other.p50 = 120;
    expect(&USUAL, &other, "latency_p50_us", "worse", "worse");
    expect(&other, &USUAL, "latency_p50_us", "better", "better");
    other.rate = 1200;
    expect(&USUAL, &other, "achieved_rate", "better", "mixed");
    other = USUAL;
    other.p50 = 104; /* surely another, and too little to matter */
    expect(&USUAL, &other, "latency_p50_us", "noise", "noise");
    other.p50 = 100;
    other.p99 = 430;
    expect(&USUAL, &other, "latency_p99_us", "noise", "noise");
    other.p99 = 460;
    expect(&USUAL, &other, "latency_p99_us", "worse", "worse");
}

static void test_change_in_percent(void **state)
{
    (void)state;
    struct run other = USUAL;

    other.p99 = 500;
    cJSON *comparison = compared(&USUAL, &other);
    const cJSON *entry = metric(comparison, "latency_p99_us");
    assert_true(cJSON_GetObjectItemCaseSensitive(entry, "a")->valuedouble == 400);
    assert_true(cJSON_GetObjectItemCaseSensitive(entry, "b")->valuedouble == 500);
    assert_true(cJSON_GetObjectItemCaseSensitive(entry, "change_percent")->valuedouble == 25);
    cJSON_Delete(comparison);
}

static void test_failures(void **state)
{
    (void)state;
    struct run other = USUAL;

    other.failed = 2;
    expect(&USUAL, &other, "failed_percent", "noise", "noise");
    other.failed = 50;
    expect(&USUAL, &other, "failed_percent", "worse", "worse");
    expect(&other, &USUAL, "failed_percent", "better", "better");
}

static void test_too_little_to_tell(void **state)
{
    (void)state;
    struct run a = USUAL, b = USUAL;

    a.seconds = b.seconds = 5; /* four whole ones */
    b.p50 = 1000;
    cJSON *comparison = compared(&a, &b);
    assert_string_equal(text(metric(comparison, "latency_p50_us"), "verdict"), "unknown");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(comparison, "cautions")), 1);
    cJSON_Delete(comparison);
    a.seconds = b.seconds = 6;
    expect(&a, &b, "latency_p50_us", "worse", "worse");
    a.seconds = b.seconds = 0;
    expect(&a, &b, "failed_percent", "unknown", "unknown");
}

static void test_plans_and_cautions(void **state)
{
    (void)state;
    struct run other = USUAL;

    other.path = "/data/1";
    other.ended_by = "stopped";
    other.saturated_why = "one thread";
    cJSON *comparison = compared(&USUAL, &other);
    const cJSON *changes = cJSON_GetObjectItemCaseSensitive(comparison, "plan_changes");
    assert_int_equal(cJSON_GetArraySize(changes), 1);
    assert_string_equal(text(cJSON_GetArrayItem(changes, 0), "field"), "path");
    assert_string_equal(text(cJSON_GetArrayItem(changes, 0), "a"), "/");
    assert_string_equal(text(cJSON_GetArrayItem(changes, 0), "b"), "/data/1");
    const cJSON *cautions = cJSON_GetObjectItemCaseSensitive(comparison, "cautions");
    assert_int_equal(cJSON_GetArraySize(cautions), 3);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(cautions, 1)),
                        "b: the client was the limit: one thread");
    cJSON_Delete(comparison);
}

static void test_reports_that_are_none(void **state)
{
    (void)state;
    static const char *const NONE[] = {
        "1", "[]", "{}", "{\"plan\":{}}", "{\"plan\":{},\"result\":null}", "{\"plan\":[],\"result\":{}}"};
    cJSON *fine = report_of(&USUAL, 1);

    for (size_t i = 0; i < ARRAY_SIZE(NONE); i++) {
        struct buffer out = BUFFER_EMPTY;
        struct json_writer w = json_writer_to(&out);
        struct error err = {0};
        cJSON *none = cJSON_Parse(NONE[i]);
        assert_int_equal(load_compare(fine, none, &w, &err), -EINVAL);
        assert_int_equal(err.message[0], 'b');
        assert_int_equal(load_compare(none, fine, &w, &err), -EINVAL);
        assert_int_equal(err.message[0], 'a');
        assert_int_equal(out.length, 0);
        cJSON_Delete(none);
    }
    cJSON_Delete(fine);
}

/* Whatever a file may hold: nothing but a verdict that says that there is nothing to tell. */
static void test_reports_without_figures(void **state)
{
    (void)state;
    cJSON *empty = cJSON_Parse("{\"plan\":{},\"result\":{\"series\":[1,null,{\"p50_us\":\"x\"}],\"failed\":-1}}");
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);
    struct error err = {0};

    assert_int_equal(load_compare(empty, empty, &w, &err), 0);
    cJSON *comparison = cJSON_Parse(out.data);
    assert_string_equal(text(comparison, "verdict"), "unknown");
    assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(metric(comparison, "latency_p50_us"), "a")));
    cJSON_Delete(comparison);
    cJSON_Delete(empty);
    buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rank_score),
        cmocka_unit_test(test_share_score),
        cmocka_unit_test(test_thinning),
        cmocka_unit_test(test_the_same_is_noise),
        cmocka_unit_test(test_changes_are_told_from_noise),
        cmocka_unit_test(test_change_in_percent),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_too_little_to_tell),
        cmocka_unit_test(test_plans_and_cautions),
        cmocka_unit_test(test_reports_that_are_none),
        cmocka_unit_test(test_reports_without_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
