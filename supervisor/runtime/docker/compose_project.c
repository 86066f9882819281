/*
 * A farmd that Docker Compose has started lets its servers' containers belong to the same project, as one-off containers of
 * the service that builds their image: `up` leaves those alone, and `down` takes them along, whether farmd lives or not.
 */
#include "supervisor/runtime/docker/docker.h"

#include "core/memory.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define LABEL_SERVICE "farmd.compose.service" /* on farmd's own container */
#define LABEL_PROJECT "com.docker.compose.project"

static void note_project(struct container_project *project, const cJSON *labels)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(labels, LABEL_PROJECT);
    const cJSON *service = cJSON_GetObjectItemCaseSensitive(labels, LABEL_SERVICE);

    if (!cJSON_IsString(name) || !cJSON_IsString(service))
        return;
    snprintf(project->name, sizeof(project->name), "%s", name->valuestring);
    snprintf(project->service, sizeof(project->service), "%s", service->valuestring);
}

int compose_project_find(struct runtime *runtime, struct error *err)
{
    char host[HOST_NAME_MAX + 1] = ""; /* of a container: its id, or given as its name */
    cJSON *json = NULL;

    if (!runtime->in_network || gethostname(host, sizeof(host) - 1) < 0)
        return 0;
    cleanup_free char *path = xasprintf("/containers/%s/json", host);
    const struct engine_call call = {.method = "GET", .path = path};
    int code = engine_ask(&runtime->address, &call, &json, err);
    if (code == 0)
        note_project(&runtime->project,
                     cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "Config"), "Labels"));
    cJSON_Delete(json);
    return code == -ENOENT ? 0 : code;
}
