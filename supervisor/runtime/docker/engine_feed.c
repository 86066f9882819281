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
#define PING_TIMEOUT_MS 3000
#define LINE_MAX_LENGTH ((size_t)64 * 1024)

enum action { ACTION_OTHER, ACTION_START, ACTION_DIE, ACTION_DESTROY, ACTION_KILL, ACTION_OOM, ACTION_CHANGE };

struct engine_feed {
    struct runtime *runtime;
    struct engine_stream *stream;
    uv_timer_t retry;
    uint64_t retry_ms;
    struct buffer line;
    int64_t last_ns; /* the Engine's time of the last event, or of the beginning */
    bool live, pinging;
    int64_t live_ns; /* real time; since when it is */
    int64_t away_ms; /* since when it is not */
    unsigned breaks;
};

/* --- one event --- */

/* "exec_start: sh" and the like have more behind the word: no word is the beginning of another. */
static enum action action_of(const char *text)
{
    static const struct {
        const char *text;
        enum action action;
    } rows[] = {
        {"die", ACTION_DIE},        {"destroy", ACTION_DESTROY}, {"start", ACTION_START},
        {"kill", ACTION_KILL},      {"oom", ACTION_OOM},         {"pause", ACTION_CHANGE},
        {"unpause", ACTION_CHANGE}, {"update", ACTION_CHANGE},   {"rename", ACTION_CHANGE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].text, text) == 0)
            return rows[i].action;
    }
    return ACTION_OTHER;
}

int docker_event_signal(const cJSON *event)
{
    const cJSON *attributes =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(event, "Actor"), "Attributes");
    const cJSON *signal = cJSON_GetObjectItemCaseSensitive(attributes, "signal");

    return cJSON_IsString(signal) ? (int)strtol(signal->valuestring, NULL, 10) : 0;
}

static void take_action(struct runtime *runtime, const cJSON *event, const char *text, const char *id, int64_t at_ns)
{
    struct runtime_process *run = docker_find_run(runtime, id);
    enum action action = action_of(text);

    if (action == ACTION_START && !run)
        docker_saw_start(runtime, id);
    else if (action == ACTION_DESTROY && !run)
        docker_saw_removal(runtime, id);
    else if (run && (action == ACTION_DIE || action == ACTION_DESTROY))
        docker_run_died(run, at_ns);
    else if (run && action == ACTION_KILL)
        docker_saw_signal(run, docker_event_signal(event), at_ns);
    else if (run && action == ACTION_OOM)
        run->oom_ms = clock_monotonic_ms();
    else if (run && action == ACTION_CHANGE)
        docker_run_look(run);
}

/* Of the servers' network: it is gone, or a container has come to it or left it. Those that end leave it as well. */
static void take_network_action(struct runtime *runtime, const cJSON *event, const char *text, const char *id)
{
    const cJSON *attributes =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(event, "Actor"), "Attributes");
    const cJSON *container = cJSON_GetObjectItemCaseSensitive(attributes, "container");

    if (strcmp(text, "destroy") == 0) {
        network_was_removed(runtime, id);
        return;
    }
    struct runtime_process *run = cJSON_IsString(container) ? docker_find_run(runtime, container->valuestring) : NULL;
    if (run && run->sent == 0)
        docker_run_look(run);
}

static bool is_of_network(const cJSON *event)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(event, "Type");

    return cJSON_IsString(type) && strcmp(type->valuestring, "network") == 0;
}

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
    if (is_of_network(event))
        take_network_action(feed->runtime, event, action->valuestring, id->valuestring);
    else
        take_action(feed->runtime, event, action->valuestring, id->valuestring, at_ns);
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

/* Not by farmd's label: events of networks carry none. */
static const char filters[] = "{\"type\":[\"container\",\"network\"],\"event\":[\"start\",\"die\",\"destroy\",\"kill\","
                              "\"oom\",\"pause\",\"unpause\",\"update\",\"rename\",\"connect\",\"disconnect\"]}";

static char *events_path(int64_t since_ns)
{
    struct buffer path = BUFFER_EMPTY;

    buffer_printf(&path, "/events?since=%lld.%09lld&filters=", (long long)(since_ns / NS_PER_SECOND),
                  (long long)(since_ns % NS_PER_SECOND));
    for (const char *c = filters; *c; c++)
        buffer_printf(&path, "%%%02X", (unsigned char)*c);
    return path.data;
}

static void open_stream(struct engine_feed *feed);

static void on_retry(uv_timer_t *timer)
{
    open_stream(timer->data);
}

static void is_away(struct engine_feed *feed, const char *why)
{
    engine_stream_free(steal(&feed->stream));
    buffer_clear(&feed->line);
    feed->breaks++;
    if (feed->live) {
        log_warning("the Docker Engine at %s does not answer (%s); its containers may go on, farmd keeps trying",
                    feed->runtime->address.socket, why);
        feed->away_ms = clock_monotonic_ms();
    }
    feed->live = false;
    uv_timer_start(&feed->retry, on_retry, feed->retry_ms, 0);
    feed->retry_ms = feed->retry_ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : feed->retry_ms * 2;
}

static void on_end(void *data, int status, const char *why)
{
    (void)status;
    is_away(data, why);
}

static void on_pinged(void *data, const struct engine_answer *answer)
{
    struct engine_feed *feed = data;

    feed->pinging = false;
    if (answer->status == 0 && feed->stream)
        is_away(feed, answer->message);
}

void engine_feed_ping(struct engine_feed *feed)
{
    const struct engine_call ping = {.method = "GET",
                                     .path = "/_ping",
                                     .timeout_ms = PING_TIMEOUT_MS,
                                     .urgent = true,
                                     .done = on_pinged,
                                     .data = feed};

    if (!feed->live || feed->pinging)
        return;
    feed->pinging = true;
    engine_send(feed->runtime->engine, &ping);
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

    if (!feed->stream)
        return;
    if (answer->status != 200) {
        is_away(feed, answer->message);
        return;
    }
    log_info("the Docker Engine at %s answers again", feed->runtime->address.socket);
    feed->live = true;
    feed->live_ns = clock_realtime_us() * (NS_PER_SECOND / US_PER_SECOND);
    feed->retry_ms = RETRY_FIRST_MS;
    network_look_again(feed->runtime);
    look_at_all(feed);
    kept_list_again(feed->runtime);
    feed->runtime->events.on_available(feed->runtime->farm);
}

static void open_stream(struct engine_feed *feed)
{
    static const struct engine_stream_calls calls = {on_piece, on_end};
    cleanup_free char *path = events_path(feed->last_ns);
    const struct engine_call alive = {.method = "GET",
                                      .path = "/_ping",
                                      .timeout_ms = PING_TIMEOUT_MS,
                                      .urgent = true,
                                      .done = on_alive,
                                      .data = feed};

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
    feed->last_ns = runtime->opened_ns;
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

int64_t engine_feed_away_ms(const struct engine_feed *feed)
{
    return feed->live ? 0 : clock_monotonic_ms() - feed->away_ms;
}

bool engine_feed_was_live(const struct engine_feed *feed, int64_t at_ns)
{
    return feed->live && at_ns >= feed->live_ns;
}

unsigned engine_feed_breaks(const struct engine_feed *feed)
{
    return feed->breaks;
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
