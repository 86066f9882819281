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
    struct load_test *test;
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

static void send_done(struct follower *follower)
{
    struct buffer data = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&data);

    if (!buffer_try_reserve(&data, load_test_json_size(follower->test))) {
        stream_end(&follower->stream, "there is no memory for the result; ask for it later");
        return;
    }
    load_test_write(&w, follower->test);
    follower->told = true;
    if (stream_send(&follower->stream, NULL, "done", &data))
        stream_end(&follower->stream, NULL);
}

static void send_more(struct stream *stream)
{
    struct follower *follower = follower_of(stream);
    const struct load_test *test = follower->test;
    unsigned oldest = load_test_oldest_point(test);

    follower->next = follower->next > oldest ? follower->next : oldest;
    while (follower->next < test->point_count) {
        if (!send_second(follower))
            return;
    }
    if (follower->told)
        stream_end(stream, NULL);
    else if (test->status != LOAD_TEST_RUNNING)
        send_done(follower);
}

static void on_news(void *data)
{
    struct follower *follower = data;

    stream_wake(&follower->stream);
}

static void leave(struct stream *stream)
{
    load_test_unwatch(&follower_of(stream)->watcher);
}

static void free_follower(struct stream *stream)
{
    struct follower *follower = follower_of(stream);

    load_test_unref(follower->test);
    free(follower);
}

void load_follow(struct http_request *request, struct api *api, struct load_test *test)
{
    static const struct stream_calls CALLS = {.more = send_more, .closed = leave, .freed = free_follower};

    if (!stream_has_room(request, api))
        return;
    struct follower *follower = xcalloc(1, sizeof(*follower));
    int64_t seen = stream_last_id(request, 0);
    follower->test = load_test_ref(test);
    follower->next = seen < test->point_count ? (unsigned)seen : test->point_count;
    follower->watcher = (struct load_test_watcher){.on_news = on_news, .data = follower};
    load_test_watch(test, &follower->watcher);
    stream_begin(&follower->stream, request, api, 0, &CALLS);
}
