/*
 * What went over this server's own sockets. Bytes come from the HTTP server's own sums; packets only the kernel knows
 * (TCP_INFO), and it is asked when a connection closes and when somebody wants the figure, never per request.
 */
#ifndef WORKER_TRAFFIC_H
#define WORKER_TRAFFIC_H

#include "http/server.h"

#include <stdint.h>

struct traffic {
    uint64_t packets_sent; /* of closed connections */
    uint64_t packets_received;
};

struct traffic_totals {
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t packets_sent;
    uint64_t packets_received;
};

/* A connection is about to close. */
void traffic_disconnect(struct traffic *traffic, int socket);

/* Since the start, open connections included. */
struct traffic_totals traffic_totals(const struct traffic *traffic, const struct http_server *server);

#endif
