/*
 * What the files of the swarm kind share; the public face is runtime_swarm_ops.
 *
 * A run is one task of a server's service, from when it is waited for until Swarm has ended it. The service outlives the run:
 * Swarm makes the next task by its own restart policy, and the next run only waits for that.
 */
#ifndef SUPERVISOR_RUNTIME_SWARM_SWARM_H
#define SUPERVISOR_RUNTIME_SWARM_SWARM_H

#include "supervisor/runtime/docker/engine.h"
#include "supervisor/runtime/docker/image.h"
#include "supervisor/runtime/process/slice.h"
#include "supervisor/runtime/runtime.h"
#include "supervisor/runtime/swarm/relay.h"
#include "supervisor/runtime/swarm/service.h"

#include <sys/queue.h>

#define SWARM_TIMEOUT_MS 10000 /* of any one call: none takes a manager that is well a second */

struct http_client;
struct swarm_watch;
struct task_log;

/* A service of this farm. */
struct swarm_service {
    struct runtime *runtime;
    int server;
    char id[SWARM_ID_MAX];                    /* "" until it is created */
    struct cJSON *spec;                       /* as it is to be */
    bool submitting;                          /* a change is under way … */
    bool changed;                             /* … and another one is to follow */
    bool unsure;                              /* the last one failed: what Swarm has may be anything, or nothing */
    bool owed;                                /* … and it is tried again with the next listing */
    bool leaving;                             /* to be removed … */
    void (*removed)(struct runtime *runtime); /* … and then this is told; may be NULL */
    bool rests;                               /* nothing of it is to run before a start, here or by somebody there */
    unsigned seen;                            /* listings in a row in which it ran all the same */
    unsigned tries;                           /* of this change that came out of sequence */
    struct task_state live;      /* the newest task that Swarm wants to run, by the last listing; id "": none */
    struct task_state promised;  /* the one that the farm was told will follow; id "": none was, or it is a run's */
    struct runtime_process *run; /* NULL: none */
    LIST_ENTRY(swarm_service) link;
};

struct runtime {
    uv_loop_t *loop;
    struct runtime_events events;
    void *farm;
    struct engine_address address;
    struct engine *engine;
    struct swarm_watch *watch;
    char instance[SWARM_NAME_MAX];
    struct docker_image image;
    char self[SWARM_ID_MAX]; /* this Engine's own node */
    struct node_state *nodes;
    size_t node_count;
    LIST_HEAD(, swarm_service) services;
    LIST_HEAD(, runtime_process) runs;
    LIST_HEAD(, task_log) logs;
    struct runtime_enforced enforced;
    char enforcement[16];
    char warning[512];
    unsigned sweeping;
    void (*swept)(void *data);
    void *swept_data;
};

enum run_state {
    RUN_WAITING, /* for a task of the service, or for its container */
    RUN_RUNNING,
    RUN_ENDING, /* Swarm no longer wants the task: how it ended is being asked */
    RUN_ENDED,  /* that is known, and what follows is being asked */
};

struct runtime_process {
    struct runtime *runtime;
    struct swarm_service *service;
    void *owner;
    enum run_state state;
    char name[SWARM_NAME_MAX];
    uint16_t port;
    char *log_path;
    struct task_state task;      /* id "": none yet */
    char not_task[SWARM_ID_MAX]; /* that of the run before, which a late listing may still have */
    int64_t started_ns;          /* real time of its container's start; 0: not yet */
    unsigned stuck;              /* listings in a row in which it could not be placed */
    unsigned alone;              /* and in which its task was unwanted and no other one there */
    bool asking, stopping, killed, adopted;
    void (*asked)(struct runtime_process *run, const struct engine_answer *answer);
    bool limits_asked;           /* of Swarm, which has not answered yet … */
    struct limits limits_before; /* … and what they are when it refuses */
    struct runtime_exit exit;    /* in RUN_ENDED */
    struct leaf *leaf;           /* NULL: its cgroup is not seen from here */
    struct relay *relay;         /* NULL: the task is on this node, or not there yet */
    struct task_log *log;
    struct runtime_sample last_sample;
    struct http_client *figures; /* of a task on another node */
    int64_t figures_at_ns, figures_tried_ns;
    bool figures_asked;
    LIST_ENTRY(runtime_process) link;
};

/* runtime.c: -ENOTSUP with the fix unless the Engine that tells this of itself (GET /info) manages a Swarm. */
int swarm_check_manager(const struct engine_address *address, const struct cJSON *info, struct error *err);

/* change.c: services are created, changed and removed, one call at a time for each. */
struct swarm_service *swarm_service_of(struct runtime *runtime, int server);
struct swarm_service *swarm_service_by_id(struct runtime *runtime, const char *id);
struct swarm_service *swarm_service_new(struct runtime *runtime, int server, struct cJSON *spec);
void swarm_service_free(struct swarm_service *service);
void swarm_submit(struct swarm_service *service);        /* makes it as its specification says */
void swarm_submit_listed(struct swarm_service *service); /* tries again what has failed */
void swarm_remove(struct swarm_service *service, void (*done)(struct runtime *runtime)); /* done may be NULL */
void swarm_remove_all(struct runtime *runtime); /* here and now: after the loop */

/* run.c */
int swarm_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner, struct runtime_process **process,
                struct error *err);
int swarm_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                struct runtime_adopted *adopted, struct runtime_process **process, struct error *err);
void swarm_run_listed(struct runtime_process *run); /* service->live is new */
void swarm_run_free(struct runtime_process *run);
bool swarm_run_is_here(const struct runtime_process *run);
/* The port is free afterwards, since the next task may come to this node; requests under way and the log go on. */
void swarm_run_retire(struct runtime_process *run);
/* The way to it and what is measured of it, from when it runs. */
void swarm_run_open_way(struct runtime_process *run);
void swarm_run_let_go(struct runtime_process *run); /* closes what is open for a task that is over */
/* One at a time. */
void swarm_ask(struct runtime_process *run, const char *path,
               void (*done)(struct runtime_process *run, const struct engine_answer *answer));
const struct node_state *swarm_node(const struct runtime *runtime, const char *id); /* NULL: unknown */

/* ending.c */
void swarm_end(struct runtime_process *run);        /* its task is not wanted any more; again with each listing */
void swarm_end_unseen(struct runtime_process *run); /* there never was a task */
void swarm_end_tell(struct runtime_process *run, const struct runtime_exit *exit);
void swarm_run_failed(struct runtime_process *run, const char *reason); /* the Engine refuses its service */
void swarm_rest_listed(struct swarm_service *service);                  /* service->live is new */
void swarm_call_off(struct runtime *runtime, int server);               /* the restart that was promised */

/* control.c */
int swarm_signal(struct runtime_process *run, int signal, struct error *err);
int swarm_kill(struct runtime_process *run, struct error *err);
int swarm_pause(struct runtime_process *run, struct error *err);
int swarm_resume(struct runtime_process *run, struct error *err);
int swarm_set_limits(struct runtime_process *run, const struct limits *limits, struct error *err);
bool swarm_limits_in_force(const struct runtime_process *run, struct runtime_limits_in_force *limits);
void swarm_sample(struct runtime_process *run, struct runtime_sample *sample);
void swarm_pressure(const struct runtime_process *run, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT]);

/* log.c: what a task writes goes into the server's log. */
struct task_log *swarm_log_open(struct runtime *runtime, const char *task, const char *path, int64_t since_ns);
void swarm_log_keep(struct task_log *log);      /* its task runs: a stream that broke is opened again; call it often */
void swarm_log_linger(struct task_log *log);    /* what still comes is taken, for a moment; NULL is fine */
void swarm_logs_close(struct runtime *runtime); /* all of them, at once */

/* figures.c: what a server on another node uses goes into last_sample, every few seconds. */
void swarm_figures_ask(struct runtime_process *run); /* when it is time; call it often */
void swarm_figures_end(struct runtime_process *run); /* no answer comes any more */

/* watch.c: what Swarm has, listed again and again. */
struct swarm_watch *swarm_watch_new(struct runtime *runtime);
void swarm_watch_free(struct swarm_watch *watch);
void swarm_watch_soon(struct swarm_watch *watch); /* something is about to happen */
bool swarm_watch_is_live(const struct swarm_watch *watch);
int swarm_look(struct runtime *runtime, struct error *err); /* services, nodes and tasks, before the loop runs */

#endif
