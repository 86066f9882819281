/*
 * The port check; see port.h.
 */
#include "supervisor/runtime/process/port.h"

#include "core/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

static bool in_use(const struct sockaddr *address, socklen_t length)
{
    cleanup_close int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) {
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof(on)); /* as the server does: what lingers in TIME_WAIT is fine */
    if (address->sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    return bind(fd, address, length) != 0 && errno == EADDRINUSE;
}

/* Whether one socket for all addresses of both families could have the port; then so could any others. */
static bool is_free_for_all(const struct sockaddr_in6 *any)
{
    cleanup_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, off = 0;
    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
           setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0 &&
           bind(fd, (const struct sockaddr *)any, sizeof(*any)) == 0;
}

int port_check(uint16_t port, struct error *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
    if (is_free_for_all(&any)) {
        return 0;
    }
    if (!in_use((struct sockaddr *)&v4, sizeof(v4)) && !in_use((struct sockaddr *)&v6, sizeof(v6))) {
        return 0;
    }
    return error_set(err, EADDRINUSE, "port %u is taken", port);
}
