/*
 * `GET /api/load-tests/compare?a=&b=`: two that have ended, side by side. Reports are large, so they are read and compared
 * in the thread pool.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/view.h"
#include "supervisor/load/compare.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>

struct comparing {
    uv_work_t work;
    struct reply reply;
    struct api *api;
    struct buffer summaries[2], reports[2]; /* JSON */
    struct buffer comparison;
    struct error err; /* code 0: none */
};

static void comparing_free(struct comparing *op)
{
    for (size_t i = 0; i < 2; i++) {
        buffer_done(&op->summaries[i]);
        buffer_done(&op->reports[i]);
    }
    buffer_done(&op->comparison);
    api_unref(op->api);
    free(op);
}

static void compare(uv_work_t *work)
{
    struct comparing *op = work->data;
    struct json_writer w = json_writer_to(&op->comparison);
    cJSON *a = cJSON_ParseWithLength(op->reports[0].data, op->reports[0].length);
    cJSON *b = cJSON_ParseWithLength(op->reports[1].data, op->reports[1].length);

    if (a == NULL || b == NULL)
        error_set(&op->err, ENOMEM, "there is no memory to compare the load tests; try again later");
    else
        load_compare(a, b, &w, &op->err);
    cJSON_Delete(a);
    cJSON_Delete(b);
}

static void on_compared(uv_work_t *work, int status)
{
    struct comparing *op = work->data;
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    (void)status;
    if (op->err.code != 0) {
        reply_error(&op->reply, &op->err);
        comparing_free(op);
        return;
    }
    json_begin_object(&w);
    json_key(&w, "a");
    json_raw(&w, op->summaries[0].data, op->summaries[0].length);
    json_key(&w, "b");
    json_raw(&w, op->summaries[1].data, op->summaries[1].length);
    json_key(&w, "comparison");
    json_raw(&w, op->comparison.data, op->comparison.length);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&op->reply, 200, &out);
    comparing_free(op);
}

/* One of the two. False when the request was answered. */
static bool read_side(struct http_request *request, struct comparing *op, size_t side)
{
    static const char *const NAMES[] = {"a", "b"};
    char id[LOAD_TEST_ID_SIZE] = "";
    struct error err = {0};

    int rc = query_text(http_request_query(request), NAMES[side], id, sizeof(id), &err);
    if (rc == 0)
        http_respond_problem(request, 422, "%s is missing: the id of a load test", NAMES[side]);
    else if (rc < 0)
        respond_error(request, &err);
    if (rc <= 0)
        return false;
    const struct load_test *test = load_test_find(&op->api->tests, id);
    if (test == NULL)
        http_respond_problem(request, 404,
                             "%s: load test %s: there is none; GET /api/load-tests lists those that are kept",
                             NAMES[side], id);
    else if (test->status == LOAD_TEST_RUNNING)
        http_respond_problem(request, 409, "%s: load test %s is still running", NAMES[side], id);
    if (test == NULL || test->status == LOAD_TEST_RUNNING)
        return false;
    struct json_writer w = json_writer_to(&op->summaries[side]);
    load_test_write_summary(&w, test);
    w = json_writer_to(&op->reports[side]);
    load_test_write(&w, test);
    return true;
}

void load_tests_compare(struct http_request *request, const struct http_match *match)
{
    struct comparing *op = xcalloc(1, sizeof(*op));

    op->api = api_ref(api_of(match));
    op->work.data = op;
    if (!read_side(request, op, 0) || !read_side(request, op, 1)) {
        comparing_free(op);
        return;
    }
    reply_hold(&op->reply, request, NULL);
    uv_queue_work(farm_loop(op->api->farm), &op->work, compare, on_compared);
}
