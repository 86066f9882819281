#include "worker/traffic.h"

#include "worker/tcp_packets.h"

static void add_packets(int socket, void *data)
{
    struct traffic *sum = data;

    tcp_packets_add(socket, &sum->packets_sent, &sum->packets_received);
}

void traffic_disconnect(struct traffic *traffic, int socket)
{
    add_packets(socket, traffic);
}

struct traffic_totals traffic_totals(const struct traffic *traffic, const struct http_server *server)
{
    struct traffic packets = *traffic;
    struct traffic_totals totals = {0};

    http_server_each_socket(server, add_packets, &packets);
    http_server_bytes(server, &totals.bytes_received, &totals.bytes_sent);
    totals.packets_sent = packets.packets_sent;
    totals.packets_received = packets.packets_received;
    return totals;
}
