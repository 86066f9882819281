/*
 * Specifications of services, written and changed.
 */
#include "supervisor/runtime/swarm/service.h"

#include "core/clock.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NANO 1e9
#define NS_PER_MS_DOUBLE 1e6
#define MAX_DELAY_NS 1e18
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* --- writing --- */

static cJSON *add_object(cJSON *parent, const char *key)
{
    return cJSON_AddObjectToObject(parent, key);
}

static void add_words(cJSON *parent, const char *key, char *const *words)
{
    cJSON *array = cJSON_AddArrayToObject(parent, key);

    for (; words && *words; words++)
        cJSON_AddItemToArray(array, cJSON_CreateString(*words));
}

static bool is_of(const char *entry, const char *key)
{
    size_t length = strlen(key);
    return strncmp(entry, key, length) == 0 && entry[length] == '=';
}

/* Inside, every server has an address of its own and the same port. How many servers there are is of the farm, not of this
 * one: a scale leaves the others alone. */
static void add_environment(cJSON *container, const struct runtime_spec *spec)
{
    static const char *const ours[] = {"PORT", "SERVER_PORT", "PATH", "SERVER_HOST", "PUBLIC_PORT", "SERVER_COUNT"};
    cJSON *array = cJSON_AddArrayToObject(container, "Env");
    char text[64];

    for (char *const *entry = spec->envp; entry && *entry; entry++) {
        bool taken = false;
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
            taken = taken || is_of(*entry, ours[i]);
        if (!taken)
            cJSON_AddItemToArray(array, cJSON_CreateString(*entry));
    }
    cJSON_AddItemToArray(array, cJSON_CreateString("PATH=" RUNTIME_DEFAULT_PATH));
    cJSON_AddItemToArray(array, cJSON_CreateString("SERVER_HOST=0.0.0.0"));
    snprintf(text, sizeof(text), "PORT=%d", SERVICE_PORT);
    cJSON_AddItemToArray(array, cJSON_CreateString(text));
    snprintf(text, sizeof(text), "SERVER_PORT=%d", SERVICE_PORT);
    cJSON_AddItemToArray(array, cJSON_CreateString(text));
    snprintf(text, sizeof(text), "PUBLIC_PORT=%u", spec->port);
    cJSON_AddItemToArray(array, cJSON_CreateString(text));
}

static void add_label(cJSON *labels, const char *key, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%016" PRIx64, value);
    cJSON_AddStringToObject(labels, key, text);
}

/* The tasks carry them too, so that they can be listed by them. */
static void add_labels(cJSON *parent, const struct runtime_spec *spec, const char *instance)
{
    cJSON *labels = add_object(parent, "Labels");
    char text[16];

    cJSON_AddStringToObject(labels, SERVICE_LABEL_INSTANCE, instance);
    snprintf(text, sizeof(text), "%d", spec->id);
    cJSON_AddStringToObject(labels, SERVICE_LABEL_SERVER, text);
}

static void add_container(cJSON *task, const struct runtime_spec *spec, const char *instance, const char *image)
{
    static char *const all[] = {"ALL", NULL};
    cJSON *container = add_object(task, "ContainerSpec");

    cJSON_AddStringToObject(container, "Image", image); /* by its local name: no registry is asked for a digest */
    cJSON_AddStringToObject(container, "Hostname", spec->name);
    if (spec->user)
        cJSON_AddStringToObject(container, "User", spec->user);
    if (spec->argv)
        add_words(container, "Args", spec->argv);
    add_environment(container, spec);
    add_labels(container, spec, instance);
    cJSON_AddBoolToObject(container, "ReadOnly", true);
    add_words(container, "CapabilityDrop", all);
    cJSON_AddNumberToObject(container, "StopGracePeriod", (double)spec->stop_grace_ms * NS_PER_MS_DOUBLE);
}

static void add_policy(cJSON *task, const struct swarm_policy *policy)
{
    cJSON *restart = add_object(task, "RestartPolicy");

    cJSON_AddStringToObject(restart, "Condition", policy->condition);
    cJSON_AddNumberToObject(restart, "Delay", (double)policy->delay_ms * NS_PER_MS_DOUBLE);
    cJSON_AddNumberToObject(restart, "MaxAttempts", policy->attempts);
    if (policy->window_ms > 0)
        cJSON_AddNumberToObject(restart, "Window", (double)policy->window_ms * NS_PER_MS_DOUBLE);
}

/* Published where its task runs: the routing mesh would need IPVS in every node's kernel, and gives no server another
 * address than all of the others. */
static void add_port(cJSON *service, uint16_t port)
{
    cJSON *ports = cJSON_AddArrayToObject(add_object(service, "EndpointSpec"), "Ports");
    cJSON *entry = cJSON_CreateObject();

    cJSON_AddStringToObject(entry, "Protocol", "tcp");
    cJSON_AddNumberToObject(entry, "TargetPort", SERVICE_PORT);
    cJSON_AddNumberToObject(entry, "PublishedPort", port);
    cJSON_AddStringToObject(entry, "PublishMode", "host");
    cJSON_AddItemToArray(ports, entry);
}

cJSON *service_compose(const struct runtime_spec *spec, const struct swarm_policy *policy, const char *instance,
                       const char *image)
{
    cJSON *service = cJSON_CreateObject();
    char name[SWARM_NAME_MAX];

    snprintf(name, sizeof(name), "%s", spec->name);
    cJSON_AddStringToObject(service, "Name", name);
    add_labels(service, spec, instance);
    cJSON *task = add_object(service, "TaskTemplate");
    add_container(task, spec, instance, image);
    add_policy(task, policy);
    cJSON_AddNumberToObject(task, "ForceUpdate", 0);
    service_set_limits(service, &spec->limits);
    cJSON *mode = add_object(add_object(service, "Mode"), "Replicated");
    cJSON_AddNumberToObject(mode, "Replicas", 1);
    cJSON *update = add_object(service, "UpdateConfig"); /* its port is free only when the old task has ended */
    cJSON_AddStringToObject(update, "Order", "stop-first");
    cJSON_AddNumberToObject(update, "Parallelism", 1);
    cJSON_AddStringToObject(update, "FailureAction", "continue");
    add_port(service, spec->port);
    uint64_t hash = service_hash(service);
    cJSON *labels = cJSON_GetObjectItemCaseSensitive(service, "Labels");
    add_label(labels, SERVICE_LABEL_SPEC, hash);
    add_label(labels, SERVICE_LABEL_SETTINGS, spec->fingerprint);
    return service;
}

/* --- changing --- */

static cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static cJSON *at(const cJSON *object, const char *first, const char *second)
{
    return member(member(object, first), second);
}

static void set_number(cJSON *object, const char *key, double value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    cJSON_AddNumberToObject(object, key, value);
}

void service_set_replicas(cJSON *spec, unsigned replicas)
{
    cJSON *mode = at(spec, "Mode", "Replicated");

    if (mode)
        set_number(mode, "Replicas", replicas);
}

void service_set_limits(cJSON *spec, const struct limits *limits)
{
    cJSON *task = member(spec, "TaskTemplate");

    cJSON_DeleteItemFromObjectCaseSensitive(task, "Resources");
    cJSON *resources = add_object(task, "Resources");
    cJSON *most = add_object(resources, "Limits"), *least = add_object(resources, "Reservations");
    cJSON_AddNumberToObject(most, "NanoCPUs", (double)(int64_t)(limits->cpu * NANO + 0.5));
    cJSON_AddNumberToObject(most, "MemoryBytes", (double)limits->memory);
    cJSON_AddNumberToObject(most, "Pids", limits->pids);
    cJSON_AddNumberToObject(least, "NanoCPUs", (double)(int64_t)(limits->cpu_reservation * NANO + 0.5));
    cJSON_AddNumberToObject(least, "MemoryBytes", (double)limits->memory_reservation);
}

static double number(const cJSON *item)
{
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* What is beyond an integer's range counts as not told. */
static uint64_t whole(const cJSON *item, double most)
{
    double value = number(item);
    return value > 0 && value <= most ? (uint64_t)value : 0;
}

void service_force(cJSON *spec)
{
    cJSON *task = member(spec, "TaskTemplate");
    set_number(task, "ForceUpdate", number(member(task, "ForceUpdate")) + 1);
}

void service_force_after(cJSON *spec, const cJSON *earlier)
{
    set_number(member(spec, "TaskTemplate"), "ForceUpdate",
               number(member(member(earlier, "TaskTemplate"), "ForceUpdate")) + 1);
}

/* --- reading --- */

unsigned service_replicas(const cJSON *spec)
{
    return (unsigned)whole(member(at(spec, "Mode", "Replicated"), "Replicas"), UINT16_MAX);
}

void service_task_limits(const cJSON *task, struct limits *limits)
{
    const cJSON *resources = member(task, "Resources");
    const cJSON *most = member(resources, "Limits"), *least = member(resources, "Reservations");

    *limits = (struct limits){
        .cpu = number(member(most, "NanoCPUs")) / NANO,
        .memory = whole(member(most, "MemoryBytes"), LIMITS_MAX_MEMORY),
        .cpu_reservation = number(member(least, "NanoCPUs")) / NANO,
        .memory_reservation = whole(member(least, "MemoryBytes"), LIMITS_MAX_MEMORY),
        .pids = (uint32_t)whole(member(most, "Pids"), UINT32_MAX),
    };
}

void service_limits(const cJSON *spec, struct limits *limits)
{
    service_task_limits(member(spec, "TaskTemplate"), limits);
}

int64_t service_delay_ms(const cJSON *spec)
{
    return (int64_t)whole(member(at(spec, "TaskTemplate", "RestartPolicy"), "Delay"), MAX_DELAY_NS) / NS_PER_MS;
}

static uint64_t label(const cJSON *spec, const char *key)
{
    const cJSON *text = at(spec, "Labels", key);
    return cJSON_IsString(text) ? strtoull(text->valuestring, NULL, 16) : 0;
}

uint64_t service_fingerprint(const cJSON *spec)
{
    return label(spec, SERVICE_LABEL_SETTINGS);
}

uint64_t service_noted_hash(const cJSON *spec)
{
    return label(spec, SERVICE_LABEL_SPEC);
}

uint16_t service_published_port(const cJSON *spec)
{
    double port = number(member(cJSON_GetArrayItem(at(spec, "EndpointSpec", "Ports"), 0), "PublishedPort"));
    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}

uint64_t service_hash(const cJSON *spec)
{
    cJSON *copy = cJSON_Duplicate(spec, true), *task = member(copy, "TaskTemplate");
    uint64_t hash = FNV_BASIS;

    cJSON_DeleteItemFromObjectCaseSensitive(task, "Resources");
    cJSON_DeleteItemFromObjectCaseSensitive(task, "ForceUpdate");
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "Mode");
    char *text = cJSON_PrintUnformatted(copy);
    for (const char *c = text; c && *c; c++)
        hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
    cJSON_free(text);
    cJSON_Delete(copy);
    return hash != 0 ? hash : 1;
}
