/*
 * Who holds a port: the two ways to ask of runtime_ops.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_PORT_HOLDER_H
#define SUPERVISOR_RUNTIME_PROCESS_PORT_HOLDER_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

void process_port_holder(uv_loop_t *loop, uint16_t port, void (*tell)(const char *holder, void *data), void *data);
/* Here and now, as runtime_port_holder; 0: not known. */
pid_t process_port_holder_pid(uint16_t port);

void process_port_holder_known(uint16_t port, char *out, size_t size);

#endif
