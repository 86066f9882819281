/*
 * The endpoints whose bodies may be large: they leave piece by piece, as fast as the peer takes them, so that memory
 * does not grow with their size.
 */
#include "core/clock.h"
#include "core/units.h"
#include "http/problem.h"
#include "worker/handlers.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_MAX_KB 10240
#define KIB 1024

/* --- GET /data/{size_kb} --- */

#define X16 "xxxxxxxxxxxxxxxx"
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X4K X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256 X256

/* Read-only, so that all workers of a machine share it. */
static const char FILLER[] = X4K X4K X4K X4K;

struct data_stream {
    size_t left; /* characters of `data` to come */
    size_t tail_length;
    char tail[64]; /* what follows the characters */
};

static void on_data_abort(struct http_request *request)
{
    free(http_request_context(request));
}

/* Called again when the peer has taken what is queued. */
static void data_pump(struct http_request *request)
{
    struct data_stream *stream = http_request_context(request);

    while (stream->left > 0) {
        size_t piece = stream->left < sizeof(FILLER) - 1 ? stream->left : sizeof(FILLER) - 1;
        stream->left -= piece;
        if (!http_respond_write(request, FILLER, piece))
            return;
    }
    http_respond_write(request, stream->tail, stream->tail_length);
    http_respond_end(request);
    free(stream);
}

static void start_data(struct http_request *request, struct worker *worker, int64_t size_kb)
{
    struct data_stream *stream = malloc(sizeof(*stream));
    char timestamp[CLOCK_ISO_LENGTH + 1];
    struct json_writer w = worker_begin_answer(worker);
    struct buffer *head = &worker->answer;

    if (!stream) {
        http_respond_header(request, "Retry-After", "5");
        http_respond_problem(request, 503, "Out of memory");
        return;
    }
    json_member_int(&w, "size_kb", size_kb);
    json_key(&w, "data");
    buffer_append_char(head, '"');

    clock_format_iso(timestamp, clock_realtime_us());
    *stream = (struct data_stream){.left = (size_t)size_kb * KIB};
    int length = snprintf(stream->tail, sizeof(stream->tail), "\",\"timestamp\":\"%s\"}", timestamp);
    stream->tail_length = (size_t)length;

    http_request_set_context(request, stream);
    http_request_on_abort(request, on_data_abort);
    http_respond_on_drain(request, data_pump);
    http_respond_begin(request, 200, JSON_CONTENT_TYPE, (int64_t)(head->length + stream->left + stream->tail_length));
    if (http_respond_write(request, head->data, head->length))
        data_pump(request);
}

void handle_data(struct http_request *request, const struct http_match *match)
{
    char text[64];
    int64_t size_kb = 0;
    int rc = http_percent_decode(match->params[0], false, text, sizeof(text));

    if (rc >= 0)
        rc = units_parse_int(text, 0, DATA_MAX_KB, &size_kb);
    if (rc == -ERANGE && text[0] != '-')
        http_respond_problem(request, 400, "Size too large (max 10MB)");
    else if (rc < 0)
        http_respond_problem(request, 422, "size_kb must be an integer from 0 to %d", DATA_MAX_KB);
    else
        start_data(request, match->data, size_kb);
}

/* --- /echo --- */

static void copy_slice(char *out, size_t size, struct http_slice slice)
{
    size_t length = slice.length < size ? slice.length : size - 1;

    memcpy(out, slice.data, length);
    out[length] = '\0';
}

/* The answer begins with the first piece of the body, or its end: a peer that waits for "100 Continue" gets that first. */
static void begin_echo(struct http_request *request)
{
    struct http_slice type, length_text;
    char content_type[256] = "application/octet-stream", digits[24];
    int64_t length = http_request_has_body(request) ? -1 : 0;

    if (http_request_header(request, "Content-Type", &type) && type.length < sizeof(content_type))
        copy_slice(content_type, sizeof(content_type), type);
    if (http_request_header(request, "Content-Length", &length_text)) {
        copy_slice(digits, sizeof(digits), length_text);
        if (units_parse_int(digits, 0, INT64_MAX, &length) < 0)
            length = -1;
    }
    http_respond_begin(request, 200, content_type, length);
}

static char echo_begun; /* its address in the request's context says that the answer has begun */

static void on_echo_data(struct http_request *request, const char *data, size_t length)
{
    if (!http_request_context(request)) {
        http_request_set_context(request, &echo_begun);
        begin_echo(request);
    }
    if (length > 0)
        http_respond_write(request, data, length); /* reading pauses by itself while the peer is behind */
    else
        http_respond_end(request);
}

void handle_echo(struct http_request *request, const struct http_match *match)
{
    (void)match;
    http_request_stream_body(request, on_echo_data);
}
