/*
 * Frames of the Engine's logs: a head of 8 bytes (which stream, three zeros, a length in network order) and so many bytes.
 * A piece may end anywhere.
 */
#include "supervisor/runtime/docker/log_frames.h"

#include "core/buffer.h"
#include "core/memory.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD 8
#define FRAME_MAX ((size_t)1 << 20) /* an entry has 16 KiB and a time */

struct log_frames {
    int fd;
    void (*on_frame)(void *data, const char *frame, size_t length); /* NULL: into fd */
    void *data;
    struct buffer frame; /* as much of it as has come */
    bool is_too_long;
    unsigned char head[HEAD];
    size_t head_length;
    size_t left; /* bytes of the frame to come */
};

struct log_frames *log_frames_open(const char *path)
{
    struct log_frames *frames = xcalloc(1, sizeof(*frames));

    frames->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    return frames;
}

struct log_frames *log_frames_new(void (*on_frame)(void *data, const char *frame, size_t length), void *data)
{
    struct log_frames *frames = xcalloc(1, sizeof(*frames));

    frames->fd = -1;
    frames->on_frame = on_frame;
    frames->data = data;
    return frames;
}

/* A log that cannot be written loses lines, as in process mode; the log keeper tells. */
static void write_all(int fd, const char *bytes, size_t length)
{
    while (fd >= 0 && length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n <= 0)
            return;
        bytes += n;
        length -= (size_t)n;
    }
}

static size_t take_head(struct log_frames *frames, const char *piece, size_t length)
{
    size_t want = HEAD - frames->head_length, n = length < want ? length : want;

    memcpy(frames->head + frames->head_length, piece, n);
    frames->head_length += n;
    if (frames->head_length == HEAD) {
        frames->left = (size_t)frames->head[4] << 24 | (size_t)frames->head[5] << 16 | (size_t)frames->head[6] << 8 |
                       (size_t)frames->head[7];
        frames->head_length = 0;
        frames->is_too_long = frames->left > FRAME_MAX;
        buffer_clear(&frames->frame);
    }
    return n;
}

static void take_bytes(struct log_frames *frames, const char *piece, size_t length)
{
    frames->left -= length;
    if (!frames->on_frame) {
        write_all(frames->fd, piece, length);
    } else if (!frames->is_too_long) {
        buffer_append(&frames->frame, piece, length);
        if (frames->left == 0)
            frames->on_frame(frames->data, frames->frame.data, frames->frame.length);
    }
}

void log_frames_feed(struct log_frames *frames, const char *piece, size_t length)
{
    while (length > 0) {
        size_t n;
        if (frames->left == 0) {
            n = take_head(frames, piece, length);
        } else {
            n = length < frames->left ? length : frames->left;
            take_bytes(frames, piece, n);
        }
        piece += n;
        length -= n;
    }
}

void log_frames_free(struct log_frames *frames)
{
    if (!frames)
        return;
    if (frames->fd >= 0)
        close(frames->fd);
    buffer_done(&frames->frame);
    free(frames);
}
