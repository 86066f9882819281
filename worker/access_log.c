#include "worker/access_log.h"

#include "core/clock.h"
#include "core/json.h"
#include "worker/peer.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define FLUSH_SIZE (64 * 1024)
#define PIECE_SIZE 4096 /* PIPE_BUF: a pipe that polls writable takes so much without blocking */
#define STRING_MAX 1024 /* of a target; a longer one is cut */

static bool stdout_takes_more(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&out, 1, 0) > 0 && (out.revents & POLLOUT);
}

/* As many whole lines as fit a piece; one line if it alone is longer. */
static size_t piece_length(const char *text, size_t length)
{
    if (length <= PIECE_SIZE)
        return length;
    const char *end = memrchr(text, '\n', PIECE_SIZE);
    if (!end)
        end = memchr(text, '\n', length);
    return (size_t)(end - text) + 1;
}

static uint64_t count_lines(const char *text, size_t length)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

void access_log_flush(struct access_log *log)
{
    size_t at = 0;

    if (!log->enabled)
        return;
    uv_prepare_stop(&log->flush);
    while (at < log->lines.length && stdout_takes_more()) {
        size_t piece = piece_length(log->lines.data + at, log->lines.length - at);
        ssize_t written = write(STDOUT_FILENO, log->lines.data + at, piece);
        if (written <= 0)
            break;
        at += (size_t)written;
    }
    if (at > 0)
        log->torn = log->lines.data[at - 1] != '\n';
    size_t rest = at < log->told_end ? log->told_end : at;
    log->dropped +=
        (at < log->told_end ? log->told : 0) + count_lines(log->lines.data + rest, log->lines.length - rest);
    log->told = log->told_end = 0;
    buffer_clear(&log->lines);
}

static void on_prepare(uv_prepare_t *prepare)
{
    access_log_flush(prepare->data);
}

void access_log_init(struct access_log *log, uv_loop_t *loop, bool enabled)
{
    *log = (struct access_log){.enabled = enabled};
    uv_prepare_init(loop, &log->flush);
    log->flush.data = log;
}

static void write_dropped(struct access_log *log)
{
    struct json_writer w = json_writer_to(&log->lines);

    if (log->torn)
        buffer_append_char(&log->lines, '\n');
    json_begin_object(&w);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    json_member_uint(&w, "dropped_lines", log->dropped);
    json_end_object(&w);
    buffer_append_char(&log->lines, '\n');
    log->told = log->dropped;
    log->told_end = log->lines.length;
    log->dropped = 0;
}

void access_log_request(struct access_log *log, const struct http_request *request, const struct http_done *done)
{
    struct json_writer w = json_writer_to(&log->lines);
    struct http_slice method = http_request_method_name(request);
    struct http_slice target = http_request_target(request);
    char peer[PEER_TEXT_MAX];

    if (!log->enabled)
        return;
    if (log->lines.length == 0) {
        buffer_reserve(&log->lines, PIECE_SIZE);
        uv_prepare_start(&log->flush, on_prepare);
    }
    if (log->dropped > 0)
        write_dropped(log);
    peer_format(request, peer);
    json_begin_object(&w);
    json_member_timestamp(&w, "timestamp", clock_realtime_us());
    json_key(&w, "method");
    json_string_n(&w, method.data, method.length);
    json_key(&w, "path");
    json_string_n(&w, target.data, target.length < STRING_MAX ? target.length : STRING_MAX);
    json_member_int(&w, "status", done->status);
    json_member_uint(&w, "bytes", done->body_bytes);
    json_member_fixed2(&w, "duration_ms", (double)done->duration_ns / (double)NS_PER_MS);
    json_member_string(&w, "peer", peer);
    json_end_object(&w);
    buffer_append_char(&log->lines, '\n');
    if (log->lines.length >= FLUSH_SIZE)
        access_log_flush(log);
}
