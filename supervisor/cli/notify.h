/*
 * The service manager's notification protocol (sd_notify(3)): one datagram of KEY=VALUE lines to $NOTIFY_SOCKET. The
 * protocol is small and stable, and its manual suggests speaking it directly rather than linking libsystemd for it.
 */
#ifndef SUPERVISOR_CLI_NOTIFY_H
#define SUPERVISOR_CLI_NOTIFY_H

#include <stdint.h>

/* Sends `state` ("READY=1\nSTATUS=…"); silently nothing when no service manager asked for it. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often "WATCHDOG=1" is expected at least, in milliseconds; 0 when it is not expected of this process. */
int64_t notify_watchdog_interval_ms(void);

#endif
