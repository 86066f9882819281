/*
 * See load_fetch.h.
 */
#include "supervisor/api/load_fetch.h"

#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/history/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fetch {
    struct api *api; /* a reference */
    load_fetch_fn *done;
    void *data;
};

static void append(struct buffer *out, const char *text)
{
    if (buffer_try_reserve(out, strlen(text)))
        buffer_append_text(out, text);
}

static void tell(const struct fetch *fetch, struct load_found *found)
{
    struct error err = {0};

    if (found->report.length > 0) {
        fetch->done(found, NULL, fetch->data);
    } else {
        error_set(&err, ENOMEM, "There is no memory for the load test; try again later");
        fetch->done(NULL, &err, fetch->data);
    }
    buffer_done(&found->summary);
    buffer_done(&found->report);
}

static void on_record(struct run_record *record, const struct error *err, void *data)
{
    struct fetch *fetch = data;
    struct load_found found = {0};

    if (record == NULL) {
        fetch->done(NULL, err, fetch->data);
    } else {
        append(&found.summary, record->summary);
        append(&found.report, record->report);
        run_record_done(record);
        tell(fetch, &found);
    }
    api_unref(fetch->api);
    free(fetch);
}

static void tell_from_memory(const struct fetch *fetch, const struct load_test *test)
{
    struct load_found found = {.running = test->status == LOAD_TEST_RUNNING};
    struct json_writer w = json_writer_to(&found.summary);

    load_test_write_summary(&w, test);
    w = json_writer_to(&found.report);
    if (buffer_try_reserve(&found.report, load_test_json_size(test)))
        load_test_write(&w, test);
    tell(fetch, &found);
}

void load_fetch(struct api *api, const char *id, load_fetch_fn *done, void *data)
{
    const struct load_test *test = load_test_find(&api->tests, id);
    struct fetch fetch = {.api = api, .done = done, .data = data};
    struct error err = {0};

    if (test != NULL) {
        tell_from_memory(&fetch, test);
        return;
    }
    if (api->history == NULL || strlen(id) >= RUN_ID_MAX) {
        done(NULL, NULL, data);
        return;
    }
    struct fetch *waiting = xcalloc(1, sizeof(*waiting));
    *waiting = fetch;
    api_ref(api);
    if (history_get_run(api->history, id, on_record, waiting, &err) == 0)
        return;
    api_unref(api);
    free(waiting);
    done(NULL, &err, data);
}

void respond_no_load_test(struct http_request *request, const char *field, const char *id)
{
    http_respond_problem(request, 404,
                         "%s%sload test %.32s: there is none; GET /api/load-tests lists those that are kept",
                         field != NULL ? field : "", field != NULL ? ": " : "", id);
}
