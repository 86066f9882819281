/*
 * What a container writes comes as an answer that goes on until it ends; the frames of it are taken apart into the server's
 * log, which is a file as in process mode: read, marked and cut by those who do so there.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdlib.h>

struct log_follow {
    struct engine_stream *stream;
    struct log_frames *frames;
    void (*ended)(void *data);
    void *data;
};

static void on_piece(void *data, const char *piece, size_t length)
{
    struct log_follow *follow = data;
    log_frames_feed(follow->frames, piece, length);
}

static void on_end(void *data, int status, const char *why)
{
    struct log_follow *follow = data;

    (void)status;
    (void)why;
    follow->ended(follow->data);
}

struct log_follow *log_follow_begin(struct runtime *runtime, const char *id, const char *path, int64_t since_ns,
                                    void (*ended)(void *data), void *data)
{
    static const struct engine_stream_calls calls = {on_piece, on_end};
    struct log_follow *follow = xcalloc(1, sizeof(*follow));
    cleanup_free char *target = xasprintf("/containers/%s/logs?follow=1&stdout=1&stderr=1&since=%lld.%09lld", id,
                                          (long long)(since_ns / NS_PER_SECOND), (long long)(since_ns % NS_PER_SECOND));

    follow->ended = ended;
    follow->data = data;
    follow->frames = log_frames_open(path);
    follow->stream = engine_stream_open(runtime->loop, &runtime->address, target, &calls, follow);
    return follow;
}

void log_follow_free(struct log_follow *follow)
{
    if (!follow)
        return;
    engine_stream_free(follow->stream);
    log_frames_free(follow->frames);
    free(follow);
}
