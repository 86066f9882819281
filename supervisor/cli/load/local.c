/*
 * See local.h.
 */
#include "supervisor/cli/load/local.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/load/progress.h"
#include "supervisor/cli/load/text.h"
#include "supervisor/load/load.h"
#include "supervisor/load/report.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct local {
    uv_loop_t loop;
    uv_signal_t interrupt;
    struct load_run *run;
    struct load_result *result;
    double total_seconds;
    bool quiet, interrupted;
};

static void on_interrupt(uv_signal_t *signal, int number)
{
    struct local *local = signal->data;

    (void)number;
    if (local->interrupted) {
        load_progress_clear();
        _exit(CLI_INTERRUPTED);
    }
    local->interrupted = true;
    load_run_stop(local->run);
}

static void on_point(void *data, const struct load_point *point, const struct load_progress *so_far)
{
    const struct local *local = data;
    struct load_moment moment = {
        .seconds = so_far->seconds,
        .total_seconds = local->total_seconds,
        .answered = (double)so_far->total.answered,
        .failed = (double)so_far->total.failed,
        .rate = (double)point->answered,
        .p50_us = so_far->total.p50_ns / 1e3,
        .p99_us = so_far->total.p99_ns / 1e3,
    };

    if (!local->quiet)
        load_progress_show(&moment);
}

static void on_done(void *data, struct load_result *result)
{
    struct local *local = data;

    local->result = result;
    uv_close((uv_handle_t *)&local->interrupt, NULL);
}

/* As far as this user may: a soft limit of 1,024 is a habit, not a wish. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static cJSON *report_of(const struct load_plan *plan, const struct load_result *result)
{
    struct buffer text = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&text);

    json_begin_object(&w);
    json_key(&w, "plan");
    report_plan(&w, plan);
    json_key(&w, "result");
    report_result(&w, result, NULL, NULL);
    json_end_object(&w);
    cJSON *report = cJSON_ParseWithLength(text.data, text.length);
    buffer_done(&text);
    return report;
}

static double total_seconds(const struct load_plan *plan)
{
    double seconds = (double)plan->duration_ns / 1e9;

    for (size_t i = 0; i < plan->stage_count; i++)
        seconds += (double)plan->stages[i].duration_ns / 1e9;
    return seconds;
}

int load_local_check(const struct load_plan *plan, struct error *err)
{
    raise_descriptors();
    return load_plan_check(plan, err);
}

int load_local_run(const struct load_plan *plan, bool quiet, cJSON **run)
{
    struct local local = {.quiet = quiet, .total_seconds = total_seconds(plan)};
    const struct load_events events = {.on_point = on_point, .on_done = on_done, .data = &local};
    struct error err;

    uv_loop_init(&local.loop);
    uv_signal_init(&local.loop, &local.interrupt);
    local.interrupt.data = &local;
    uv_signal_start(&local.interrupt, on_interrupt, SIGINT); /* before anything is sent: it is seen by uv_run */
    int rc = load_run_start(&local.loop, plan, &events, &local.run, &err);
    if (rc < 0)
        uv_close((uv_handle_t *)&local.interrupt, NULL);
    uv_run(&local.loop, UV_RUN_DEFAULT);
    uv_loop_close(&local.loop);
    if (rc < 0)
        return cli_fail(CLI_FAILED, "%s", err.message);
    load_progress_clear();
    *run = report_of(plan, local.result);
    load_result_free(local.result);
    if (!*run)
        return cli_fail(CLI_FAILED, "the report cannot be read back: out of memory");
    return local.interrupted ? CLI_INTERRUPTED : CLI_DONE;
}
