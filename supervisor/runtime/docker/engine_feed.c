/*
 * The Engine's events, a line of JSON each, for as long as it answers. When the stream breaks it is opened again from the
 * last event on; the Engine keeps only a few hundred of them, so every run is looked at anew, too. Nothing is missed and
 * nothing counted twice: a death is older than the run that it is told of, or it is that run's.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS 2000
#define LINE_MAX_LENGTH ((size_t)64 * 1024)

struct engine_feed {
    struct runtime *runtime;
    struct engine_stream *stream;
    uv_timer_t retry;
    uint64_t retry_ms;
    struct buffer line;
    int64_t last_ns; /* the Engine's time of the last event, or of the beginning */
    bool live;
};

/* --- one event --- */

static void take_event(struct engine_feed *feed, const cJSON *event)
{
    const cJSON *action = cJSON_GetObjectItemCaseSensitive(event, "Action");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(event, "Actor"), "ID");
    const cJSON *time_s = cJSON_GetObjectItemCaseSensitive(event, "time");
    const cJSON *time_ns = cJSON_GetObjectItemCaseSensitive(event, "timeNano");

    if (!cJSON_IsString(action) || !cJSON_IsString(id) || !cJSON_IsNumber(time_ns) || !cJSON_IsNumber(time_s))
        return;
    /* A double holds the nanoseconds of our days to a quarter of a microsecond: rounded up, so that what happened in the
     * run is not taken for what happened before it. */
    int64_t at_ns = (int64_t)time_ns->valuedouble + 1000;
    if (at_ns > feed->last_ns)
        feed->last_ns = at_ns;
    struct runtime_process *run = docker_find_run(feed->runtime, id->valuestring);
    if (run && (strcmp(action->valuestring, "die") == 0 || strcmp(action->valuestring, "destroy") == 0))
        docker_run_died(run, at_ns);
}

static void take_line(struct engine_feed *feed)
{
    cJSON *event = cJSON_ParseWithLength(feed->line.data, feed->line.length);

    if (event)
        take_event(feed, event);
    cJSON_Delete(event);
    buffer_clear(&feed->line);
}

static void on_piece(void *data, const char *piece, size_t length)
{
    struct engine_feed *feed = data;

    while (length > 0) {
        const char *end = memchr(piece, '\n', length);
        size_t n = end ? (size_t)(end - piece) : length;
        if (feed->line.length + n > LINE_MAX_LENGTH)
            buffer_clear(&feed->line); /* no event of a container is so long */
        else
            buffer_append(&feed->line, piece, n);
        if (!end)
            return;
        if (feed->line.length > 0)
            take_line(feed);
        piece = end + 1;
        length -= n + 1;
    }
}

/* --- the stream --- */

static void open_stream(struct engine_feed *feed);

static void on_retry(uv_timer_t *timer)
{
    open_stream(timer->data);
}

static void on_end(void *data, int status, const char *why)
{
    struct engine_feed *feed = data;

    engine_stream_free(steal(&feed->stream));
    buffer_clear(&feed->line);
    if (feed->live)
        log_warning("the Docker Engine at %s does not answer (%s%s); its containers may go on, farmd keeps trying",
                    feed->runtime->address.socket, why, status >= 400 ? ", an error" : "");
    feed->live = false;
    uv_timer_start(&feed->retry, on_retry, feed->retry_ms, 0);
    feed->retry_ms = feed->retry_ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : feed->retry_ms * 2;
}

/* What became of the runs meanwhile: one that has ended is told by its own look. */
static void look_at_all(struct engine_feed *feed)
{
    struct runtime_process *run, *next;

    for (run = LIST_FIRST(&feed->runtime->runs); run; run = next) {
        next = LIST_NEXT(run, link);
        docker_run_look(run);
    }
}

static void on_alive(void *data, const struct engine_answer *answer)
{
    struct engine_feed *feed = data;

    if (answer->code < 0 || !feed->stream)
        return;
    if (!feed->live && feed->last_ns > 0)
        log_info("the Docker Engine at %s answers", feed->runtime->address.socket);
    feed->live = true;
    feed->retry_ms = RETRY_FIRST_MS;
    look_at_all(feed);
}

static void open_stream(struct engine_feed *feed)
{
    static const struct engine_stream_calls calls = {on_piece, on_end};
    cleanup_free char *path =
        xasprintf("/events?since=%lld.%09lld&filters=%%7B%%22type%%22%%3A%%5B%%22container%%22%%5D%%2C%%22label%%22%%3A"
                  "%%5B%%22" CONTAINER_LABEL_INSTANCE "%%3D%s%%22%%5D%%7D",
                  (long long)(feed->last_ns / NS_PER_SECOND), (long long)(feed->last_ns % NS_PER_SECOND),
                  feed->runtime->instance);
    const struct engine_call alive = {.method = "GET", .path = "/version", .done = on_alive, .data = feed};

    feed->stream = engine_stream_open(feed->runtime->loop, &feed->runtime->address, path, &calls, feed);
    if (!feed->live)
        engine_send(feed->runtime->engine, &alive);
}

struct engine_feed *engine_feed_new(struct runtime *runtime)
{
    struct engine_feed *feed = xcalloc(1, sizeof(*feed));

    feed->runtime = runtime;
    feed->retry_ms = RETRY_FIRST_MS;
    feed->live = true; /* it has just been spoken with */
    feed->last_ns = clock_realtime_us() * (NS_PER_SECOND / US_PER_SECOND);
    uv_timer_init(runtime->loop, &feed->retry);
    uv_unref((uv_handle_t *)&feed->retry);
    feed->retry.data = feed;
    open_stream(feed);
    return feed;
}

bool engine_feed_is_live(const struct engine_feed *feed)
{
    return feed->live;
}

static void on_closed(uv_handle_t *handle)
{
    struct engine_feed *feed = handle->data;

    buffer_done(&feed->line);
    free(feed);
}

void engine_feed_free(struct engine_feed *feed)
{
    if (!feed)
        return;
    engine_stream_free(steal(&feed->stream));
    uv_close((uv_handle_t *)&feed->retry, on_closed);
}
