/*
 * Handing the sockets of a server to another process. A connection between two requests is its descriptor and the bytes
 * that were read ahead, no more; so the server pauses until all of them are there, and the other parses these bytes anew.
 */
#include "http/server_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void http_server_pause(struct http_server *server)
{
    server->paused = true;
    listeners_stop(server);
}

void http_server_resume(struct http_server *server)
{
    server->paused = false;
    listeners_start(server);
    for (struct connection *conn = LIST_FIRST(&server->connections); conn; conn = LIST_NEXT(conn, link))
        server_make_ready(conn);
}

/* --- what is under way --- */

static bool is_under_way(const struct connection *conn)
{
    return conn->state != CONNECTION_HEAD || conn->queued > 0;
}

static void describe(const struct http_request *request, char *out, size_t size)
{
    struct http_slice method = http_request_method_name(request), path = http_request_path(request);
    snprintf(out, size, "%.*s %.*s", (int)method.length, method.data, (int)path.length, path.data);
}

void http_server_under_way(const struct http_server *server, struct http_under_way *under_way)
{
    uint64_t now_ns = (uint64_t)clock_monotonic_ns();
    *under_way = (struct http_under_way){0};
    for (const struct connection *conn = LIST_FIRST(&server->connections); conn; conn = LIST_NEXT(conn, link)) {
        if (!is_under_way(conn))
            continue;
        uint64_t age_ms = (now_ns - conn->request.started_ns) / (uint64_t)NS_PER_MS;
        if (under_way->count++ > 0 && age_ms <= under_way->oldest_ms)
            continue;
        if (conn->request.endless)
            continue;
        under_way->oldest_ms = age_ms;
        under_way->oldest[0] = '\0';
        if (conn->request.active)
            describe(&conn->request, under_way->oldest, sizeof under_way->oldest);
    }
}

/* --- giving --- */

void http_server_hand_over(const struct http_server *server,
                           void (*visit)(const struct http_socket *socket, void *data), void *data)
{
    for (const struct listener *listener = server->listeners; listener; listener = listener->next)
        visit(&(struct http_socket){.fd = listener->fd, .listens = true}, data);
    for (const struct connection *conn = LIST_FIRST(&server->connections); conn; conn = LIST_NEXT(conn, link)) {
        const struct http_socket socket = {
            .fd = conn->fd,
            .served = conn->served,
            .input = conn->input ? conn->input->data + conn->start : NULL,
            .length = conn->end - conn->start,
        };
        visit(&socket, data);
    }
}

/* --- taking --- */

static int take_connection(struct http_server *server, const struct http_socket *socket, struct error *err)
{
    if (socket->length > server->input_capacity) {
        close(socket->fd);
        return error_set(err, EMSGSIZE, "a connection that is taken over has too much unread input (%zu bytes)",
                         socket->length);
    }
    struct connection *conn = connection_open(server, socket->fd);
    if (!conn)
        return error_set(err, ENOMEM, "a connection cannot be taken over");
    conn->served = socket->served;
    if (socket->length == 0)
        return 0;
    conn->input = input_take(server);
    if (!conn->input) {
        connection_close(conn);
        return error_set(err, ENOMEM, "a connection cannot be taken over: out of memory");
    }
    memcpy(conn->input->data, socket->input, socket->length);
    conn->end = socket->length;
    server_make_ready(conn);
    return 0;
}

int http_server_take(struct http_server *server, const struct http_socket *socket, struct error *err)
{
    int code = 0, value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(socket->fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) < 0) {
        code = errno;
        close(socket->fd);
        return error_set_errno(err, code, "descriptor %d, which was handed over, is no socket", socket->fd);
    }
    fcntl(socket->fd, F_SETFD, FD_CLOEXEC);
    if (!socket->listens)
        return take_connection(server, socket, err);
    if (value == 0)
        code = error_set(err, EINVAL, "socket %d, which was handed over, does not listen", socket->fd);
    else
        code = listeners_add(server, socket->fd, err);
    if (code < 0)
        close(socket->fd);
    return code;
}
