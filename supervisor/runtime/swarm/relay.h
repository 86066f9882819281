/*
 * A port of this machine's loopback that leads to a server on another node: http://localhost:8007 is server-7 wherever
 * Swarm has put it. Bounded in connections and memory, and slow readers hold up nobody but themselves.
 */
#ifndef SUPERVISOR_RUNTIME_SWARM_RELAY_H
#define SUPERVISOR_RUNTIME_SWARM_RELAY_H

#include "core/error.h"

#include <stdint.h>
#include <uv.h>

struct relay;

/* From the port on 127.0.0.1 and ::1 to that of the address, a numeric one. -EADDRINUSE when
 * another program has it. */
int relay_open(uv_loop_t *loop, const char *address, uint16_t port, struct relay **relay, struct error *err);
/* The port is free when it returns; connections that there are go on. NULL is fine. */
void relay_retire(struct relay *relay);
/* The port is free when it returns, and its connections are closed. NULL is fine. */
void relay_close(struct relay *relay);

#endif
