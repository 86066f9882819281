/*
 * What a container writes comes as an answer that goes on until it ends: entries in frames, each with its time in front.
 * They go into the server's log, which is a file as in process mode: read, marked and cut by those who do so there.
 *
 * How far they have been taken is noted beside the log, before they are appended to it and with the length that it will have:
 * whoever comes after an end in between sees by the log's length which of the two notes holds.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "supervisor/runtime/docker/log_position.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_MAGIC UINT64_C(0x31676f6c6d726166)

struct note {
    uint64_t magic;
    struct log_position before, after; /* what is about to be appended */
    int64_t size_before, size_after;   /* of the log */
};

struct log_follow {
    struct engine_stream *stream;
    struct log_frames *frames;
    int log, note; /* -1: it cannot be written, so nothing is kept of it */
    struct log_position position, noted;
    struct buffer out; /* to be appended */
    size_t drop;       /* of that, is there already */
    void (*ended)(void *data);
    void *data;
};

/* --- the files --- */

/* A log that cannot be written loses lines, as in process mode; the log keeper tells. */
static void append(int fd, const char *bytes, size_t length)
{
    while (fd >= 0 && length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n <= 0)
            return;
        bytes += n;
        length -= (size_t)n;
    }
}

static int64_t size_of(int fd)
{
    struct stat status;

    return fd >= 0 && fstat(fd, &status) == 0 ? (int64_t)status.st_size : 0;
}

static void flush(struct log_follow *follow)
{
    int64_t size = size_of(follow->log);
    size_t drop = follow->drop < follow->out.length ? follow->drop : follow->out.length;
    struct note note = {.magic = NOTE_MAGIC,
                        .before = follow->noted,
                        .after = follow->position,
                        .size_before = size,
                        .size_after = size + (int64_t)(follow->out.length - drop)};

    if (follow->out.length == 0)
        return;
    follow->drop -= drop;
    if (follow->note >= 0 && pwrite(follow->note, &note, sizeof(note), 0) != sizeof(note))
        log_debug("how far a container's log was taken cannot be noted: %s", strerror(errno));
    append(follow->log, follow->out.data + drop, follow->out.length - drop);
    follow->noted = follow->position;
    buffer_clear(&follow->out);
}

/* Where the last one stopped, if it was the same container's log. */
static void find_position(struct log_follow *follow, const char *id, int64_t since_ns)
{
    struct note note;
    int64_t size = size_of(follow->log);

    follow->position = log_position_new(id, since_ns);
    if (follow->note >= 0 && pread(follow->note, &note, sizeof(note), 0) == sizeof(note) && note.magic == NOTE_MAGIC &&
        strncmp(note.after.container, id, sizeof(note.after.container)) == 0) {
        bool appended = size >= note.size_after || size < note.size_before; /* shorter: it was cut since */
        follow->position = appended ? note.after : note.before;
        follow->drop = appended ? 0 : (size_t)(size - note.size_before);
    }
    follow->noted = follow->position;
}

/* --- what comes --- */

/* "2026-11-23T08:30:00.123456789Z the line" */
static void on_frame(void *data, const char *frame, size_t length)
{
    struct log_follow *follow = data;
    const char *space = memchr(frame, ' ', length);
    int64_t at_ns = space ? engine_time_ns(frame) : 0;

    if (at_ns == 0 || !log_position_take(&follow->position, at_ns))
        return;
    buffer_append(&follow->out, space + 1, length - (size_t)(space + 1 - frame));
}

static void on_piece(void *data, const char *piece, size_t length)
{
    struct log_follow *follow = data;

    log_frames_feed(follow->frames, piece, length);
    flush(follow);
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
    cleanup_free char *note = xasprintf("%s.position", path);

    follow->ended = ended;
    follow->data = data;
    follow->log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    follow->note = open(note, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    find_position(follow, id, since_ns);
    int64_t from_ns = log_position_resume(&follow->position);
    cleanup_free char *target =
        xasprintf("/containers/%s/logs?follow=1&stdout=1&stderr=1&timestamps=1&since=%lld.%09lld", id,
                  (long long)(from_ns / NS_PER_SECOND), (long long)(from_ns % NS_PER_SECOND));
    follow->frames = log_frames_new(on_frame, follow);
    follow->stream = engine_stream_open(runtime->loop, &runtime->address, target, &calls, follow);
    return follow;
}

void log_follow_free(struct log_follow *follow)
{
    if (!follow)
        return;
    engine_stream_free(follow->stream);
    log_frames_free(follow->frames);
    if (follow->log >= 0)
        close(follow->log);
    if (follow->note >= 0)
        close(follow->note);
    buffer_done(&follow->out);
    free(follow);
}
