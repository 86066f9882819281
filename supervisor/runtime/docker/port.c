/*
 * Who has a port: a container of the Engine, which is better known by its name than as the proxy that listens for it; else
 * whoever process mode would find.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/memory.h"
#include "supervisor/runtime/process/port_holder.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDER_MAX 128

struct asker {
    struct runtime *runtime;
    uint16_t port;
    void (*tell)(const char *holder, void *data);
    void *data;
};

/* The last one that was found, for those who cannot wait. */
static struct {
    uint16_t port;
    char holder[HOLDER_MAX];
} last;

static const char *name_of(const cJSON *container)
{
    const cJSON *name = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(container, "Names"), 0);

    return cJSON_IsString(name) ? name->valuestring + (name->valuestring[0] == '/') : NULL;
}

static void on_found(void *data, const struct engine_answer *answer)
{
    struct asker *asker = data;
    const char *name = answer->code == 0 ? name_of(cJSON_GetArrayItem(answer->json, 0)) : NULL;

    if (name) {
        last.port = asker->port;
        snprintf(last.holder, sizeof(last.holder), "the container %s", name);
        asker->tell(last.holder, asker->data);
    } else {
        last.port = 0;
        process_port_holder(asker->runtime->loop, asker->port, asker->tell, asker->data);
    }
    free(asker);
}

void docker_port_holder(struct runtime *runtime, uint16_t port, void (*tell)(const char *holder, void *data),
                        void *data)
{
    struct asker *asker = xmalloc(sizeof(*asker));
    char path[128];
    const struct engine_call call = {.method = "GET", .path = path, .done = on_found, .data = asker};

    *asker = (struct asker){runtime, port, tell, data};
    snprintf(path, sizeof(path), "/containers/json?filters=%%7B%%22publish%%22%%3A%%5B%%22%u%%2Ftcp%%22%%5D%%7D", port);
    engine_send(runtime->engine, &call);
}

void docker_port_holder_known(uint16_t port, char *out, size_t size)
{
    if (last.port == port)
        snprintf(out, size, "%s", last.holder);
    else
        process_port_holder_known(port, out, size);
}
