/*
 * One connection: reading, the order of its requests, flow control, deadlines and the ways in which it ends.
 */
#include "http/server_internal.h"

#include "http/problem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- input buffers --- */

struct input *input_take(struct http_server *server)
{
    struct input *input = server->free_inputs;
    if (input) {
        server->free_inputs = input->next;
        server->free_input_count--;
        return input;
    }
    size_t table = (server->options.limits.max_headers + 1) * sizeof(struct header_ref);
    input = malloc(sizeof *input + table + server->input_capacity);
    if (input)
        input->data = (char *)input->headers + table;
    return input;
}

static void input_give_back(struct http_server *server, struct input *input)
{
    if (!input)
        return;
    if (server->free_input_count >= INPUTS_KEPT) {
        free(input);
        return;
    }
    input->next = server->free_inputs;
    server->free_inputs = input;
    server->free_input_count++;
}

/* --- the end of a connection --- */

static void report(struct http_request *request)
{
    struct http_server *server = request->connection->server;
    request->active = false;
    if (!server->options.on_done || server->freed)
        return;
    struct http_done done = {
        .status = request->status,
        .body_bytes = request->sent,
        .duration_ns = (uint64_t)clock_monotonic_ns() - request->started_ns,
    };
    server->options.on_done(request, &done, server->options.data);
}

/* Whether the handler waits for something that only the connection could bring. */
static bool handler_waits(const struct http_request *request)
{
    bool for_body = (request->on_body || request->on_data) && !request->body_done;
    return for_body || (request->want_drain && request->on_drain);
}

bool connection_abort(struct connection *conn)
{
    struct http_request *request = &conn->request;
    if (!request->active)
        return true;
    if (!request->ended && !request->on_abort && !handler_waits(request))
        return false;
    void (*on_abort)(struct http_request *) = request->ended ? NULL : request->on_abort;
    request->ended = true;
    request->on_abort = NULL;
    if (on_abort)
        on_abort(request);
    if (request->active)
        report(request);
    return true;
}

static void destroy(struct connection *conn)
{
    struct http_server *server = conn->server;
    request_reset(&conn->request);
    input_give_back(server, conn->input);
    free(conn);
    server_release(server);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *conn = handle->data;
    struct http_server *server = conn->server;

    conn->queued = 0;
    conn->orphan = !connection_abort(conn);
    server_connection_closed(server);
    if (!conn->orphan)
        destroy(conn);
}

void connection_close(struct connection *conn)
{
    struct http_server *server = conn->server;
    if (conn->state == CONNECTION_CLOSED)
        return;
    conn->state = CONNECTION_CLOSED;
    output_disown(conn);
    LIST_REMOVE(conn, link);
    server_make_unready(conn);
    server->open--;
    if (server->options.on_disconnect && !server->freed && conn->fd >= 0)
        server->options.on_disconnect(conn->fd, server->options.data);
    uv_close((uv_handle_t *)&conn->tcp, on_closed);
    if (conn->on_spare)
        listeners_spare_is_back(server);
}

/* After the last answer. A peer that still sends would get a reset, which can destroy the answer before it was read;
 * so unless all it sent was taken, only our side is shut and the rest is thrown away for a while. */
static void finish_and_close(struct connection *conn)
{
    bool all_taken = conn->request.body_done && conn->start == conn->end;
    if (conn->eof || all_taken || shutdown(conn->fd, SHUT_WR) < 0) {
        connection_close(conn);
        return;
    }
    conn->state = CONNECTION_LINGER;
    conn->since_ms = uv_now(conn->server->loop);
}

/* --- refusals: answers that no handler gives --- */

static void answer_problem(struct http_request *request, int status, const char *detail)
{
    request->close = true;
    request->body_done = false; /* where the next request begins is unknown, so what follows is not looked at */
    buffer_done(&request->extra_headers);
    if (status == 503)
        http_respond_header(request, "Retry-After", "1");
    http_respond_problem(request, status, "%s", detail);
}

void connection_refuse(struct connection *conn, int status, const char *detail)
{
    struct http_request *request = &conn->request;
    struct http_server *server = conn->server;
    request_reset(request);
    request->connection = conn;
    request->minor_version = 1;
    if (conn->head_started && conn->end - conn->start > 5 && memcmp(conn->input->data + conn->start, "HEAD ", 5) == 0)
        request->method = HTTP_METHOD_HEAD;
    if (server->options.on_refused)
        server->options.on_refused(status, server->options.data);
    if (conn->state == CONNECTION_CLOSED)
        return;
    conn->state = CONNECTION_REQUEST;
    answer_problem(request, status, detail);
}

void request_fail(struct http_request *request, int status, const char *detail)
{
    struct connection *conn = request->connection;
    bool answered = request->ended; /* the handler is done with it */
    bool sent = request->begun && !output_holds_answer(request);
    void (*on_abort)(struct http_request *) = answered ? NULL : request->on_abort;
    request->on_abort = NULL;
    request->on_body = NULL;
    request->on_data = NULL;
    request->on_drain = NULL;
    if (on_abort)
        on_abort(request);
    if (conn->state == CONNECTION_CLOSED)
        return;
    if (sent && answered) {
        request->close = true;
        return;
    }
    if (sent) {
        request->ended = true;
        connection_close(conn);
        return;
    }
    if (request->begun)
        output_take_back(request);
    answer_problem(request, status, detail);
}

/* --- steps; each returns whether to go on --- */

static bool step_head(struct connection *conn)
{
    struct http_server *server = conn->server;
    if (server->paused)
        return false; /* what has been read waits in the input */
    if (conn->start < conn->end) {
        enum head_result result = request_head_parse(conn);
        if (result == HEAD_COMPLETE) {
            conn->state = CONNECTION_REQUEST;
            conn->request.active = true;
            server->options.on_request(&conn->request, server->options.data);
        }
        if (result != HEAD_INCOMPLETE)
            return true;
    }
    if (!conn->eof)
        return false;
    if (conn->head_started)
        connection_refuse(conn, 400, "The connection ended in the middle of the header.");
    else
        connection_close(conn);
    return true;
}

/* Throws away what is left of the request's body. False when more of it has to come, or nothing is to be done. */
static bool body_is_gone(struct connection *conn)
{
    struct http_request *request = &conn->request;
    if (request->body_done)
        return true;
    if (request->use != BODY_DISCARD) {
        request->use = BODY_DISCARD;
        request->body_consumed = 0;
        request->on_body = NULL;
        request->on_data = NULL;
        conn->since_ms = uv_now(conn->server->loop);
    }
    while (!request->close && request_body_step(conn)) /* a malformed one sets close */
        ;
    if (!request->body_done && (conn->eof || request->body_consumed > DISCARD_MAX))
        request->close = true;
    return request->body_done;
}

static bool step_finish(struct connection *conn)
{
    struct http_request *request = &conn->request;

    /* What is there of a body that the handler did not ask for is looked at while the answer can still be taken back. */
    if (!request->close && output_holds_answer(request))
        body_is_gone(conn);
    /* Answers to pipelined requests go out together. */
    bool more_waiting = conn->start < conn->end && request->body_done && !request->close;
    if (!more_waiting)
        output_flush(conn);
    if (conn->state == CONNECTION_CLOSED || conn->queued > 0)
        return false;
    if (request->active)
        report(request);
    if (conn->state != CONNECTION_FINISH)
        return false;
    if (!request->close && !body_is_gone(conn) && !request->close)
        return false;
    if (request->close) {
        finish_and_close(conn);
        return true;
    }
    request_reset(request);
    conn->state = CONNECTION_HEAD;
    conn->head_started = false;
    conn->blank_lines = 0;
    conn->served = true;
    conn->since_ms = uv_now(conn->server->loop);
    if (conn->server->draining)
        connection_close_if_idle(conn); /* the head of its answer was written before */
    return conn->start < conn->end || conn->eof;
}

static bool step_linger(struct connection *conn)
{
    conn->start = conn->end;
    if (conn->eof)
        connection_close(conn);
    return false;
}

/* --- reading --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

/* Brings the input buffer and the reading in line with what the connection needs now. */
static void settle(struct connection *conn)
{
    struct http_server *server = conn->server;
    struct http_request *request = &conn->request;
    if (conn->state == CONNECTION_CLOSED)
        return;
    bool pinned = request->active; /* its slices point into the input */
    if (conn->start == conn->end) {
        if (!pinned && conn->input) {
            input_give_back(server, conn->input);
            conn->input = NULL;
            conn->start = conn->end = 0;
        } else if (pinned) {
            conn->start = conn->end = (size_t)(request->head - conn->input->data) + request->head_length;
        }
    } else if (!pinned && server->input_capacity - conn->end < server->options.limits.max_header_bytes) {
        memmove(conn->input->data, conn->input->data + conn->start, conn->end - conn->start);
        conn->parsed -= conn->head_started ? conn->start : 0;
        conn->end -= conn->start;
        conn->start = 0;
    }
    bool full = conn->input && conn->end == server->input_capacity;
    bool read = !conn->eof && !full;
    if (read == conn->reading)
        return;
    conn->reading = read;
    if (!read)
        uv_read_stop((uv_stream_t *)&conn->tcp);
    else if (uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read) < 0)
        connection_close(conn);
}

void connection_process(struct connection *conn)
{
    unsigned requests = 0;
    bool more = true;
    conn->corked = true;
    while (more) {
        switch (conn->state) {
        case CONNECTION_HEAD:
            more = requests < BATCH_MAX && step_head(conn);
            if (requests++ == BATCH_MAX)
                server_make_ready(conn);
            break;
        case CONNECTION_REQUEST:
            more = request_body_step(conn);
            break;
        case CONNECTION_FINISH:
            more = step_finish(conn);
            break;
        case CONNECTION_LINGER:
            more = step_linger(conn);
            break;
        case CONNECTION_CLOSED:
            more = false;
            break;
        }
    }
    conn->corked = false;
    output_flush(conn);
    settle(conn);
}

void connection_answered(struct connection *conn)
{
    if (conn->orphan) {
        report(&conn->request);
        destroy(conn);
        return;
    }
    if (conn->state == CONNECTION_CLOSED)
        return;
    conn->state = CONNECTION_FINISH;
    if (conn->corked)
        return;
    /* The handler answers later than it was called: what follows on this connection must not run on its stack. */
    conn->corked = true;
    bool more = step_finish(conn);
    conn->corked = false;
    output_flush(conn);
    if (more && conn->state != CONNECTION_CLOSED)
        server_make_ready(conn);
    settle(conn);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static _Thread_local char thrown_away[INPUT_CAPACITY];
    (void)suggested;
    struct connection *conn = handle->data;
    if (conn->state == CONNECTION_LINGER) {
        *buf = uv_buf_init(thrown_away, sizeof thrown_away);
        return;
    }
    if (!conn->input)
        conn->input = input_take(conn->server);
    if (conn->input)
        *buf = uv_buf_init(conn->input->data + conn->end, (unsigned)(conn->server->input_capacity - conn->end));
    else
        *buf = uv_buf_init(NULL, 0); /* makes libuv report that it has no buffer */
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)buf;
    struct connection *conn = stream->data;
    if (nread == 0) {
        settle(conn);
        return;
    }
    if (nread == UV_ENOBUFS && conn->state == CONNECTION_HEAD) {
        connection_refuse(conn, 503, "There is not enough memory for the request. Try again in a moment.");
        return;
    }
    if (nread == UV_EOF) {
        conn->eof = true;
        conn->reading = false;
    } else if (nread < 0) {
        connection_close(conn);
        return;
    } else {
        if (conn->state != CONNECTION_LINGER)
            conn->end += (size_t)nread;
        conn->server->bytes_received += (size_t)nread;
        if (conn->state == CONNECTION_REQUEST || conn->state == CONNECTION_FINISH)
            conn->since_ms = uv_now(conn->server->loop);
    }
    connection_process(conn);
}

/* --- the beginning and the deadlines --- */

static unsigned overflow_max(unsigned max)
{
    unsigned part = max / 4;
    return part > OVERFLOW_MAX ? OVERFLOW_MAX : part < OVERFLOW_MIN ? OVERFLOW_MIN : part;
}

static struct connection *open_connection(struct http_server *server, int fd, bool on_spare)
{
    unsigned max = server->options.limits.max_connections;
    bool has_room = on_spare || server->open < max + overflow_max(max);
    struct connection *conn = has_room ? calloc(1, sizeof *conn) : NULL;
    if (!conn) {
        close(fd);
        return NULL;
    }
    conn->fd = fd;
    conn->on_spare = on_spare;
    conn->server = server;
    conn->request.connection = conn;
    conn->since_ms = uv_now(server->loop);
    uv_tcp_init(server->loop, &conn->tcp);
    conn->tcp.data = conn;
    server->references++;
    server->existing++;
    server->open++;
    LIST_INSERT_HEAD(&server->connections, conn, link);
    if (uv_tcp_open(&conn->tcp, fd) < 0) {
        close(fd);
        conn->fd = -1;
        connection_close(conn);
        return NULL;
    }
    server_start_sweep(server);
    return conn;
}

struct connection *connection_open(struct http_server *server, int fd)
{
    bool overflow = server->open >= server->options.limits.max_connections;
    struct connection *conn = open_connection(server, fd, false);
    if (conn && overflow) {
        connection_refuse(conn, 503, "Too many connections. Try again in a moment.");
        return NULL;
    }
    if (conn)
        settle(conn);
    return conn;
}

void connection_open_refused(struct http_server *server, int spare_fd)
{
    struct connection *conn = open_connection(server, spare_fd, true);
    if (conn)
        connection_refuse(conn, 503, "There are too many open files here. Try again in a moment.");
    else
        listeners_spare_is_back(server);
}

static void check_progress(struct connection *conn, uint64_t now_ms)
{
    unsigned limit = conn->server->options.limits.progress_timeout_ms;
    struct http_request *request = &conn->request;
    if (conn->queued > 0) {
        size_t size = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
        if (size != conn->queue_seen) {
            conn->queue_seen = size;
            conn->since_ms = now_ms;
        } else if (now_ms - conn->since_ms > limit) {
            connection_close(conn);
        }
        return;
    }
    bool wants_body = !request->body_done && request->use != BODY_UNASKED;
    if (!wants_body || now_ms - conn->since_ms <= limit)
        return;
    if (conn->state == CONNECTION_REQUEST)
        request_fail(request, 408, "The body did not arrive in time.");
    else
        connection_close(conn);
}

void connection_check_deadline(struct connection *conn, uint64_t now_ms)
{
    const struct http_server_limits *limits = &conn->server->options.limits;
    uint64_t elapsed = now_ms > conn->since_ms ? now_ms - conn->since_ms : 0;
    switch (conn->state) {
    case CONNECTION_HEAD:
        if (conn->head_started || !conn->served) {
            if (elapsed > limits->header_timeout_ms)
                connection_refuse(conn, 408, "The header did not arrive in time.");
        } else if (elapsed > limits->idle_timeout_ms) {
            connection_close(conn);
        }
        break;
    case CONNECTION_REQUEST:
    case CONNECTION_FINISH:
        check_progress(conn, now_ms);
        break;
    case CONNECTION_LINGER:
        if (elapsed > LINGER_MS)
            connection_close(conn);
        break;
    case CONNECTION_CLOSED:
        break;
    }
}

void connection_close_if_idle(struct connection *conn)
{
    int unread = 0;
    if (conn->state != CONNECTION_HEAD || conn->start < conn->end)
        return;
    if (ioctl(conn->fd, FIONREAD, &unread) == 0 && unread > 0)
        return; /* its request is here already, only not read yet */
    connection_close(conn);
}
