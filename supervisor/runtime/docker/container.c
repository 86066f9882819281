/*
 * The Engine's JSON, written and read. Everything that a container may not do is said here, in one place.
 */
#include "supervisor/runtime/docker/container.h"

#include "core/json.h"
#include "core/memory.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NANO 1e9
#define SHARES_PER_CORE 1024.0
#define SHARES_MIN 2.0
#define SIGNAL_OFFSET 128
#define SIGNAL_MAX 64
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* --- writing --- */

struct container_limits container_limits_of(const struct limits *limits)
{
    double shares = limits->cpu_reservation * SHARES_PER_CORE;

    return (struct container_limits){
        .nano_cpus = (int64_t)(limits->cpu * NANO + 0.5),
        .cpu_shares = (int64_t)(shares < SHARES_MIN ? SHARES_MIN : shares),
        .memory = limits->memory,
        .memory_reservation = limits->memory_reservation,
        .pids = limits->pids,
    };
}

/* farmd restarts, so that its profiles hold here too. */
static void write_restart(struct json_writer *w)
{
    json_key(w, "RestartPolicy");
    json_begin_object(w);
    json_member_string(w, "Name", "no");
    json_end_object(w);
}

static void write_limits(struct json_writer *w, const struct limits *limits)
{
    const struct container_limits units = container_limits_of(limits);

    json_member_int(w, "NanoCpus", units.nano_cpus);
    json_member_uint(w, "Memory", units.memory);
    json_member_uint(w, "MemorySwap", units.memory); /* the same: no swap on top */
    json_member_uint(w, "MemoryReservation", units.memory_reservation);
    json_member_int(w, "CpuShares", units.cpu_shares);
    json_member_uint(w, "PidsLimit", units.pids);
}

void container_compose_limits(const struct limits *limits, struct buffer *out)
{
    struct json_writer w = json_writer_to(out);

    json_begin_object(&w);
    write_limits(&w, limits);
    write_restart(&w); /* one that somebody else has made may have another */
    json_end_object(&w);
}

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Inside, every server has an address of its own and the same port. */
static void write_environment(struct json_writer *w, const struct runtime_spec *spec)
{
    char text[32];

    json_key(w, "Env");
    json_begin_array(w);
    for (char *const *entry = spec->envp; entry && *entry; entry++) {
        if (!begins_with(*entry, "PORT=") && !begins_with(*entry, "SERVER_PORT=") && !begins_with(*entry, "PATH="))
            json_string(w, *entry);
    }
    json_string(w, "PATH=" RUNTIME_DEFAULT_PATH);
    snprintf(text, sizeof(text), "PORT=%d", CONTAINER_PORT);
    json_string(w, text);
    snprintf(text, sizeof(text), "SERVER_PORT=%d", CONTAINER_PORT);
    json_string(w, text);
    snprintf(text, sizeof(text), "PUBLIC_PORT=%u", spec->port);
    json_string(w, text);
    json_string(w, "SERVER_HOST=0.0.0.0");
    json_end_array(w);
}

/* All that Compose, old and new, knows its own by: a one-off container, as `docker compose run` makes them. */
static void write_project(struct json_writer *w, const struct container_project *project, const char *id)
{
    json_member_string(w, "com.docker.compose.project", project->name);
    json_member_string(w, "com.docker.compose.service", project->service);
    json_member_string(w, "com.docker.compose.oneoff", "True");
    json_member_string(w, "com.docker.compose.container-number", id);
    json_member_string(w, "com.docker.compose.config-hash", "farmd");
}

static void write_labels(struct json_writer *w, const struct runtime_spec *spec, const char *instance,
                         const struct container_project *project, uint64_t hash)
{
    char text[32];

    json_key(w, "Labels");
    json_begin_object(w);
    json_member_string(w, CONTAINER_LABEL_INSTANCE, instance);
    snprintf(text, sizeof(text), "%d", spec->id);
    json_member_string(w, CONTAINER_LABEL_SERVER, text);
    if (project)
        write_project(w, project, text);
    snprintf(text, sizeof(text), "%016" PRIx64, hash);
    json_member_string(w, CONTAINER_LABEL_SPEC, text);
    json_end_object(w);
}

static void write_port(struct json_writer *w, uint16_t port)
{
    char text[16];

    json_key(w, "PortBindings");
    json_begin_object(w);
    snprintf(text, sizeof(text), "%d/tcp", CONTAINER_PORT);
    json_key(w, text);
    json_begin_array(w);
    json_begin_object(w);
    json_member_string(w, "HostIp", "127.0.0.1");
    snprintf(text, sizeof(text), "%u", port);
    json_member_string(w, "HostPort", text);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
}

static void write_words(struct json_writer *w, const char *key, const char *const *words)
{
    json_key(w, key);
    json_begin_array(w);
    for (; *words; words++)
        json_string(w, *words);
    json_end_array(w);
}

static void write_host_config(struct json_writer *w, const struct runtime_spec *spec)
{
    static const char *const all[] = {"ALL", NULL};
    static const char *const options[] = {"no-new-privileges:true", NULL};

    json_key(w, "HostConfig");
    json_begin_object(w);
    write_limits(w, &spec->limits);
    write_words(w, "CapDrop", all);
    write_words(w, "SecurityOpt", options);
    json_member_bool(w, "ReadonlyRootfs", true);
    json_member_string(w, "NetworkMode", CONTAINER_NETWORK);
    write_port(w, spec->port);
    write_restart(w);
    json_key(w, "LogConfig"); /* farmd keeps the log; the Engine needs what came while farmd was away */
    json_begin_object(w);
    json_member_string(w, "Type", "json-file");
    json_key(w, "Config");
    json_begin_object(w);
    json_member_string(w, "max-size", "3m");
    json_member_string(w, "max-file", "1");
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

void container_compose(const struct runtime_spec *spec, const char *instance, const struct container_project *project,
                       const char *image, uint64_t spec_hash, struct buffer *out)
{
    struct json_writer w = json_writer_to(out);
    char port[16];

    json_begin_object(&w);
    json_member_string(&w, "Image", image);
    json_member_string(&w, "Hostname", spec->name);
    if (spec->user)
        json_member_string(&w, "User", spec->user);
    if (spec->argv)
        write_words(&w, "Cmd", (const char *const *)spec->argv);
    write_environment(&w, spec);
    write_labels(&w, spec, instance, project, spec_hash);
    snprintf(port, sizeof(port), "%d/tcp", CONTAINER_PORT);
    json_key(&w, "ExposedPorts");
    json_begin_object(&w);
    json_key(&w, port);
    json_begin_object(&w);
    json_end_object(&w);
    json_end_object(&w);
    write_host_config(&w, spec);
    json_end_object(&w);
}

static uint64_t mix(uint64_t hash, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++)
        hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
    return (hash ^ 0xff) * FNV_PRIME; /* "ab","c" is not "a","bc" */
}

uint64_t container_hash(const struct runtime_spec *spec, const char *image)
{
    char port[16];
    uint64_t hash = mix(FNV_BASIS, image);

    snprintf(port, sizeof(port), "%u", spec->port);
    hash = mix(mix(mix(hash, port), spec->name), spec->user);
    for (char *const *word = spec->argv; word && *word; word++)
        hash = mix(hash, *word);
    hash = mix(hash, "environment");
    for (char *const *entry = spec->envp; entry && *entry; entry++) {
        if (!begins_with(*entry, "SERVER_COUNT=")) /* of the farm, not of this server: a scale leaves it alone */
            hash = mix(hash, *entry);
    }
    return hash != 0 ? hash : 1;
}

/* --- reading --- */

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void copy_text(const cJSON *item, char *out, size_t size)
{
    snprintf(out, size, "%s", cJSON_IsString(item) ? item->valuestring : "");
}

static double number(const cJSON *item)
{
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void parse_labels(const cJSON *labels, struct container_state *state)
{
    const cJSON *server = member(labels, CONTAINER_LABEL_SERVER), *spec = member(labels, CONTAINER_LABEL_SPEC);

    copy_text(member(labels, CONTAINER_LABEL_INSTANCE), state->instance, sizeof(state->instance));
    long id = cJSON_IsString(server) ? strtol(server->valuestring, NULL, 10) : 0;
    state->server = id > 0 && id <= SETTINGS_MAX_SERVERS ? (int)id : 0;
    state->exported = cJSON_IsString(spec) && strcmp(spec->valuestring, CONTAINER_SPEC_EXPORTED) == 0;
    state->spec_hash = !state->exported && cJSON_IsString(spec) ? strtoull(spec->valuestring, NULL, 16) : 0;
}

static uint64_t count(const cJSON *item)
{
    double value = number(item);

    return value > 0 && value < (double)INT64_MAX ? (uint64_t)value : 0; /* no limit is -1 in places */
}

static void parse_limits(const cJSON *host, struct container_limits *limits)
{
    *limits = (struct container_limits){
        .nano_cpus = (int64_t)count(member(host, "NanoCpus")),
        .cpu_shares = (int64_t)count(member(host, "CpuShares")),
        .memory = count(member(host, "Memory")),
        .memory_reservation = count(member(host, "MemoryReservation")),
        .pids = count(member(host, "PidsLimit")),
    };
}

static void parse_network(const cJSON *settings, struct container_state *state)
{
    const cJSON *network = member(member(settings, "Networks"), CONTAINER_NETWORK);
    const cJSON *address = member(network, "IPAddress");

    state->connected = cJSON_IsObject(network);
    copy_text(member(network, "NetworkID"), state->network_id, sizeof(state->network_id));
    if (!cJSON_IsString(address) || inet_pton(AF_INET, address->valuestring, &state->address) != 1)
        state->address = (struct in_addr){0};
}

bool container_has_limits(const struct container_state *state, const struct limits *limits)
{
    const struct container_limits asked = container_limits_of(limits), *has = &state->limits;

    return has->nano_cpus == asked.nano_cpus && has->cpu_shares == asked.cpu_shares && has->memory == asked.memory &&
           has->memory_reservation == asked.memory_reservation && has->pids == asked.pids;
}

/* The first one that is published: farmd publishes one. */
static uint16_t parse_port(const cJSON *bindings)
{
    const cJSON *binding = cJSON_GetArrayItem(bindings ? bindings->child : NULL, 0);
    const cJSON *port = member(binding, "HostPort");
    long value = cJSON_IsString(port) ? strtol(port->valuestring, NULL, 10) : 0;

    return value > 0 && value <= UINT16_MAX ? (uint16_t)value : 0;
}

int container_parse(const cJSON *json, struct container_state *state, struct error *err)
{
    const cJSON *id = member(json, "Id"), *name = member(json, "Name"), *run = member(json, "State");

    if (!cJSON_IsString(id) || strlen(id->valuestring) >= CONTAINER_ID_MAX || !cJSON_IsString(name) ||
        !cJSON_IsObject(run))
        return error_set(err, EPROTO, "the Docker Engine describes a container in a way that farmd does not know");
    *state = (struct container_state){0};
    copy_text(id, state->id, sizeof(state->id));
    snprintf(state->name, sizeof(state->name), "%s", name->valuestring + (name->valuestring[0] == '/'));
    parse_labels(member(member(json, "Config"), "Labels"), state);
    parse_limits(member(json, "HostConfig"), &state->limits);
    parse_network(member(json, "NetworkSettings"), state);
    state->port = parse_port(member(member(json, "HostConfig"), "PortBindings"));
    copy_text(member(member(json, "Config"), "Image"), state->image, sizeof(state->image));
    state->running = cJSON_IsTrue(member(run, "Running"));
    state->paused = cJSON_IsTrue(member(run, "Paused"));
    state->oom_killed = cJSON_IsTrue(member(run, "OOMKilled"));
    const cJSON *status = member(run, "Status");
    state->removing =
        cJSON_IsTrue(member(run, "Dead")) || (cJSON_IsString(status) && strcmp(status->valuestring, "removing") == 0);
    state->pid = (pid_t)number(member(run, "Pid"));
    state->exit_code = (int)number(member(run, "ExitCode"));
    copy_text(member(run, "Error"), state->error, sizeof(state->error));
    copy_text(member(run, "StartedAt"), state->started_at, sizeof(state->started_at));
    return 0;
}

void container_exit(const struct container_state *state, struct runtime_exit *exit)
{
    int code = state->exit_code;
    bool by_signal = code > SIGNAL_OFFSET && code <= SIGNAL_OFFSET + SIGNAL_MAX;
    bool killed = by_signal && code - SIGNAL_OFFSET == SIGKILL;

    *exit = (struct runtime_exit){
        .kind = by_signal ? RUNTIME_EXIT_SIGNAL : RUNTIME_EXIT_CODE,
        .exit_code = by_signal ? 0 : code,
        .signal = by_signal ? code - SIGNAL_OFFSET : 0,
        .oom_killed = state->oom_killed && killed, /* the Engine says so as well where a child was and it lived on */
        .not_started = state->error[0] != '\0',
    };
    if (exit->not_started)
        snprintf(exit->detail, sizeof(exit->detail), "error EIO %s", state->error);
}
