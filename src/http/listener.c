/*
 * Listening sockets. They are watched with uv_poll and accepted from here rather than through uv_listen, so that a bind
 * error is known at once and running out of descriptors pauses accepting instead of spinning.
 */
#include "http/server_internal.h"

#include "core/log.h"
#include "core/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 4096
#define ACCEPT_MAX 128 /* connections of one listener in one loop turn */
#define ACCEPT_PAUSE_MS 100
#define WARN_EVERY_MS 10000
#define PORT_TRIES 16

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static void tell_accept(struct http_server *server, int code)
{
    uint64_t now_ms = uv_now(server->loop);
    server->accept_fails = code != 0;
    if (server->options.on_accept) {
        server->options.on_accept(-code, server->options.data);
    } else if (code != 0 && (server->accept_warned_ms == 0 || now_ms - server->accept_warned_ms >= WARN_EVERY_MS)) {
        server->accept_warned_ms = now_ms;
        log_warning("cannot accept connections on port %u: %s; new ones wait (more descriptors: ulimit -n)",
                    server->port, strerror(code));
    }
}

static void keep_spare(struct http_server *server)
{
    if (server->spare_fd < 0)
        server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Gives the spare descriptor to one that waits, who is told why it is not served. */
static void refuse_one(struct http_server *server)
{
    if (server->spare_fd < 0)
        return;
    close(server->spare_fd);
    server->spare_fd = -1;
    int fd = -1;
    for (struct listener *listener = server->listeners; listener && fd < 0; listener = listener->next)
        fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        connection_open_refused(server, fd);
    else
        keep_spare(server);
}

static void pause_accepting(struct http_server *server, int code)
{
    tell_accept(server, code);
    listeners_stop(server);
    uv_timer_start(&server->accept_pause, listeners_on_accept_pause, ACCEPT_PAUSE_MS, 0);
}

/* Errors of accept(2) that concern one connection only; the next may be fine. */
static bool is_passing(int code)
{
    switch (code) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return true;
    default:
        return false;
    }
}

static void accept_some(struct listener *listener)
{
    struct http_server *server = listener->server;
    for (unsigned i = 0; i < ACCEPT_MAX && listener->fd >= 0; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int code = fd < 0 ? errno : 0;
        bool is_empty = code == EAGAIN || code == EWOULDBLOCK;
        if (server->accept_fails && (code == 0 || is_empty))
            tell_accept(server, 0);
        if (is_empty)
            return;
        if (code == 0) {
            connection_open(server, fd);
        } else if (!is_passing(code)) {
            pause_accepting(server, code);
            if (code == EMFILE || code == ENFILE)
                refuse_one(server);
            return;
        }
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct listener *listener = poll->data;
    if (status < 0)
        pause_accepting(listener->server, -status);
    else
        accept_some(listener);
}

void listeners_stop(struct http_server *server)
{
    uv_timer_stop(&server->accept_pause);
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        uv_poll_stop(&listener->poll);
}

void listeners_start(struct http_server *server)
{
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

/* Tried at once and not only when somebody comes, so that the end of the want is noticed. */
static void accept_again(struct http_server *server)
{
    keep_spare(server);
    listeners_start(server);
    for (struct listener *listener = server->listeners; listener; listener = listener->next) {
        if (uv_is_active((uv_handle_t *)&listener->poll))
            accept_some(listener);
    }
}

void listeners_on_accept_pause(uv_timer_t *timer)
{
    accept_again(timer->data);
}

void listeners_spare_is_back(struct http_server *server)
{
    if (!server->listeners)
        return;
    keep_spare(server);
    if (server->spare_fd >= 0 && uv_is_active((uv_handle_t *)&server->accept_pause))
        uv_timer_start(&server->accept_pause, listeners_on_accept_pause, 0, 0); /* the next one, not on this stack */
}

void listeners_accept_backlog(struct http_server *server)
{
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        accept_some(listener);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct http_server *server = listener->server;
    free(listener);
    server_release(server);
}

void listeners_close(struct http_server *server)
{
    uv_timer_stop(&server->accept_pause);
    if (server->spare_fd >= 0)
        close(server->spare_fd);
    server->spare_fd = -1;
    while (server->listeners) {
        struct listener *listener = server->listeners;
        server->listeners = listener->next;
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        close(listener->fd);
        listener->fd = -1;
    }
}

static int parse_address(const char *host, uint16_t port, union address *address, socklen_t *length)
{
    memset(address, 0, sizeof *address);
    if (uv_ip4_addr(host, port, &address->v4) == 0)
        *length = sizeof address->v4;
    else if (uv_ip6_addr(host, port, &address->v6) == 0)
        *length = sizeof address->v6;
    else
        return -EINVAL;
    return 0;
}

/* A socket that listens, or a negative code. */
static int open_socket(const union address *address, socklen_t length)
{
    int on = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &address->any, length) < 0 || listen(fd, BACKLOG) < 0) {
        int code = errno;
        close(fd);
        return -code;
    }
    return fd;
}

static uint16_t bound_port(int fd)
{
    union address address = {0};
    socklen_t length = sizeof address;
    if (getsockname(fd, &address.any, &length) < 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* Opens one address; *fd is the socket. */
static int open_address(const char *host, uint16_t port, int *fd, struct error *err)
{
    union address address;
    socklen_t length;
    if (parse_address(host, port, &address, &length) < 0)
        return error_set(err, EINVAL, "cannot listen on \"%s\": not an IP address or \"localhost\"", host);
    int result = open_socket(&address, length);
    if (result < 0)
        return error_set_errno(err, -result, "cannot listen on %s port %u", host, port);
    *fd = result;
    return 0;
}

int listeners_add(struct http_server *server, int fd, struct error *err)
{
    struct listener *listener = xcalloc(1, sizeof *listener);
    int code = uv_poll_init(server->loop, &listener->poll, fd);
    if (code < 0) {
        free(listener);
        return error_set_errno(err, -code, "cannot watch a listening socket");
    }
    listener->poll.data = listener;
    listener->server = server;
    listener->fd = fd;
    listener->next = server->listeners;
    server->listeners = listener;
    keep_spare(server);
    server->references++;
    if (server->port == 0)
        server->port = bound_port(fd);
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return 0;
}

static bool means_no_ipv6(int code)
{
    return code == -EAFNOSUPPORT || code == -EADDRNOTAVAIL || code == -EPROTONOSUPPORT;
}

/* 127.0.0.1 and ::1 on one port. A free port of the one may be taken on the other, then another is tried. */
static int open_localhost(uint16_t port, int fds[2], struct error *err)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        int code = open_address("127.0.0.1", port, &fds[0], err);
        if (code < 0)
            return code;
        struct error second;
        code = open_address("::1", bound_port(fds[0]), &fds[1], &second);
        if (code == 0 || means_no_ipv6(code))
            return 0;
        close(fds[0]);
        fds[0] = -1;
        if (code != -EADDRINUSE || port != 0)
            return error_set(err, second.code, "%s", second.message);
    }
    return error_set(err, EADDRINUSE, "cannot find a port that is free on both 127.0.0.1 and ::1");
}

int http_server_listen(struct http_server *server, const char *host, uint16_t port, struct error *err)
{
    int fds[2] = {-1, -1};
    int code = strcmp(host, "localhost") == 0 ? open_localhost(port, fds, err) : open_address(host, port, &fds[0], err);
    for (int i = 0; i < 2; i++) {
        if (fds[i] < 0)
            continue;
        if (code == 0)
            code = listeners_add(server, fds[i], err);
        else
            close(fds[i]);
    }
    return code;
}
