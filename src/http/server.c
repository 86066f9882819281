/*
 * The server as a whole: its life, the sweep over deadlines, the turn of connections that have more to do, draining.
 */
#include "http/server_internal.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

#define SWEEP_MS_MAX 1000
#define SWEEP_MS_MIN 5

void server_release(struct http_server *server)
{
    if (--server->references > 0)
        return;
    while (server->free_inputs) {
        struct input *input = server->free_inputs;
        server->free_inputs = input->next;
        free(input);
    }
    free(server->output.data);
    free(server);
}

static void on_handle_closed(uv_handle_t *handle)
{
    server_release(handle->data);
}

/* --- deadlines --- */

static void on_sweep(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    uint64_t now_ms = uv_now(server->loop);
    struct connection *conn = LIST_FIRST(&server->connections);
    if (!conn) {
        uv_timer_stop(timer);
        return;
    }
    /* A callback may close any connection; its memory and its link stay until the close callbacks run. */
    for (struct connection *next; conn && !server->freed; conn = next) {
        next = LIST_NEXT(conn, link);
        connection_check_deadline(conn, now_ms);
    }
}

void server_start_sweep(struct http_server *server)
{
    if (uv_is_active((uv_handle_t *)&server->sweep))
        return;
    const struct http_server_limits *limits = &server->options.limits;
    uint64_t interval = SWEEP_MS_MAX;
    const unsigned timeouts[] = {limits->header_timeout_ms, limits->idle_timeout_ms, limits->progress_timeout_ms};
    for (size_t i = 0; i < ARRAY_SIZE(timeouts); i++) {
        if (timeouts[i] / 4 < interval)
            interval = timeouts[i] / 4;
    }
    if (interval < SWEEP_MS_MIN)
        interval = SWEEP_MS_MIN;
    uv_timer_start(&server->sweep, on_sweep, interval, interval);
}

/* --- turns --- */

void server_make_unready(struct connection *conn)
{
    if (!conn->ready)
        return;
    conn->ready = false;
    conn->server->ready_count--;
    TAILQ_REMOVE(&conn->server->ready, conn, ready_link);
}

static void on_turn(uv_idle_t *idle)
{
    struct http_server *server = idle->data;
    /* Those that become ready meanwhile wait for the next turn. */
    for (unsigned n = server->ready_count; n > 0 && !TAILQ_EMPTY(&server->ready); n--) {
        struct connection *conn = TAILQ_FIRST(&server->ready);
        server_make_unready(conn);
        connection_process(conn);
    }
    if (TAILQ_EMPTY(&server->ready) && !server->freed)
        uv_idle_stop(idle);
}

void server_make_ready(struct connection *conn)
{
    struct http_server *server = conn->server;
    if (conn->ready || conn->state == CONNECTION_CLOSED)
        return;
    conn->ready = true;
    server->ready_count++;
    TAILQ_INSERT_TAIL(&server->ready, conn, ready_link);
    uv_idle_start(&server->turn, on_turn);
}

/* --- life --- */

struct http_server *http_server_new(uv_loop_t *loop, const struct http_server_options *options)
{
    struct http_server *server = xcalloc(1, sizeof *server);
    server->loop = loop;
    server->spare_fd = -1;
    server->options = *options;
    size_t twice = options->limits.max_header_bytes * 2;
    server->input_capacity = twice > INPUT_CAPACITY ? twice : INPUT_CAPACITY;
    LIST_INIT(&server->connections);
    TAILQ_INIT(&server->ready);
    uv_timer_init(loop, &server->sweep);
    uv_timer_init(loop, &server->drain);
    uv_timer_init(loop, &server->accept_pause);
    uv_idle_init(loop, &server->turn);
    server->sweep.data = server;
    server->drain.data = server;
    server->accept_pause.data = server;
    server->turn.data = server;
    server->references = 4;
    return server;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

unsigned http_server_connections(const struct http_server *server)
{
    return server->open;
}

void http_server_bytes(const struct http_server *server, uint64_t *received, uint64_t *sent)
{
    *received = server->bytes_received;
    *sent = server->bytes_sent;
}

void http_server_each_socket(const struct http_server *server, void (*visit)(int socket, void *data), void *data)
{
    for (struct connection *conn = LIST_FIRST(&server->connections); conn; conn = LIST_NEXT(conn, link))
        visit(conn->fd, data);
}

static void drained(struct http_server *server)
{
    void (*on_drained)(void *) = server->on_drained;
    server->on_drained = NULL;
    uv_timer_stop(&server->drain);
    if (on_drained)
        on_drained(server->drained_data);
}

void server_connection_closed(struct http_server *server)
{
    server->existing--;
    if (server->draining && !server->freed && server->existing == 0)
        drained(server);
}

static void close_all(struct http_server *server)
{
    while (!LIST_EMPTY(&server->connections))
        connection_close(LIST_FIRST(&server->connections));
}

static void on_drain_timer(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    if (server->existing == 0)
        drained(server);
    else
        close_all(server); /* the last close callback ends the draining */
}

void http_server_drain(struct http_server *server, unsigned timeout_ms, void (*on_drained)(void *data), void *data)
{
    if (server->draining)
        return;
    listeners_accept_backlog(server);
    listeners_close(server);
    server->draining = true;
    server->on_drained = on_drained;
    server->drained_data = data;
    for (struct connection *conn = LIST_FIRST(&server->connections), *next; conn; conn = next) {
        next = LIST_NEXT(conn, link);
        connection_close_if_idle(conn);
    }
    uv_timer_start(&server->drain, on_drain_timer, server->existing > 0 ? timeout_ms : 0, 0);
}

void http_server_free(struct http_server *server)
{
    if (!server || server->freed)
        return;
    listeners_close(server);
    struct connection *conn = LIST_FIRST(&server->connections);
    for (struct connection *next; conn; conn = next) {
        next = LIST_NEXT(conn, link);
        connection_abort(conn);
    }
    server->freed = true;
    server->options.memory = NULL; /* what its last handles give back is nobody's any more */
    close_all(server);
    uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
    uv_close((uv_handle_t *)&server->drain, on_handle_closed);
    uv_close((uv_handle_t *)&server->accept_pause, on_handle_closed);
    uv_close((uv_handle_t *)&server->turn, on_handle_closed);
}
