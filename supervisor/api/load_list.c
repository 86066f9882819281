/*
 * `GET /api/load-tests`: those in memory and those in the history, newest first. What is in both is told from memory, for
 * the history learns of things later.
 */
#include "core/json.h"
#include "core/memory.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"
#include "supervisor/history/history.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT 50

struct listing {
    struct reply reply;
    struct api *api;
    int64_t limit;
};

/* Both lists are sorted by their ids, which grow with time. */
static void write_merged(struct json_writer *w, const struct load_tests *tests, int64_t limit,
                         const struct run_record *list, size_t count)
{
    const struct load_test *test = TAILQ_FIRST(&tests->list);
    size_t next = 0;

    for (; limit > 0 && (test != NULL || next < count); limit--) {
        int order = test == NULL ? -1 : next == count ? 1 : strcmp(test->id, list[next].id);
        if (order >= 0)
            load_test_write_summary(w, test);
        else
            json_raw(w, list[next].summary, strlen(list[next].summary));
        test = order >= 0 ? TAILQ_NEXT(test, link) : test;
        next += order <= 0;
    }
}

static void answer(struct listing *op, const struct run_record *list, size_t count, bool complete)
{
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    json_begin_object(&w);
    json_key(&w, "load_tests");
    json_begin_array(&w);
    write_merged(&w, &op->api->tests, op->limit, list, count);
    json_end_array(&w);
    json_member_bool(&w, "complete", complete);
    view_timestamp(&w);
    json_end_object(&w);
    reply_json(&op->reply, 200, &out);
    api_unref(op->api);
    free(op);
}

static void on_listed(const struct run_record *list, size_t count, const struct error *err, void *data)
{
    answer(data, list, count, err == NULL);
}

void load_tests_list(struct http_request *request, const struct http_match *match)
{
    struct api *api = api_of(match);
    struct error err = {0};
    int64_t limit = DEFAULT_LIMIT;

    if (query_int(http_request_query(request), "limit", 1, LOAD_TESTS_LISTED, &limit, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    struct listing *op = xcalloc(1, sizeof(*op));
    op->api = api_ref(api);
    op->limit = limit;
    reply_hold(&op->reply, request, NULL);
    if (api->history == NULL || history_list_runs(api->history, (size_t)limit, on_listed, op, &err) < 0)
        answer(op, NULL, 0, api->history == NULL);
}
