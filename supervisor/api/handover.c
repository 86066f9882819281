/*
 * Both listeners handed over together, when another farmd takes this one's place.
 */
#include "core/memory.h"
#include "supervisor/api/internal.h"
#include "supervisor/api/stream.h"

void api_pause(struct api *api)
{
    streams_end(api, "another farmd takes over");
    http_server_pause(api->control.server);
    if (api->dashboard.server != NULL)
        http_server_pause(api->dashboard.server);
}

void api_resume(struct api *api)
{
    http_server_resume(api->control.server);
    if (api->dashboard.server != NULL)
        http_server_resume(api->dashboard.server);
}

void api_under_way(const struct api *api, struct http_under_way *under_way)
{
    struct http_under_way other = {0};

    http_server_under_way(api->control.server, under_way);
    if (api->dashboard.server != NULL)
        http_server_under_way(api->dashboard.server, &other);
    unsigned count = under_way->count + other.count;
    if (other.count > 0 && other.oldest_ms >= under_way->oldest_ms)
        *under_way = other;
    load_tests_under_way(&api->tests, &other);
    count += other.count;
    if (other.count > 0 && other.oldest_ms >= under_way->oldest_ms)
        *under_way = other;
    under_way->count = count;
}

struct giving {
    bool dashboard;
    void (*visit)(const struct api_socket *socket, void *data);
    void *data;
};

static void give(const struct http_socket *socket, void *data)
{
    const struct giving *giving = data;

    giving->visit(&(struct api_socket){.dashboard = giving->dashboard, .socket = *socket}, giving->data);
}

void api_hand_over(const struct api *api, void (*visit)(const struct api_socket *socket, void *data), void *data)
{
    const struct api_listener *listeners[] = {&api->control, &api->dashboard};

    for (size_t i = 0; i < ARRAY_SIZE(listeners); i++) {
        struct giving giving = {.dashboard = listeners[i]->is_dashboard, .visit = visit, .data = data};
        if (listeners[i]->server != NULL)
            http_server_hand_over(listeners[i]->server, give, &giving);
    }
}
