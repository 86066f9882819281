/*
 * What a server is to Swarm: the specification of its service, and what Swarm tells of services, tasks and nodes. Pure: no
 * call is made here.
 */
#ifndef SUPERVISOR_RUNTIME_SWARM_SERVICE_H
#define SUPERVISOR_RUNTIME_SWARM_SERVICE_H

#include "core/error.h"
#include "supervisor/runtime/runtime.h"
#include "supervisor/runtime/swarm/policy.h"

#include <stdbool.h>
#include <stdint.h>

#define SERVICE_PORT 8000 /* that a server listens on inside its container */
#define SERVICE_LABEL_INSTANCE "farmd.instance"
#define SERVICE_LABEL_SERVER "farmd.server"
#define SERVICE_LABEL_SPEC "farmd.spec"
#define SERVICE_LABEL_SETTINGS "farmd.settings" /* the fingerprint of the group's settings */
#define SWARM_ID_MAX 32
#define SWARM_NAME_MAX 64
#define SWARM_WORD_MAX 16

struct cJSON;

/* The specification of one server's service, with one replica; the caller deletes it. */
struct cJSON *service_compose(const struct runtime_spec *spec, const struct swarm_policy *policy, const char *instance,
                              const char *image);

/* Of everything in a specification but limits, replicas and forced updates, which change while it goes on. */
uint64_t service_hash(const struct cJSON *spec);

/* Changes in place. */
void service_set_replicas(struct cJSON *spec, unsigned replicas);
void service_set_limits(struct cJSON *spec, const struct limits *limits);
void service_force(struct cJSON *spec); /* the next update replaces the task even if nothing else changed */
void service_force_after(struct cJSON *spec,
                         const struct cJSON *earlier); /* likewise, with the count of an earlier one */

/* Reading one. */
unsigned service_replicas(const struct cJSON *spec);
void service_limits(const struct cJSON *spec, struct limits *limits);
void service_task_limits(const struct cJSON *task, struct limits *limits); /* of the specification of one task */
int64_t service_delay_ms(const struct cJSON *spec);                        /* between a task's end and the next one */
uint64_t service_fingerprint(const struct cJSON *spec);                    /* 0: none */
uint64_t service_noted_hash(const struct cJSON *spec);                     /* 0: none */
uint16_t service_published_port(const struct cJSON *spec);                 /* 0: none */

struct service_state {
    char id[SWARM_ID_MAX];
    char name[SWARM_NAME_MAX];
    char instance[SWARM_NAME_MAX];
    int server; /* 0: not one of a farm's */
    const struct cJSON *spec;
};

/* What GET /services/ID tells; `spec` lies in `json`. -EPROTO: that is no such description. */
int service_parse(const struct cJSON *json, struct service_state *state, struct error *err);

struct task_state {
    char id[SWARM_ID_MAX];
    char service[SWARM_ID_MAX];
    char node[SWARM_ID_MAX];      /* "" before it is placed */
    char state[SWARM_WORD_MAX];   /* "running" */
    char desired[SWARM_WORD_MAX]; /* "shutdown" */
    char error[160];              /* why it failed or waits, or "" */
    char container[72];
    pid_t pid; /* on its node; 0 when it does not run */
    int exit_code;
    bool has_exit_code;
    struct limits limits; /* of its own: after a change of the service they are those of before */
    char created_at[40];  /* as Swarm writes it */
    char changed_at[40];  /* when it entered its state */
};

int task_parse(const struct cJSON *json, struct task_state *state, struct error *err);
bool task_is_newer(const struct task_state *state, const struct task_state *other); /* than none, too */
bool task_is_over(const struct task_state *state);                                  /* nothing of it runs any more */
bool task_is_wanted(const struct task_state *state);
/* How it ended, in the words of runtime.h. */
void task_exit(const struct task_state *state, struct runtime_exit *exit);

struct node_state {
    char id[SWARM_ID_MAX];
    char name[SWARM_NAME_MAX];
    char address[SWARM_NAME_MAX];
    bool down;
};

int node_parse(const struct cJSON *json, struct node_state *state, struct error *err);

#endif
