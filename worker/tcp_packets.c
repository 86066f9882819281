#include "worker/tcp_packets.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

void tcp_packets_add(int socket, uint64_t *sent, uint64_t *received)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);

    /* an old kernel fills fewer fields: the rest stays 0 */
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        return;
    *sent += info.tcpi_segs_out;
    *received += info.tcpi_segs_in;
}
