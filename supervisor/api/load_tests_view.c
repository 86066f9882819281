/*
 * A load test as JSON; docs/openapi.json describes the members.
 */
#include "supervisor/api/load_tests.h"

#include "core/memory.h"
#include "supervisor/load/report.h"

#include <stdio.h>

#define OWN_BYTES 2048 /* beside plan and result */
#define ID_BYTES 8     /* of a server in a list */

const char *load_test_status_name(const struct load_test *test)
{
    switch (test->status) {
    case LOAD_TEST_RUNNING:
        return "running";
    case LOAD_TEST_COMPLETED:
        return "completed";
    case LOAD_TEST_CANCELLED:
        return "cancelled";
    }
    return "unknown";
}

static void write_url(struct json_writer *w, const struct load_test *test)
{
    char url[64];

    snprintf(url, sizeof(url), "/api/load-tests/%s", test->id);
    json_member_string(w, "url", url);
}

static void write_figures(struct json_writer *w, const struct load_test *test)
{
    const struct load_progress *so_far = &test->so_far;
    bool over = test->result.length > 0;
    double rate = over                  ? test->achieved_rate
                  : so_far->seconds > 0 ? (double)so_far->total.answered / so_far->seconds
                                        : 0;

    json_member_fixed2(w, "seconds", so_far->seconds);
    json_member_uint(w, "requests", so_far->total.requests);
    json_member_uint(w, "answered", so_far->total.answered);
    json_member_uint(w, "failed", so_far->total.failed);
    json_member_fixed2(w, "achieved_rate", rate);
    json_member_fixed2(w, "p50_us", so_far->total.p50_ns / 1000);
    json_member_fixed2(w, "p99_us", so_far->total.p99_ns / 1000);
    json_key(w, "passed");
    if (over)
        json_bool(w, test->passed);
    else
        json_null(w);
}

static void write_members(struct json_writer *w, const struct load_test *test)
{
    json_member_string(w, "id", test->id);
    json_member_string(w, "name", test->name);
    write_url(w, test);
    json_member_string(w, "status", load_test_status_name(test));
    json_member_timestamp(w, "started_at", test->started_at_us);
    json_key(w, "ended_at");
    if (test->ended_at_us > 0)
        json_timestamp(w, test->ended_at_us);
    else
        json_null(w);
    json_member_string(w, "model", load_model_name(test->model));
    json_member_uint(w, "servers", test->target_count);
    write_figures(w, test);
}

void load_test_write_summary(struct json_writer *w, const struct load_test *test)
{
    json_begin_object(w);
    write_members(w, test);
    json_end_object(w);
}

size_t load_test_json_size(const struct load_test *test)
{
    return OWN_BYTES + test->plan.length + test->result.length + test->not_running_count * ID_BYTES;
}

void load_test_write(struct json_writer *w, const struct load_test *test)
{
    json_begin_object(w);
    write_members(w, test);
    json_key(w, "not_running");
    json_begin_array(w);
    for (size_t i = 0; i < test->not_running_count; i++)
        json_int(w, test->not_running[i]);
    json_end_array(w);
    json_key(w, "plan");
    json_raw(w, test->plan.data, test->plan.length);
    json_key(w, "result");
    if (test->result.length > 0)
        json_raw(w, test->result.data, test->result.length);
    else
        json_null(w);
    json_end_object(w);
}

unsigned load_test_oldest_point(const struct load_test *test)
{
    return test->point_count > LOAD_TEST_POINTS ? test->point_count - LOAD_TEST_POINTS : 0;
}

void load_test_write_progress(struct json_writer *w, const struct load_test *test, unsigned second)
{
    json_begin_object(w);
    json_member_fixed2(w, "seconds", test->so_far.seconds);
    json_key(w, "point");
    report_point(w, &test->points[second % LOAD_TEST_POINTS]);
    json_key(w, "total");
    report_point(w, &test->so_far.total);
    json_end_object(w);
}
