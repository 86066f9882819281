/*
 * What a task writes comes through the manager, late: its last words after Swarm has said that it is over, and by then the
 * server may be running again. So a log outlives its run for a moment.
 */
#include "supervisor/runtime/swarm/swarm.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/docker/log_frames.h"

#include <stdio.h>
#include <stdlib.h>

#define LINGER_MS 5000
#define REOPEN_NS NS_PER_SECOND

struct task_log {
    struct runtime *runtime;
    char task[SWARM_ID_MAX];
    char *path;
    struct engine_stream *stream; /* NULL: it has ended */
    int64_t since_ns;             /* real time: what comes from then on is not in the log yet */
    int64_t opened_ns;
    struct log_frames *frames;
    uv_timer_t timer;
    LIST_ENTRY(task_log) link;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_log(struct task_log *log)
{
    LIST_REMOVE(log, link);
    engine_stream_free(steal(&log->stream));
    log_frames_free(steal(&log->frames));
    free(steal(&log->path));
    uv_close((uv_handle_t *)&log->timer, on_closed);
}

static void on_time(uv_timer_t *timer)
{
    close_log(timer->data);
}

static void on_piece(void *data, const char *piece, size_t length)
{
    struct task_log *log = data;
    log_frames_feed(log->frames, piece, length);
    log->since_ns = clock_realtime_us() * (NS_PER_SECOND / US_PER_SECOND);
}

static void on_end(void *data, int status, const char *why)
{
    struct task_log *log = data;

    (void)status;
    (void)why;
    engine_stream_free(steal(&log->stream));
    if (uv_is_active((uv_handle_t *)&log->timer)) /* nobody else has it any more */
        close_log(log);
}

/* Frames begin anew with each stream. */
static void open_stream(struct task_log *log)
{
    static const struct engine_stream_calls calls = {on_piece, on_end};
    cleanup_free char *target =
        xasprintf("/tasks/%s/logs?follow=1&stdout=1&stderr=1&since=%lld.%09lld", log->task,
                  (long long)(log->since_ns / NS_PER_SECOND), (long long)(log->since_ns % NS_PER_SECOND));

    log_frames_free(log->frames);
    log->frames = log_frames_open(log->path);
    log->opened_ns = clock_monotonic_ns();
    log->stream = engine_stream_open(log->runtime->loop, &log->runtime->address, target, &calls, log);
}

struct task_log *swarm_log_open(struct runtime *runtime, const char *task, const char *path, int64_t since_ns)
{
    struct task_log *log = xcalloc(1, sizeof(*log));

    uv_timer_init(runtime->loop, &log->timer);
    uv_unref((uv_handle_t *)&log->timer);
    log->timer.data = log;
    LIST_INSERT_HEAD(&runtime->logs, log, link);
    log->runtime = runtime;
    snprintf(log->task, sizeof(log->task), "%s", task);
    log->path = xstrdup(path);
    log->since_ns = since_ns;
    open_stream(log);
    return log;
}

void swarm_log_keep(struct task_log *log)
{
    if (!log->stream && clock_monotonic_ns() - log->opened_ns >= REOPEN_NS)
        open_stream(log);
}

void swarm_log_linger(struct task_log *log)
{
    if (!log)
        return;
    if (log->stream)
        uv_timer_start(&log->timer, on_time, LINGER_MS, 0);
    else
        close_log(log);
}

void swarm_logs_close(struct runtime *runtime)
{
    struct task_log *log;

    while ((log = LIST_FIRST(&runtime->logs)) != NULL)
        close_log(log);
}
