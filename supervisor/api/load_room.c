/*
 * See load_room.h.
 */
#include "supervisor/api/load_room.h"

#include "core/memory.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/reply.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct load_target target_of(const struct server *server)
{
    struct sockaddr_in address;
    char host[INET_ADDRSTRLEN];
    struct load_target target = {.id = server->id, .name = xstrdup(server->name), .address_length = sizeof(address)};

    server_address(server, &address);
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
    target.host = xasprintf("%s:%u", host, ntohs(address.sin_port));
    memcpy(&target.address, &address, sizeof(address));
    return target;
}

void load_servers_of(const struct farm *farm, const struct targets *chosen, struct load_servers *servers)
{
    *servers = (struct load_servers){.count = chosen->count};
    servers->ids = xcalloc(chosen->count, sizeof(*servers->ids));
    servers->targets = xcalloc(chosen->count, sizeof(*servers->targets));
    for (size_t i = 0; i < chosen->count; i++) {
        const struct server *server = farm_server(farm, chosen->ids[i]);
        servers->ids[i] = server->id;
        if (server_is_live(server))
            servers->targets[servers->target_count++] = target_of(server);
    }
}

void load_servers_done(struct load_servers *servers)
{
    for (size_t i = 0; i < servers->target_count; i++) {
        free((void *)(uintptr_t)servers->targets[i].name);
        free((void *)(uintptr_t)servers->targets[i].host);
    }
    free(servers->targets);
    free(servers->ids);
}

size_t load_room_connections(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / 2 > LOAD_ROOM_CONNECTIONS)
        return LOAD_ROOM_CONNECTIONS;
    return (size_t)files.rlim_cur / 2;
}

bool load_room_take(struct http_request *request, struct api *api, size_t connections)
{
    if (api->load_tests >= API_MAX_LOAD_TESTS || api->load_connections + connections > load_room_connections()) {
        respond_overload(request, "Too many load tests are under way; try again when one has ended");
        return false;
    }
    api->load_tests++;
    api->load_connections += (unsigned)connections;
    return true;
}

void load_room_give(struct api *api, size_t connections)
{
    api->load_tests--;
    api->load_connections -= (unsigned)connections;
}
