#include "worker/peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void peer_address(const struct http_request *request, char address[INET6_ADDRSTRLEN], uint16_t *port)
{
    struct sockaddr_storage peer = {0};

    http_request_peer(request, &peer);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&peer;
    address[0] = '\0';
    *port = 0;
    if (peer.ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, address, INET6_ADDRSTRLEN))
        *port = ntohs(v4->sin_port);
    else if (peer.ss_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, address, INET6_ADDRSTRLEN))
        *port = ntohs(v6->sin6_port);
}

void peer_format(const struct http_request *request, char text[PEER_TEXT_MAX])
{
    char address[INET6_ADDRSTRLEN];
    uint16_t port;

    peer_address(request, address, &port);
    if (!address[0])
        snprintf(text, PEER_TEXT_MAX, "-");
    else
        snprintf(text, PEER_TEXT_MAX, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
}
