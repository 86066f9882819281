/*
 * `GET /api/servers/{id}/logs?tail=` or `?from=`: lines of a server's log by offset. The disk is read in the thread
 * pool.
 */
#include "core/memory.h"
#include "http/problem.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/query.h"
#include "supervisor/api/reply.h"
#include "supervisor/api/view.h"
#include "supervisor/farm/logfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TAIL 100
#define MAX_TAIL 10000
#define MAX_BYTES (1 << 20)
#define ESCAPED_BYTE 6 /* bytes of JSON for the worst byte of a log */
#define FRAME_BYTES 1024

struct log_read {
    struct reply reply;
    uv_work_t work;
    struct api *api;
    int server_id;
    char *path;
    bool by_offset;
    int64_t from, tail, max_bytes;
    struct buffer text;
    struct logfile_part part;
    int rc;
    struct error err;
};

static void read_in_pool(uv_work_t *work)
{
    struct log_read *op = work->data;

    if (op->by_offset)
        op->rc = logfile_read(op->path, op->from, (size_t)op->max_bytes, &op->text, &op->part, &op->err);
    else
        op->rc = logfile_tail(op->path, (unsigned)op->tail, (size_t)op->max_bytes, &op->text, &op->part, &op->err);
}

static void write_lines(struct json_writer *w, const struct buffer *text)
{
    const char *at = text->data, *end = text->data + text->length;

    json_begin_array(w);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        json_string_n(w, at, (size_t)(stop - at));
        at = newline != NULL ? newline + 1 : end;
    }
    json_end_array(w);
}

static void on_read(uv_work_t *work, int status)
{
    struct log_read *op = work->data;
    struct buffer out = BUFFER_EMPTY;
    struct json_writer w = json_writer_to(&out);

    if (status < 0) {
        error_set(&op->err, -status, "the log of server %d was not read: %s", op->server_id, uv_strerror(status));
        reply_error(&op->reply, &op->err);
    } else if (op->rc < 0) {
        reply_error(&op->reply, &op->err);
    } else if (!buffer_try_reserve(&out, op->text.length * ESCAPED_BYTE + FRAME_BYTES)) {
        error_set(&op->err, ENOMEM, "there is no memory for %zu bytes of log; try again later", op->text.length);
        reply_error(&op->reply, &op->err);
    } else {
        json_begin_object(&w);
        json_member_int(&w, "server_id", op->server_id);
        json_key(&w, "lines");
        write_lines(&w, &op->text);
        json_member_int(&w, "start", op->part.start);
        json_member_int(&w, "end", op->part.end);
        json_member_int(&w, "first", op->part.first);
        view_timestamp(&w);
        json_end_object(&w);
        reply_json(&op->reply, 200, &out);
    }
    buffer_done(&op->text);
    api_end_fanout(op->api);
    free(op->path);
    free(op);
}

static bool read_query(struct http_request *request, struct log_read *wanted)
{
    struct http_slice query = http_request_query(request);
    struct error err = {0};

    int from = query_int(query, "from", 0, BODY_MAX_INT, &wanted->from, &err);
    int tail = from < 0 ? 0 : query_int(query, "tail", 1, MAX_TAIL, &wanted->tail, &err);
    int bytes = from < 0 || tail < 0 ? 0 : query_int(query, "max_bytes", 1, MAX_BYTES, &wanted->max_bytes, &err);
    if (from < 0 || tail < 0 || bytes < 0) {
        respond_error(request, &err);
        return false;
    }
    if (from > 0 && tail > 0) {
        http_respond_problem(request, 422, "from and tail exclude each other: send one of them");
        return false;
    }
    wanted->by_offset = from > 0;
    return true;
}

void logs_get(struct http_request *request, const struct http_match *match)
{
    struct log_read wanted = {.api = api_of(match), .tail = DEFAULT_TAIL, .max_bytes = MAX_BYTES};
    struct server *server;

    if (!api_match_server(request, match, &server) || !read_query(request, &wanted) ||
        !api_begin_fanout(request, wanted.api))
        return;
    struct log_read *op = xmalloc(sizeof(*op));
    *op = wanted;
    op->server_id = server->id;
    op->path = xstrdup(server->log_path);
    op->work.data = op;
    reply_hold(&op->reply, request, NULL);
    uv_queue_work(farm_loop(op->api->farm), &op->work, read_in_pool, on_read);
}
