/*
 * A load test as a stream: a message `progress` for each second, then `done` with all of it.
 */
#include "supervisor/api/load_follow.h"

#include "core/memory.h"
#include "supervisor/api/stream.h"

#include <stdio.h>
#include <stdlib.h>

struct follower {
    struct stream stream;
    struct load_test *test; /* NULL: there is only its report */
    struct buffer report;
    struct load_test_watcher watcher;
    unsigned next; /* the second to be sent */
    bool told;     /* all of it: what is left is to end, when the reader has taken it */
};

static struct follower *follower_of(struct stream *stream)
{
    return (struct follower *)((char *)stream - offsetof(struct follower, stream));
}

static bool send_second(struct follower *follower)
{
    struct buffer data = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&data);
    char id[16];

    load_test_write_progress(&w, follower->test, follower->next);
    follower->next++;
    snprintf(id, sizeof(id), "%u", follower->next);
    return stream_send(&follower->stream, id, "progress", &data);
}

/* The end waits until the reader has taken it all. */
static void send_done(struct follower *follower)
{
    struct json_writer w = json_writer_to(&follower->report);

    if (follower->test != NULL && !buffer_try_reserve(&follower->report, load_test_json_size(follower->test))) {
        stream_end(&follower->stream, "there is no memory for the result; ask for it later");
        return;
    }
    if (follower->test != NULL)
        load_test_write(&w, follower->test);
    follower->told = true;
    if (stream_send(&follower->stream, NULL, "done", &follower->report))
        stream_end(&follower->stream, NULL);
}

/* False: the reader is behind. */
static bool send_seconds(struct follower *follower)
{
    const struct load_test *test = follower->test;
    unsigned oldest = load_test_oldest_point(test);

    follower->next = follower->next > oldest ? follower->next : oldest;
    while (follower->next < test->point_count) {
        if (!send_second(follower))
            return false;
    }
    return true;
}

static void send_more(struct stream *stream)
{
    struct follower *follower = follower_of(stream);

    if (follower->told)
        stream_end(stream, NULL);
    else if (follower->test == NULL || (send_seconds(follower) && follower->test->status != LOAD_TEST_RUNNING))
        send_done(follower);
}

static void on_news(void *data)
{
    struct follower *follower = data;

    stream_wake(&follower->stream);
}

static void leave(struct stream *stream)
{
    struct follower *follower = follower_of(stream);

    if (follower->test != NULL)
        load_test_unwatch(&follower->watcher);
}

static void free_follower(struct stream *stream)
{
    struct follower *follower = follower_of(stream);

    if (follower->test != NULL)
        load_test_unref(follower->test);
    buffer_done(&follower->report);
    free(follower);
}

static void follow(struct http_request *request, struct api *api, struct follower *follower)
{
    static const struct stream_calls CALLS = {.more = send_more, .closed = leave, .freed = free_follower};

    stream_begin(&follower->stream, request, api, 0, &CALLS);
}

void load_follow(struct http_request *request, struct api *api, struct load_test *test)
{
    if (!stream_has_room(request, api))
        return;
    struct follower *follower = xcalloc(1, sizeof(*follower));
    int64_t seen = stream_last_id(request, 0);
    follower->test = load_test_ref(test);
    follower->next = seen < test->point_count ? (unsigned)seen : test->point_count;
    follower->watcher = (struct load_test_watcher){.on_news = on_news, .data = follower};
    load_test_watch(test, &follower->watcher);
    follow(request, api, follower);
}

void load_follow_report(struct http_request *request, struct api *api, struct buffer *report)
{
    if (!stream_has_room(request, api))
        return;
    struct follower *follower = xcalloc(1, sizeof(*follower));
    follower->report = *report;
    *report = BUFFER_EMPTY;
    follow(request, api, follower);
}
