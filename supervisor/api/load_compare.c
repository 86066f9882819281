/*
 * `GET /api/load-tests/compare?a=&b=`: two that have ended, side by side. Reports are large, so they are read and compared
 * in the thread pool.
 */
#include "core/json.h"
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/load_fetch.h"
#include "supervisor/api/query.h"
#include "supervisor/api/view.h"
#include "supervisor/history/run_store.h"
#include "supervisor/load/compare.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COMPARISONS_MAX 4 /* at once */

static const char *const SIDES[] = {"a", "b"};

struct comparing {
    uv_work_t work;
    struct reply reply;
    struct api *api;
    char ids[2][RUN_ID_MAX];
    size_t fetched;                         /* of the two; the next one is being fetched */
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
    op->api->comparisons--;
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

static void fetch_next(struct comparing *op);

/* Takes one of the two. False when the request was answered. */
static bool take_side(struct comparing *op, struct load_found *found, const struct error *err)
{
    const char *side = SIDES[op->fetched], *id = op->ids[op->fetched];
    struct error running = {0};

    if (found != NULL && !found->running) {
        op->summaries[op->fetched] = found->summary;
        op->reports[op->fetched] = found->report;
        found->summary = found->report = BUFFER_EMPTY;
        op->fetched++;
        return true;
    }
    if (found != NULL)
        error_set(&running, EBUSY, "%s: load test %s is still running", side, id);
    if (found != NULL || err != NULL) {
        reply_error(&op->reply, found != NULL ? &running : err);
    } else if (reply_is_open(&op->reply)) {
        struct http_request *request = op->reply.request;
        reply_release(&op->reply);
        respond_no_load_test(request, side, id);
    }
    return false;
}

static void on_fetched(struct load_found *found, const struct error *err, void *data)
{
    struct comparing *op = data;

    if (!take_side(op, found, err))
        comparing_free(op);
    else if (op->fetched < 2)
        fetch_next(op);
    else
        uv_queue_work(farm_loop(op->api->farm), &op->work, compare, on_compared);
}

static void fetch_next(struct comparing *op)
{
    load_fetch(op->api, op->ids[op->fetched], on_fetched, op);
}

/* False when the request was answered. */
static bool read_ids(struct http_request *request, char ids[2][RUN_ID_MAX])
{
    struct error err = {0};

    for (size_t i = 0; i < 2; i++) {
        int rc = query_text(http_request_query(request), SIDES[i], ids[i], RUN_ID_MAX, &err);
        if (rc == 0)
            http_respond_problem(request, 422, "%s is missing: the id of a load test", SIDES[i]);
        else if (rc < 0)
            respond_error(request, &err);
        if (rc <= 0)
            return false;
    }
    return true;
}

void load_tests_compare(struct http_request *request, const struct http_match *match)
{
    struct api *api = api_of(match);
    char ids[2][RUN_ID_MAX] = {"", ""};

    if (!read_ids(request, ids))
        return;
    if (api->comparisons >= COMPARISONS_MAX) {
        respond_overload(request, "Too many load tests are being compared; try again in a second");
        return;
    }
    struct comparing *op = xcalloc(1, sizeof(*op));
    op->api = api_ref(api);
    api->comparisons++;
    op->work.data = op;
    memcpy(op->ids, ids, sizeof(ids));
    reply_hold(&op->reply, request, NULL);
    fetch_next(op);
}
