/*
 * What a server is to the Engine: the body with which a container is made, what the Engine tells of one, and the names and
 * labels by which farmd knows its own. Pure: no call is made here.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_CONTAINER_H
#define SUPERVISOR_RUNTIME_DOCKER_CONTAINER_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/runtime/runtime.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define CONTAINER_PORT 8000 /* that a server listens on inside; by its name on the network */
#define CONTAINER_NETWORK "server-network"
#define CONTAINER_LABEL_INSTANCE "farmd.instance" /* whose it is */
#define CONTAINER_LABEL_SERVER "farmd.server"     /* which one: its id */
#define CONTAINER_LABEL_SPEC "farmd.spec"         /* what it was made from: another value, another container */
#define CONTAINER_SPEC_EXPORTED "exported" /* its value where `farmd export compose` has written the container down */
#define CONTAINER_ID_MAX 65
#define CONTAINER_NAME_MAX 64
#define CONTAINER_TIME_MAX 40

struct cJSON;

/* The project of Docker Compose that a container is a part of. */
struct container_project {
    char name[CONTAINER_NAME_MAX];
    char service[CONTAINER_NAME_MAX];
};

/* The body of POST /containers/create. `project` may be NULL. `spec_hash` becomes the label: see container_hash. */
void container_compose(const struct runtime_spec *spec, const char *instance, const struct container_project *project,
                       const char *image, uint64_t spec_hash, struct buffer *out);

/* Of everything that only a new container can change; limits are changed live. */
uint64_t container_hash(const struct runtime_spec *spec, const char *image);

/* The body of POST /containers/ID/update. */
void container_compose_limits(const struct limits *limits, struct buffer *out);

/* In the Engine's own units. */
struct container_limits {
    int64_t nano_cpus, cpu_shares;
    uint64_t memory, memory_reservation, pids;
};

/* What the Engine says of a container (GET /containers/ID/json). */
struct container_state {
    char id[CONTAINER_ID_MAX];
    char name[CONTAINER_NAME_MAX]; /* without the slash */
    char instance[CONTAINER_NAME_MAX];
    int server;         /* 0: not one of a farm's */
    uint64_t spec_hash; /* 0: none */
    bool exported;      /* made from what `farmd export compose` wrote */
    bool running, paused, oom_killed, removing;
    pid_t pid; /* of its first process, as the Engine's machine counts; 0 when it does not run */
    int exit_code;
    char error[200];                     /* why it could not be started, or "" */
    char started_at[CONTAINER_TIME_MAX]; /* as the Engine writes it */
    char image[96];
    bool connected;                    /* to the servers' network, or would be when it runs */
    char network_id[CONTAINER_ID_MAX]; /* of that network; "" while it is not known */
    struct in_addr address;            /* on the servers' network; 0 while it does not run */
    uint16_t port;                     /* of this machine, that it is reached at; 0: none */
    struct container_limits limits;    /* that the Engine was asked for */
};

/* -EPROTO: that is no such description. */
int container_parse(const struct cJSON *json, struct container_state *state, struct error *err);

struct container_limits container_limits_of(const struct limits *limits);

/* Whether it was asked for these. */
bool container_has_limits(const struct container_state *state, const struct limits *limits);

/* How a run ended, in the words of runtime.h: the Engine adds 128 to a signal. */
void container_exit(const struct container_state *state, struct runtime_exit *exit);

#endif
