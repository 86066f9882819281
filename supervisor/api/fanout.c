/*
 * Slots in a ring of their own: each sends to the next unserved target until none is left.
 */
#include "supervisor/api/fanout.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    struct fanout *fanout;
    struct http_client *client; /* in flight */
    size_t index;
};

struct fanout {
    uv_loop_t *loop;
    struct http_client_request request;
    struct fanout_handlers handlers;
    void *data;
    struct sockaddr_in *addresses;
    size_t count;
    size_t next;
    size_t in_flight;
    size_t slot_count;
    struct slot slots[];
};

static void fanout_free(struct fanout *fanout)
{
    free(fanout->addresses);
    free(fanout);
}

static void on_response(void *data, const struct http_client_response *response);

/* Sends to the next target that has an address; false when there is none left. */
static bool send_next(struct slot *slot)
{
    struct fanout *fanout = slot->fanout;

    while (fanout->next < fanout->count && fanout->addresses[fanout->next].sin_port == 0)
        fanout->next++;
    if (fanout->next == fanout->count)
        return false;
    slot->index = fanout->next++;
    fanout->in_flight++;
    slot->client = http_client_once(fanout->loop, &fanout->addresses[slot->index], &fanout->request, on_response, slot);
    return true;
}

static void on_response(void *data, const struct http_client_response *response)
{
    struct slot *slot = data;
    struct fanout *fanout = slot->fanout;

    slot->client = NULL;
    fanout->handlers.on_answer(fanout->data, slot->index, response);
    fanout->in_flight--;
    if (!send_next(slot) && fanout->in_flight == 0) {
        fanout->handlers.on_done(fanout->data);
        fanout_free(fanout);
    }
}

struct fanout *fanout_start(uv_loop_t *loop, const struct http_client_request *request,
                            const struct sockaddr_in *addresses, size_t count, size_t parallel,
                            const struct fanout_handlers *handlers, void *data)
{
    size_t slots = count < parallel ? count : parallel;
    struct fanout *fanout = xcalloc(1, sizeof(*fanout) + slots * sizeof(fanout->slots[0]));

    fanout->loop = loop;
    fanout->request = *request;
    fanout->handlers = *handlers;
    fanout->data = data;
    fanout->addresses = xcalloc(count > 0 ? count : 1, sizeof(*addresses));
    memcpy(fanout->addresses, addresses, count * sizeof(*addresses));
    fanout->count = count;
    fanout->slot_count = slots;
    for (size_t i = 0; i < slots; i++) {
        fanout->slots[i].fanout = fanout;
        if (!send_next(&fanout->slots[i]))
            break;
    }
    if (fanout->in_flight > 0)
        return fanout;
    fanout_free(fanout);
    return NULL;
}

void fanout_cancel(struct fanout *fanout)
{
    if (fanout == NULL)
        return;
    for (size_t i = 0; i < fanout->slot_count; i++)
        http_client_free(fanout->slots[i].client);
    fanout_free(fanout);
}
