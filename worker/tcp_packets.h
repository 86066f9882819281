/*
 * How many segments a TCP socket has sent and received. In a file of its own because the C library's netinet/tcp.h,
 * which libuv brings along, lacks those fields and can't be included beside the kernel's header.
 */
#ifndef WORKER_TCP_PACKETS_H
#define WORKER_TCP_PACKETS_H

#include <stdint.h>

/* Adds to both sums; nothing when the socket can't tell. */
void tcp_packets_add(int socket, uint64_t *sent, uint64_t *received);

#endif
