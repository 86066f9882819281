/*
 * Each connection is two sockets and a buffer for each direction: what was read is written before more is read, so memory is
 * bounded and the slower side sets the pace.
 */
#include "supervisor/runtime/swarm/relay.h"

#include "core/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#define HOSTS 2 /* what localhost is */
#define BACKLOG 511
#define MAX_PAIRS 1100 /* what one load test may open to a server, and some */
#define PIECE ((size_t)16 * 1024)

struct pair;

struct side {
    uv_tcp_t tcp;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct pair *pair;
    struct side *other;
    bool ended; /* it has said all it will say */
    char piece[PIECE];
};

struct pair {
    struct relay *relay; /* NULL: that is closed */
    struct side client, server;
    uv_connect_t connect;
    unsigned open; /* handles */
    bool closing;
    LIST_ENTRY(pair) link;
};

struct relay {
    uv_loop_t *loop;
    uv_tcp_t listeners[HOSTS];
    unsigned open; /* listeners */
    bool retired, closed;
    struct sockaddr_storage target;
    unsigned count;
    LIST_HEAD(, pair) pairs;
};

/* --- one connection --- */

static void on_side_closed(uv_handle_t *handle)
{
    struct pair *pair = ((struct side *)handle->data)->pair;

    if (--pair->open == 0)
        free(pair);
}

static void pair_close(struct pair *pair)
{
    if (pair->closing)
        return;
    pair->closing = true;
    if (pair->relay) {
        pair->relay->count--;
        LIST_REMOVE(pair, link);
    }
    uv_close((uv_handle_t *)&pair->client.tcp, on_side_closed);
    uv_close((uv_handle_t *)&pair->server.tcp, on_side_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct side *side = handle->data;

    (void)suggested;
    *buf = uv_buf_init(side->piece, sizeof(side->piece));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf);

static void on_written(uv_write_t *request, int status)
{
    struct side *from = request->data;

    if (from->pair->closing)
        return;
    if (status < 0 || uv_read_start((uv_stream_t *)&from->tcp, on_alloc, on_read) < 0)
        pair_close(from->pair);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    struct side *to = request->data;

    if (!to->pair->closing && (status < 0 || to->ended))
        pair_close(to->pair);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buf)
{
    struct side *from = stream->data;
    struct side *to = from->other;

    if (length == 0)
        return;
    uv_read_stop(stream);
    if (length == UV_EOF) { /* half closed: an answer may still come */
        from->ended = true;
        to->shutdown.data = to;
        if (uv_shutdown(&to->shutdown, (uv_stream_t *)&to->tcp, on_shut) < 0)
            pair_close(from->pair);
        return;
    }
    uv_buf_t piece = uv_buf_init(buf->base, length > 0 ? (unsigned)length : 0);
    to->write.data = from;
    if (length < 0 || uv_write(&to->write, (uv_stream_t *)&to->tcp, &piece, 1, on_written) < 0)
        pair_close(from->pair);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct pair *pair = request->data;

    if (pair->closing)
        return;
    if (status < 0 || uv_read_start((uv_stream_t *)&pair->client.tcp, on_alloc, on_read) < 0 ||
        uv_read_start((uv_stream_t *)&pair->server.tcp, on_alloc, on_read) < 0)
        pair_close(pair);
}

static void side_init(struct pair *pair, struct side *side, struct side *other)
{
    uv_tcp_init(pair->relay->loop, &side->tcp);
    side->tcp.data = side;
    side->pair = pair;
    side->other = other;
    pair->open++;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct relay *relay = listener->data;

    if (status < 0)
        return;
    struct pair *pair = xcalloc(1, sizeof(*pair));
    pair->relay = relay;
    relay->count++;
    LIST_INSERT_HEAD(&relay->pairs, pair, link);
    side_init(pair, &pair->client, &pair->server);
    side_init(pair, &pair->server, &pair->client);
    pair->connect.data = pair;
    if (uv_accept(listener, (uv_stream_t *)&pair->client.tcp) < 0 || relay->count > MAX_PAIRS ||
        uv_tcp_connect(&pair->connect, &pair->server.tcp, (const struct sockaddr *)&relay->target, on_connected) < 0) {
        pair_close(pair);
        return;
    }
    uv_tcp_nodelay(&pair->client.tcp, 1);
    uv_tcp_nodelay(&pair->server.tcp, 1);
}

/* --- the port --- */

static void on_listener_closed(uv_handle_t *handle)
{
    struct relay *relay = handle->data;

    if (--relay->open == 0 && relay->closed)
        free(relay);
}

static int listen_at(struct relay *relay, const struct sockaddr *here)
{
    uv_tcp_t *listener = &relay->listeners[relay->open];

    uv_tcp_init(relay->loop, listener);
    uv_unref((uv_handle_t *)listener);
    listener->data = relay;
    relay->open++;
    int rc = uv_tcp_bind(listener, here, 0);
    return rc < 0 ? rc : uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
}

/* A machine without IPv6 has no ::1, and needs none. */
static int listen_here(struct relay *relay, uint16_t port)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    uv_ip4_addr("127.0.0.1", port, &v4);
    uv_ip6_addr("::1", port, &v6);
    int rc = listen_at(relay, (const struct sockaddr *)&v4);
    if (rc == 0)
        rc = listen_at(relay, (const struct sockaddr *)&v6);
    return rc == UV_EADDRNOTAVAIL || rc == UV_EAFNOSUPPORT ? 0 : rc;
}

int relay_open(uv_loop_t *loop, const char *address, uint16_t port, struct relay **result, struct error *err)
{
    struct relay *relay = xcalloc(1, sizeof(*relay));

    relay->loop = loop;
    LIST_INIT(&relay->pairs);
    int rc = uv_ip4_addr(address, port, (struct sockaddr_in *)&relay->target);
    if (rc < 0)
        rc = uv_ip6_addr(address, port, (struct sockaddr_in6 *)&relay->target);
    if (rc < 0) {
        free(relay);
        return error_set(err, -rc, "\"%s\" is no address of a node", address);
    }
    rc = listen_here(relay, port);
    if (rc < 0) {
        relay_close(relay);
        return error_set(err, -rc, "cannot lead port %u to %s: %s", port, address, uv_strerror(rc));
    }
    *result = relay;
    return 0;
}

void relay_retire(struct relay *relay)
{
    if (!relay || relay->retired)
        return;
    relay->retired = true;
    for (unsigned i = 0, open = relay->open; i < open; i++)
        uv_close((uv_handle_t *)&relay->listeners[i], on_listener_closed);
}

void relay_close(struct relay *relay)
{
    struct pair *pair;

    if (!relay)
        return;
    while ((pair = LIST_FIRST(&relay->pairs)) != NULL) {
        pair_close(pair); /* takes itself off the list */
        pair->relay = NULL;
    }
    relay_retire(relay);
    relay->closed = true;
    if (relay->open == 0)
        free(relay);
}
