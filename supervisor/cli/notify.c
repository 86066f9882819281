/*
 * sd_notify's datagrams. See notify.h for why this is not libsystemd.
 */
#include "supervisor/cli/notify.h"

#include "core/units.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_send(const char *fmt, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path) {
        return;
    }
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* the abstract name space */
    }
    char state[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(state, sizeof state, fmt, args);
    va_end(args);

    /* Kept: a watchdog that is not told for want of a descriptor ends a farmd that is well. */
    static int fd = -1;
    if (fd < 0) {
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }
    if (fd >= 0) {
        /* A service manager that does not listen is its own affair: it will say so. */
        (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, length);
    }
}

int64_t notify_watchdog_interval_ms(void)
{
    const char *interval = getenv("WATCHDOG_USEC");
    const char *owner = getenv("WATCHDOG_PID");
    int64_t usec, pid;
    if (interval == NULL || units_parse_int(interval, 1000, INT64_MAX, &usec) != 0) {
        return 0;
    }
    if (owner != NULL && (units_parse_int(owner, 1, INT32_MAX, &pid) != 0 || pid != getpid())) {
        return 0;
    }
    return usec / 1000;
}
