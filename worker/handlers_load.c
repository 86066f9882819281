/*
 * The endpoints that take their time: a delay, and load on CPU and memory.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "http/problem.h"
#include "worker/handlers.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SLOW_MIN_SECONDS 1.0
#define SLOW_MAX_SECONDS 5.0

#define LOAD_DEFAULT_SECONDS 2.0
#define LOAD_MAX_SECONDS 3600.0
#define LOAD_DEFAULT_MB 100
#define LOAD_MAX_MB (1 << 20)

/* --- GET /slow-endpoint --- */

struct slow {
    uv_timer_t timer;
    struct worker *worker;
    struct http_request *request; /* NULL once the peer has gone */
    double delay;
};

static void on_slow_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_slow_over(uv_timer_t *timer)
{
    struct slow *slow = timer->data;
    struct json_writer w = worker_begin_answer(slow->worker);

    json_member_string(&w, "message", "This answer was slow on purpose");
    json_member_fixed2(&w, "delay_seconds", slow->delay);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    worker_end_answer(slow->worker, &w, slow->request);
    uv_close((uv_handle_t *)timer, on_slow_closed);
}

static void on_slow_abort(struct http_request *request)
{
    struct slow *slow = http_request_context(request);

    uv_close((uv_handle_t *)&slow->timer, on_slow_closed);
}

static double random_delay(void)
{
    uint32_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
        number = (uint32_t)clock_monotonic_ns();
    return SLOW_MIN_SECONDS + (SLOW_MAX_SECONDS - SLOW_MIN_SECONDS) * ((double)number / (double)UINT32_MAX);
}

void handle_slow_endpoint(struct http_request *request, const struct http_match *match)
{
    struct worker *worker = match->data;
    struct slow *slow = malloc(sizeof(*slow));

    if (!slow) {
        http_respond_header(request, "Retry-After", "5");
        http_respond_problem(request, 503, "Out of memory");
        return;
    }
    *slow = (struct slow){.worker = worker, .request = request, .delay = random_delay()};
    uv_timer_init(worker->loop, &slow->timer);
    slow->timer.data = slow;
    http_request_set_context(request, slow);
    http_request_on_abort(request, on_slow_abort);
    /* the loop's idea of now may be old, and the answer must not come early */
    uv_update_time(worker->loop);
    uv_timer_start(&slow->timer, on_slow_over, (uint64_t)(slow->delay * (double)MS_PER_SECOND) + 1, 0);
}

/* --- POST /simulate-load --- */

struct load {
    struct worker *worker;
    struct http_request *request;
    struct burn *burn;
    double seconds;
    int64_t megabytes;
};

/* Reads a parameter's text; false when it is absent. An undecodable one gives a text that is no number. */
static bool query_text(struct http_request *request, const char *name, char text[64])
{
    struct http_slice value;

    if (!http_query_get(http_request_query(request), name, &value))
        return false;
    if (http_percent_decode(value, true, text, 64) < 0)
        text[0] = '\0';
    return true;
}

/* Answers 422 and returns false when a parameter is not right. */
static bool read_load_query(struct http_request *request, double *seconds, int64_t *megabytes)
{
    char text[64];

    *seconds = LOAD_DEFAULT_SECONDS;
    *megabytes = LOAD_DEFAULT_MB;
    if (query_text(request, "cpu_duration", text) && units_parse_double(text, 0, LOAD_MAX_SECONDS, seconds) < 0) {
        http_respond_problem(request, 422, "cpu_duration must be a number of seconds from 0 to %d",
                             (int)LOAD_MAX_SECONDS);
        return false;
    }
    if (query_text(request, "memory_mb", text) && units_parse_int(text, 0, LOAD_MAX_MB, megabytes) < 0) {
        http_respond_problem(request, 422, "memory_mb must be an integer from 0 to %d", LOAD_MAX_MB);
        return false;
    }
    return true;
}

static void answer_load(struct load *load)
{
    struct json_writer w = worker_begin_answer(load->worker);

    json_member_string(&w, "message", "Load simulation completed");
    json_member_fixed2(&w, "cpu_duration", load->seconds);
    json_member_int(&w, "memory_allocated_mb", load->megabytes);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    worker_end_answer(load->worker, &w, load->request);
}

static void on_load_end(void *data, int error)
{
    struct load *load = data;

    cpu_meter_idle(&load->worker->cpu);
    if (error == 0) {
        answer_load(load);
    } else {
        http_respond_header(load->request, "Retry-After", "5");
        http_respond_problem(load->request, 503, "memory_mb: %lld MB could not be had: %s", (long long)load->megabytes,
                             strerror(error));
    }
    free(load);
}

static void on_load_abort(struct http_request *request)
{
    struct load *load = http_request_context(request);

    burn_cancel(load->burn);
    cpu_meter_idle(&load->worker->cpu);
    free(load);
}

void handle_simulate_load(struct http_request *request, const struct http_match *match)
{
    struct worker *worker = match->data;
    struct error err;
    double seconds;
    int64_t megabytes;

    if (!read_load_query(request, &seconds, &megabytes))
        return;
    struct load *load = xcalloc(1, sizeof(*load));
    *load = (struct load){.worker = worker, .request = request, .seconds = seconds, .megabytes = megabytes};
    if (burn_start(&worker->burns, seconds, (uint64_t)megabytes * MIB, on_load_end, load, &load->burn, &err) < 0) {
        free(load);
        http_respond_header(request, "Retry-After", "1");
        http_respond_problem(request, 503, "%s", err.message);
        return;
    }
    http_request_set_context(request, load);
    http_request_on_abort(request, on_load_abort);
    cpu_meter_busy(&worker->cpu);
}
