/*
 * The Swarm: whether this Engine manages one, and how many of its nodes are there. The rest is as of containers.
 */
#include "supervisor/runtime/swarm/doctor.h"

#include "supervisor/runtime/docker/doctor.h"
#include "supervisor/runtime/swarm/swarm.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

static int count_nodes(const struct engine_address *address, int *all, int *down, struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = "/nodes"};
    const cJSON *entry;
    cJSON *list = NULL;
    int code = engine_ask(address, &call, &list, err);

    *all = *down = 0;
    cJSON_ArrayForEach(entry, list)
    {
        struct node_state node;
        if (node_parse(entry, &node, NULL) == 0) {
            ++*all;
            *down += node.down;
        }
    }
    cJSON_Delete(list);
    return code;
}

static int look_at_swarm(const struct engine_address *address, char *text, size_t size, struct error *err)
{
    const struct engine_call call = {.method = "GET", .path = "/info"};
    cJSON *info = NULL;
    int all = 0, down = 0;
    int code = engine_ask(address, &call, &info, err);

    if (code == 0)
        code = swarm_check_manager(address, info, err);
    if (code == 0)
        code = count_nodes(address, &all, &down, err);
    cJSON_Delete(info);
    snprintf(text, size, "a manager of a Swarm of %d node%s, %d of them down", all, all == 1 ? "" : "s", down);
    return code;
}

size_t swarm_doctor_examine(const struct doctor_question *question, struct doctor_finding findings[DOCTOR_FINDINGS_MAX])
{
    size_t count = docker_doctor_examine(question, findings);
    struct engine_address address;
    struct error err = {0};
    char text[128];

    /* Without an Engine that is the finding. */
    if (count == DOCTOR_FINDINGS_MAX || !findings[0].ok || engine_find(getenv("DOCKER_HOST"), &address, &err) < 0 ||
        engine_connect(&address, &err) < 0)
        return count;
    int code = look_at_swarm(&address, text, sizeof(text), &err);
    docker_doctor_note(&findings[count], "swarm", code, code < 0 ? err.message : text);
    return count + 1;
}
