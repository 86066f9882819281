/*
 * The other end of a connection as text.
 */
#ifndef WORKER_PEER_H
#define WORKER_PEER_H

#include "http/server.h"

#include <netinet/in.h>
#include <stdint.h>

#define PEER_TEXT_MAX (INET6_ADDRSTRLEN + 9) /* "[address]:65535" */

/* The peer's address (as inet_ntop has it) and port; "" and 0 once the peer has gone. */
void peer_address(const struct http_request *request, char address[INET6_ADDRSTRLEN], uint16_t *port);

/* "127.0.0.1:4711" or "[::1]:4711"; "-" once the peer has gone */
void peer_format(const struct http_request *request, char text[PEER_TEXT_MAX]);

#endif
