/*
 * The life of a load test. It has one reference from the list of its API and one from each that follows it; the list lets
 * the oldest ended ones go.
 */
#include "supervisor/api/load_tests.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/api/internal.h"
#include "supervisor/history/history.h"
#include "supervisor/load/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void load_tests_init(struct load_tests *tests)
{
    *tests = (struct load_tests){0};
    TAILQ_INIT(&tests->list);
}

struct load_test *load_test_ref(struct load_test *test)
{
    test->references++;
    return test;
}

void load_test_unref(struct load_test *test)
{
    if (--test->references > 0)
        return;
    buffer_done(&test->plan);
    buffer_done(&test->result);
    free(test->points);
    free(test->targets);
    free(test->not_running);
    free(test->name);
    free(test);
}

static void forget(struct load_tests *tests, struct load_test *test)
{
    TAILQ_REMOVE(&tests->list, test, link);
    load_test_unref(test);
}

/* --- the history --- */

static void on_saved(const struct error *err, void *data)
{
    struct load_test *test = data;

    (void)err; /* the history has reported it */
    test->saves--;
    load_test_unref(test);
}

/* As it is now, in the place of how it was. Without it the history lacks this one, and farmd goes on. */
static void save(struct load_test *test)
{
    struct buffer summary = BUFFER_EMPTY, report = BUFFER_EMPTY;
    struct run_record record = {.started_us = test->started_at_us, .status = load_test_status_name(test)};
    struct json_writer w = json_writer_to(&summary);
    struct error err = {0};

    if (test->api->history == NULL || !buffer_try_reserve(&report, load_test_json_size(test)))
        return;
    load_test_write_summary(&w, test);
    w = json_writer_to(&report);
    load_test_write(&w, test);
    snprintf(record.id, sizeof(record.id), "%s", test->id);
    record.summary = summary.data;
    record.report = report.data;
    if (history_put_run(test->api->history, &record, on_saved, test, &err) == 0) {
        test->saves++;
        load_test_ref(test);
    } else {
        log_warning("load test %s is not kept: %s", test->id, err.message);
    }
    buffer_done(&summary);
    buffer_done(&report);
}

/* --- life --- */

static void abandon(struct load_test *test)
{
    load_run_abandon(steal(&test->run));
    test->status = LOAD_TEST_CANCELLED;
    test->ended_at_us = clock_realtime_us();
    save(test);
}

void load_tests_done(struct load_tests *tests)
{
    struct load_test *test, *next;

    for (test = TAILQ_FIRST(&tests->list); test != NULL; test = next) {
        next = TAILQ_NEXT(test, link);
        if (test->run != NULL)
            abandon(test);
        load_test_unref(test);
    }
    TAILQ_INIT(&tests->list);
}

/* Ended ones beyond the bounds, the oldest first. The newest stays, whatever its size. */
static void bound(struct load_tests *tests)
{
    struct load_test *test, *next;
    size_t count = 0, bytes = 0;

    for (test = TAILQ_FIRST(&tests->list); test != NULL; test = next) {
        next = TAILQ_NEXT(test, link);
        if (test->run != NULL)
            continue;
        bytes += load_test_json_size(test);
        if (++count > LOAD_TESTS_KEPT || (count > 1 && bytes > LOAD_TESTS_BYTES))
            forget(tests, test);
    }
}

/* --- finding --- */

struct load_test *load_test_find(const struct load_tests *tests, const char *id)
{
    struct load_test *test;

    TAILQ_FOREACH(test, &tests->list, link)
    {
        if (strcmp(test->id, id) == 0)
            return test;
    }
    return NULL;
}

bool load_test_loads(const struct load_test *test, int server_id)
{
    size_t low = 0, high = test->target_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (test->targets[middle].id < server_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < test->target_count && test->targets[low].id == server_id;
}

struct load_test *load_test_clash(const struct load_tests *tests, const struct load_servers *servers)
{
    struct load_test *test;

    TAILQ_FOREACH(test, &tests->list, link)
    {
        for (size_t i = 0; test->run != NULL && i < servers->target_count; i++) {
            if (load_test_loads(test, servers->targets[i].id))
                return test;
        }
    }
    return NULL;
}

/* --- watching --- */

void load_test_watch(struct load_test *test, struct load_test_watcher *watcher)
{
    LIST_INSERT_HEAD(&test->watchers, watcher, link);
}

void load_test_unwatch(struct load_test_watcher *watcher)
{
    LIST_REMOVE(watcher, link);
}

static void tell(struct load_test *test)
{
    struct load_test_watcher *next;

    for (struct load_test_watcher *watcher = LIST_FIRST(&test->watchers); watcher != NULL; watcher = next) {
        next = LIST_NEXT(watcher, link);
        watcher->on_news(watcher->data);
    }
}

/* --- while it runs --- */

static void sample_targets(struct load_test *test)
{
    for (size_t i = 0; i < test->target_count; i++) {
        struct load_test_target *target = &test->targets[i];
        const struct server *server = farm_server(test->api->farm, target->id);
        if (server == NULL || !server_is_live(server) || !(server->stats.have & RUNTIME_HAVE_THROTTLED))
            continue;
        target->throttled_sum += server->stats.throttled_percent;
        target->samples++;
    }
}

static void on_point(void *data, const struct load_point *point, const struct load_progress *so_far)
{
    struct load_test *test = data;
    unsigned had = test->point_count;

    if (had < LOAD_TEST_POINTS && (had & (had - 1)) == 0) /* doubled at each power of two */
        test->points = xrealloc(test->points, (had > 0 ? 2 * (size_t)had : 1) * sizeof(*test->points));
    test->points[had % LOAD_TEST_POINTS] = *point;
    test->point_count++;
    test->so_far = *so_far;
    sample_targets(test);
    tell(test);
}

/* How a target was limited and whether it went down meanwhile: what the engine cannot see. */
static void write_farm_facts(struct json_writer *w, size_t index, void *data)
{
    const struct load_test *test = data;
    const struct load_test_target *target = &test->targets[index];
    const struct server *server = farm_server(test->api->farm, target->id);

    json_key(w, "throttled_percent");
    if (target->samples > 0)
        json_fixed2(w, target->throttled_sum / target->samples);
    else
        json_null(w);
    json_key(w, "restarts");
    if (server != NULL)
        json_uint(w, server->restarts - target->restarts);
    else
        json_null(w);
}

static void keep_result(struct load_test *test, const struct load_result *result)
{
    struct json_writer w = json_writer_to(&test->result);
    struct load_result shown = *result;
    size_t skipped = result->point_count > LOAD_TEST_POINTS ? result->point_count - LOAD_TEST_POINTS : 0;

    shown.points += skipped;
    shown.point_count -= skipped;
    report_result(&w, &shown, write_farm_facts, test);
    test->achieved_rate = result->achieved_rate;
    test->passed = result->passed;
    test->so_far = (struct load_progress){
        .seconds = result->seconds,
        .total = {.requests = result->counts.requests,
                  .answered = result->counts.answered,
                  .failed = load_counts_failed(&result->counts),
                  .bytes_received = result->counts.bytes_received,
                  .p50_ns = latency_quantile(&result->latency, 0.5),
                  .p90_ns = latency_quantile(&result->latency, 0.9),
                  .p99_ns = latency_quantile(&result->latency, 0.99),
                  .max_ns = (double)result->latency.max_ns,
                  .service_p99_ns = latency_quantile(load_result_service(result), 0.99)},
    };
}

static void on_done(void *data, struct load_result *result)
{
    struct load_test *test = data;

    if (test->point_count == 0)
        sample_targets(test);
    test->run = NULL;
    test->api->tests.running--;
    test->status = test->cancelled ? LOAD_TEST_CANCELLED : LOAD_TEST_COMPLETED;
    test->ended_at_us = clock_realtime_us();
    keep_result(test, result);
    load_result_free(result);
    load_room_give(test->api, test->connections);
    save(test);
    load_test_ref(test);
    tell(test);
    bound(&test->api->tests);
    if (test->api->tests.running == 0)
        api_tests_ended(test->api);
    load_test_unref(test);
}

void load_test_cancel(struct load_test *test)
{
    if (test->run == NULL)
        return;
    test->cancelled = true;
    load_run_stop(test->run);
}

void load_tests_cancel_all(struct load_tests *tests)
{
    struct load_test *test;

    TAILQ_FOREACH(test, &tests->list, link)
    {
        load_test_cancel(test);
    }
}

void load_tests_under_way(const struct load_tests *tests, struct http_under_way *under_way)
{
    int64_t now_ms = clock_monotonic_ms();
    const struct load_test *test;

    *under_way = (struct http_under_way){0};
    TAILQ_FOREACH(test, &tests->list, link)
    {
        if (test->run == NULL && test->saves == 0)
            continue;
        under_way->count++; /* the last one seen is the oldest */
        under_way->oldest_ms = (uint64_t)(now_ms - test->started_ms);
        snprintf(under_way->oldest, sizeof(under_way->oldest), "load test %s", test->id);
    }
}

/* --- the beginning --- */

/* Milliseconds of the day's clock in base 36: short, in the order of time, and no earlier farmd's. */
static void name_next(struct load_tests *tests, char id[LOAD_TEST_ID_SIZE])
{
    int64_t now_ms = clock_realtime_us() / 1000;
    char digits[LOAD_TEST_ID_SIZE];
    size_t at = sizeof(digits) - 1;

    tests->last_id_ms = now_ms > tests->last_id_ms ? now_ms : tests->last_id_ms + 1;
    digits[at] = '\0';
    for (int64_t rest = tests->last_id_ms; rest > 0 && at > 0; rest /= 36)
        digits[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36];
    memcpy(id, digits + at, sizeof(digits) - at);
}

static void note_servers(struct load_test *test, const struct load_servers *servers)
{
    const struct farm *farm = test->api->farm;

    test->target_count = servers->target_count;
    test->targets = xcalloc(servers->target_count, sizeof(*test->targets));
    test->not_running = xcalloc(servers->count + 1, sizeof(*test->not_running));
    for (size_t i = 0, next = 0; i < servers->count; i++) {
        int id = servers->ids[i];
        if (next < servers->target_count && servers->targets[next].id == id)
            test->targets[next++] = (struct load_test_target){.id = id, .restarts = farm_server(farm, id)->restarts};
        else
            test->not_running[test->not_running_count++] = id;
    }
}

int load_test_start(struct api *api, const struct load_body *body, struct load_servers *servers, size_t connections,
                    struct load_test **test, struct error *err)
{
    struct load_test *made = xcalloc(1, sizeof(*made));
    const struct load_events events = {.on_point = on_point, .on_done = on_done, .data = made};
    struct load_plan plan = body->plan;
    struct json_writer w = json_writer_to(&made->plan);

    plan.targets = servers->targets;
    plan.target_count = servers->target_count;
    made->references = 1;
    made->api = api;
    made->name = xstrdup(body->name);
    made->model = plan.model;
    made->connections = connections;
    made->started_at_us = clock_realtime_us();
    made->started_ms = clock_monotonic_ms();
    note_servers(made, servers);
    report_plan(&w, &plan);
    int rc = load_run_start(farm_loop(api->farm), &plan, &events, &made->run, err);
    load_servers_done(servers);
    if (rc < 0) {
        load_room_give(api, connections);
        load_test_unref(made);
        return rc;
    }
    name_next(&api->tests, made->id);
    TAILQ_INSERT_HEAD(&api->tests.list, made, link);
    api->tests.running++;
    save(made);
    *test = made;
    return 0;
}
