/*
 * What Swarm tells of services, tasks and nodes.
 */
#include "supervisor/runtime/swarm/service.h"

#include "supervisor/runtime/docker/engine.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNAL_OFFSET 128
#define SIGNAL_MAX 64

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void copy_text(const cJSON *item, char *out, size_t size)
{
    snprintf(out, size, "%s", cJSON_IsString(item) ? item->valuestring : "");
}

static int copy_id(const cJSON *json, const char *what, char out[SWARM_ID_MAX], struct error *err)
{
    const cJSON *id = member(json, "ID");

    if (!cJSON_IsString(id) || *id->valuestring == '\0' || strlen(id->valuestring) >= SWARM_ID_MAX)
        return error_set(err, EPROTO, "the Docker Engine describes a %s in a way that farmd does not know", what);
    copy_text(id, out, SWARM_ID_MAX);
    return 0;
}

int service_parse(const cJSON *json, struct service_state *state, struct error *err)
{
    struct service_state found = {.spec = member(json, "Spec")};
    int code = copy_id(json, "service", found.id, err);

    if (code < 0)
        return code;
    if (!cJSON_IsObject(found.spec))
        return error_set(err, EPROTO, "the Docker Engine describes service %s without its specification", found.id);
    const cJSON *labels = member(found.spec, "Labels"), *server = member(labels, SERVICE_LABEL_SERVER);
    long id = cJSON_IsString(server) ? strtol(server->valuestring, NULL, 10) : 0;
    copy_text(member(found.spec, "Name"), found.name, sizeof(found.name));
    copy_text(member(labels, SERVICE_LABEL_INSTANCE), found.instance, sizeof(found.instance));
    found.server = id > 0 && id <= INT32_MAX ? (int)id : 0;
    *state = found;
    return 0;
}

int task_parse(const cJSON *json, struct task_state *state, struct error *err)
{
    struct task_state found = {0};
    const cJSON *status = member(json, "Status"), *container = member(status, "ContainerStatus");
    const cJSON *code = member(container, "ExitCode"), *pid = member(container, "PID");
    int rc = copy_id(json, "task", found.id, err);

    if (rc < 0)
        return rc;
    copy_text(member(json, "ServiceID"), found.service, sizeof(found.service));
    copy_text(member(json, "NodeID"), found.node, sizeof(found.node));
    copy_text(member(json, "DesiredState"), found.desired, sizeof(found.desired));
    copy_text(member(json, "CreatedAt"), found.created_at, sizeof(found.created_at));
    service_task_limits(member(json, "Spec"), &found.limits);
    copy_text(member(status, "State"), found.state, sizeof(found.state));
    copy_text(member(status, "Timestamp"), found.changed_at, sizeof(found.changed_at));
    copy_text(member(status, "Err"), found.error, sizeof(found.error));
    copy_text(member(container, "ContainerID"), found.container, sizeof(found.container));
    found.pid = cJSON_IsNumber(pid) && pid->valueint > 0 ? pid->valueint : 0;
    found.has_exit_code = cJSON_IsNumber(code) && found.container[0] != '\0';
    found.exit_code = found.has_exit_code ? code->valueint : 0;
    *state = found;
    return 0;
}

/* Compared as times: as text one without a fraction of a second would come after those with one. */
bool task_is_newer(const struct task_state *state, const struct task_state *other)
{
    return other->id[0] == '\0' || engine_time_ns(state->created_at) > engine_time_ns(other->created_at);
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

bool task_is_over(const struct task_state *state)
{
    static const char *const over[] = {"complete", "shutdown", "failed", "rejected", "orphaned", "remove", NULL};
    return is_one_of(state->state, over);
}

bool task_is_wanted(const struct task_state *state)
{
    static const char *const wanted[] = {"new", "accepted", "ready", "running", NULL};
    return is_one_of(state->desired, wanted);
}

/* Swarm's "task: non-zero exit (137)" says nothing that the exit code does not. */
static bool tells_more(const struct task_state *state)
{
    return state->error[0] != '\0' && strncmp(state->error, "task: non-zero exit", 19) != 0;
}

void task_exit(const struct task_state *state, struct runtime_exit *exit)
{
    bool ran = state->has_exit_code;
    bool by_signal = ran && state->exit_code > SIGNAL_OFFSET && state->exit_code <= SIGNAL_OFFSET + SIGNAL_MAX;

    *exit = (struct runtime_exit){
        .kind = by_signal ? RUNTIME_EXIT_SIGNAL
                : ran     ? RUNTIME_EXIT_CODE
                          : RUNTIME_EXIT_UNKNOWN,
        .exit_code = ran && !by_signal ? state->exit_code : 0,
        .signal = by_signal ? state->exit_code - SIGNAL_OFFSET : 0,
        .not_started =
            strcmp(state->state, "rejected") == 0 || (strcmp(state->state, "failed") == 0 && tells_more(state)),
        /* Taken back by an update or by Swarm itself, when it still ran. */
        .replaced = strcmp(state->state, "shutdown") == 0,
    };
    if (tells_more(state))
        snprintf(exit->detail, sizeof(exit->detail), "%s", state->error);
}

int node_parse(const cJSON *json, struct node_state *state, struct error *err)
{
    struct node_state found = {0};
    const cJSON *status = member(json, "Status"), *kind = member(status, "State");
    int code = copy_id(json, "node", found.id, err);

    if (code < 0)
        return code;
    copy_text(member(member(json, "Description"), "Hostname"), found.name, sizeof(found.name));
    copy_text(member(status, "Addr"), found.address, sizeof(found.address));
    found.down = cJSON_IsString(kind) && strcmp(kind->valuestring, "down") == 0;
    *state = found;
    return 0;
}
