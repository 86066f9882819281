/*
 * Two loops meet in two async handles only: `wake` tells the thread to end, `over` tells the caller's loop that it has.
 * Everything else belongs to the thread from its start to its end.
 */
#include "supervisor/load/load_test.h"

#include "core/clock.h"
#include "core/memory.h"
#include "http/client.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define RETRY_MS 10 /* after a connection that could not be made, so that a dead server doesn't cost a whole core */

struct lane;

/* One server under test. */
struct target {
    struct load_target where;
    struct load_result result;
    uint64_t begun;                         /* requests handed to a lane */
    int64_t first_ns, last_ns, answered_ns; /* monotonic */
    bool gave_up;
};

/* One connection. */
struct lane {
    struct load_test *test;
    struct target *target;
    struct http_client *client;
    uv_timer_t retry;
};

struct load_test {
    uv_loop_t loop;
    uv_async_t wake;  /* on `loop` */
    uv_timer_t limit; /* on `loop`: the duration, then the last answers */
    uv_async_t over;  /* on the caller's loop */
    uv_thread_t thread;
    atomic_bool stopped, cancelled;
    bool time_is_over, ended;
    uint64_t requests;
    int64_t duration_ms;
    struct target *targets;
    size_t target_count;
    struct lane *lanes;
    size_t lane_count, lanes_active;
    void (*on_done)(const struct load_result *results, size_t count, void *data);
    void *data;
};

static unsigned lanes_per_target(const struct load_test_options *options)
{
    bool fewer = options->requests > 0 && options->requests < options->concurrency;

    return fewer ? (unsigned)options->requests : options->concurrency;
}

size_t load_test_connections(const struct load_test_options *options)
{
    return options->target_count * lanes_per_target(options);
}

/* --- in the thread --- */

/* Closes all that keeps the loop running. What is in flight is cut and not counted. */
static void end(struct load_test *test)
{
    if (test->ended)
        return;
    test->ended = true;
    for (size_t i = 0; i < test->lane_count; i++) {
        http_client_free(test->lanes[i].client);
        uv_close((uv_handle_t *)&test->lanes[i].retry, NULL);
    }
    uv_close((uv_handle_t *)&test->limit, NULL);
    uv_close((uv_handle_t *)&test->wake, NULL);
}

static void send_next(struct lane *lane);

static void lane_is_done(struct lane *lane)
{
    if (--lane->test->lanes_active == 0)
        end(lane->test);
}

static void on_retry(uv_timer_t *timer)
{
    send_next(timer->data);
}

static void count_answer(struct target *target, const struct http_client_response *response)
{
    target->last_ns = clock_monotonic_ns();
    if (response->outcome == HTTP_OK) {
        target->answered_ns = target->last_ns;
    } else {
        target->result.error = http_outcome_text(response->outcome);
        target->gave_up = target->gave_up || target->last_ns - target->answered_ns >= LOAD_GIVE_UP_MS * NS_PER_MS;
    }
    if (response->outcome == HTTP_OK && response->status == 200)
        target->result.successful++;
    else
        target->result.failed++;
}

static void on_response(void *data, const struct http_client_response *response)
{
    struct lane *lane = data;
    bool no_connection = response->outcome == HTTP_REFUSED || response->outcome == HTTP_LOCAL_ERROR;

    count_answer(lane->target, response);
    if (no_connection)
        uv_timer_start(&lane->retry, on_retry, RETRY_MS, 0);
    else
        send_next(lane);
}

static void send_next(struct lane *lane)
{
    static const struct http_client_request REQUEST = {
        .method = "GET",
        .target = "/",
        .timeout_ms = LOAD_REQUEST_TIMEOUT_MS,
    };
    struct load_test *test = lane->test;
    struct target *target = lane->target;
    bool none_left = test->requests > 0 && target->begun == test->requests;

    if (none_left || test->time_is_over || target->gave_up) {
        lane_is_done(lane);
        return;
    }
    target->begun++;
    http_client_send(lane->client, &REQUEST, on_response, lane);
}

static void on_last_answers_over(uv_timer_t *timer)
{
    end(timer->data);
}

/* Nothing new is sent; lanes that wait to try again have nothing to wait for. */
static void on_time_over(uv_timer_t *timer)
{
    struct load_test *test = timer->data;

    test->time_is_over = true;
    uv_timer_start(timer, on_last_answers_over, LOAD_LAST_ANSWERS_MS, 0);
    for (size_t i = 0; i < test->lane_count && !test->ended; i++) {
        struct lane *lane = &test->lanes[i];
        if (uv_is_active((uv_handle_t *)&lane->retry)) {
            uv_timer_stop(&lane->retry);
            lane_is_done(lane);
        }
    }
}

static void on_wake(uv_async_t *wake)
{
    struct load_test *test = wake->data;

    if (atomic_load(&test->cancelled))
        end(test);
    else if (atomic_load(&test->stopped) && !test->time_is_over && !test->ended)
        on_time_over(&test->limit);
}

static void begin(struct load_test *test)
{
    int64_t now = clock_monotonic_ns();

    for (size_t i = 0; i < test->target_count; i++)
        test->targets[i].first_ns = test->targets[i].last_ns = test->targets[i].answered_ns = now;
    test->lanes_active = test->lane_count;
    if (test->lane_count == 0 || atomic_load(&test->cancelled)) {
        end(test);
        return;
    }
    if (test->duration_ms > 0)
        uv_timer_start(&test->limit, on_time_over, (uint64_t)test->duration_ms, 0);
    for (size_t i = 0; i < test->lane_count && !test->ended; i++)
        send_next(&test->lanes[i]);
}

static void thread_main(void *data)
{
    struct load_test *test = data;

    begin(test);
    uv_run(&test->loop, UV_RUN_DEFAULT);
    uv_async_send(&test->over);
}

/* --- on the caller's loop --- */

static void load_test_free(uv_handle_t *over)
{
    struct load_test *test = over->data;

    free(test->targets);
    free(test->lanes);
    free(test);
}

static void report(struct load_test *test)
{
    struct load_result *results = xcalloc(test->target_count + 1, sizeof(*results));

    for (size_t i = 0; i < test->target_count; i++) {
        const struct target *target = &test->targets[i];
        results[i] = target->result;
        results[i].seconds = (double)(target->last_ns - target->first_ns) / (double)NS_PER_SECOND;
    }
    test->on_done(results, test->target_count, test->data);
    free(results);
}

static void on_over(uv_async_t *over)
{
    struct load_test *test = over->data;

    uv_thread_join(&test->thread);
    uv_loop_close(&test->loop); /* not before: load_test_cancel may wake it until now */
    if (!atomic_load(&test->cancelled))
        report(test);
    uv_close((uv_handle_t *)over, load_test_free);
}

/* A server that doesn't run is not asked: its port may meanwhile be another program's. */
static void skip_target(struct target *target, uint64_t requests)
{
    target->result.failed = requests;
    target->result.error = "not running";
}

static void make_lanes(struct load_test *test, const struct load_test_options *options)
{
    unsigned lanes = lanes_per_target(options);

    test->target_count = options->target_count;
    test->targets = xcalloc(options->target_count + 1, sizeof(test->targets[0]));
    test->lanes = xcalloc(load_test_connections(options) + 1, sizeof(test->lanes[0]));
    for (size_t i = 0; i < options->target_count; i++) {
        struct target *target = &test->targets[i];
        target->where = options->targets[i];
        target->result.server_id = target->where.server_id;
        if (target->where.port == 0) {
            skip_target(target, options->requests);
            continue;
        }
        for (unsigned k = 0; k < lanes; k++) {
            struct lane *lane = &test->lanes[test->lane_count++];
            lane->test = test;
            lane->target = target;
            lane->client = http_client_new(&test->loop, target->where.port);
            uv_timer_init(&test->loop, &lane->retry);
            lane->retry.data = lane;
        }
    }
}

/* Only when no thread came to be: its loop is run here, so that its handles close. */
static int give_up(struct load_test *test, int rc, struct error *err)
{
    end(test);
    uv_run(&test->loop, UV_RUN_DEFAULT);
    uv_loop_close(&test->loop);
    uv_close((uv_handle_t *)&test->over, load_test_free);
    return error_set(err, EAGAIN, "the load test's thread cannot be started: %s", uv_strerror(rc));
}

int load_test_start(uv_loop_t *loop, const struct load_test_options *options,
                    void (*on_done)(const struct load_result *results, size_t count, void *data), void *data,
                    struct load_test **test, struct error *err)
{
    struct load_test *made = xcalloc(1, sizeof(*made));

    int rc = uv_loop_init(&made->loop);
    if (rc < 0) {
        free(made);
        return error_set(err, EAGAIN, "the load test has no loop of its own: %s", uv_strerror(rc));
    }
    made->requests = options->requests;
    made->duration_ms = options->duration_ms;
    made->on_done = on_done;
    made->data = data;
    made->wake.data = made->limit.data = made->over.data = made;
    rc = uv_async_init(&made->loop, &made->wake, on_wake);
    if (rc < 0) {
        uv_loop_close(&made->loop);
        free(made);
        return error_set(err, EAGAIN, "the load test has no descriptors left: %s", uv_strerror(rc));
    }
    uv_timer_init(&made->loop, &made->limit);
    uv_async_init(loop, &made->over, on_over);
    make_lanes(made, options);
    rc = uv_thread_create(&made->thread, thread_main, made);
    if (rc < 0)
        return give_up(made, rc, err);
    *test = made;
    return 0;
}

void load_test_stop(struct load_test *test)
{
    atomic_store(&test->stopped, true);
    uv_async_send(&test->wake);
}

void load_test_cancel(struct load_test *test)
{
    atomic_store(&test->cancelled, true);
    uv_async_send(&test->wake);
}
