/*
 * Whether a server could listen on its port, found out before it is started, so that the reason is known and named.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_PORT_H
#define SUPERVISOR_RUNTIME_PROCESS_PORT_H

#include "core/error.h"

#include <stdint.h>

/* 0 when 127.0.0.1 and ::1 can both be bound, -EADDRINUSE otherwise. Another reason (a port below 1024 without
 * root, a machine without IPv6) is left for the server to find. */
int port_check(uint16_t port, struct error *err);

#endif
