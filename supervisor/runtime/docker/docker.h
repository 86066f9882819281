/*
 * What the files of the docker kind share; the public face is runtime_docker_ops.
 *
 * A run is one start of a server's container until its end is told. The container outlives the run: the next one starts it
 * again where it still fits, which costs the Engine half of what a new one does.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_DOCKER_H
#define SUPERVISOR_RUNTIME_DOCKER_DOCKER_H

#include "supervisor/runtime/docker/container.h"
#include "supervisor/runtime/docker/engine.h"
#include "supervisor/runtime/docker/image.h"
#include "supervisor/runtime/docker/log_frames.h"
#include "supervisor/runtime/process/slice.h"
#include "supervisor/runtime/runtime.h"

#include <sys/queue.h>

struct engine_feed;

/* A container of this farm that stands still, or that an earlier farmd has left. */
struct kept_container {
    struct container_state state;
    LIST_ENTRY(kept_container) link;
};

struct runtime {
    uv_loop_t *loop;
    struct runtime_events events;
    void *farm;
    struct engine_address address;
    struct engine *engine;
    struct engine_feed *feed;
    char instance[CONTAINER_NAME_MAX];
    char image[DOCKER_IMAGE_MAX]; /* of farm-worker */
    char network_id[CONTAINER_ID_MAX];
    LIST_HEAD(, kept_container) kept;
    LIST_HEAD(, runtime_process) runs;
    struct runtime_enforced enforced;
    char enforcement[16];
    char warning[512];
    unsigned sweeping; /* containers that are being removed by the sweep */
    void (*swept)(void *data);
    void *swept_data;
};

enum run_state {
    RUN_REMOVING, /* the container that has its name and doesn't fit any more */
    RUN_CREATING,
    RUN_STARTING,
    RUN_LOOKING, /* the Engine has started it: what became of it is being asked */
    RUN_RUNNING,
    RUN_ENDING, /* it has ended: how is being asked */
};

struct runtime_process {
    struct runtime *runtime;
    void *owner;
    enum run_state state;
    char name[CONTAINER_NAME_MAX];
    char id[CONTAINER_ID_MAX]; /* "" until it is created */
    int server;
    uint64_t spec_hash;
    struct limits limits;
    struct buffer body; /* of the create */
    char *log_path;
    pid_t pid;
    uint64_t start_time;
    int64_t started_ns; /* as the Engine counts */
    int64_t died_ns;    /* the last death that was heard of */
    bool signalled, killed;
    int signal;
    unsigned calls;    /* under way that refer to it */
    bool told;         /* freed with the last call */
    struct leaf *leaf; /* NULL: its cgroup is not seen from here */
    struct engine_stream *log;
    struct log_frames *frames;
    struct runtime_sample last_sample;
    struct container_state ended;
    LIST_ENTRY(runtime_process) link;
};

/* run.c */
int docker_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner,
                 struct runtime_process **process, struct error *err);
int docker_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                 struct runtime_adopted *adopted, struct runtime_process **process, struct error *err);
struct runtime_process *docker_find_run(struct runtime *runtime, const char *id); /* NULL: none */
void docker_run_died(struct runtime_process *run, int64_t at_ns);
void docker_run_look(struct runtime_process *run); /* whether it still runs, asked of the Engine */
void docker_run_free(struct runtime_process *run);
/* A call about a run: `done` gets the run back. */
void docker_call(struct runtime_process *run, const char *method, const char *path, const struct buffer *body,
                 void (*done)(struct runtime_process *run, const struct engine_answer *answer));

/* control.c: what is done to a run. */
int docker_signal(struct runtime_process *run, int signal, struct error *err);
int docker_kill(struct runtime_process *run, struct error *err);
int docker_pause(struct runtime_process *run, struct error *err);
int docker_resume(struct runtime_process *run, struct error *err);
int docker_set_limits(struct runtime_process *run, const struct limits *limits, struct error *err);
bool docker_limits_in_force(const struct runtime_process *run, struct runtime_limits_in_force *limits);
void docker_sample(struct runtime_process *run, struct runtime_sample *sample);
void docker_pressure(const struct runtime_process *run, struct runtime_pressure figures[RUNTIME_RESOURCE_COUNT]);

/* kept.c */
struct kept_container *kept_find(struct runtime *runtime, int server);
void kept_put(struct runtime *runtime, const struct container_state *state);
void kept_drop(struct kept_container *kept);
/* Lists what the Engine has of this farm; before the loop runs. */
int kept_list(struct runtime *runtime, struct error *err);
/* Removes all of them here and now, and the network; after the loop. */
void kept_remove_all(struct runtime *runtime);
void docker_sweep(struct runtime *runtime, const struct runtime_sweep *what);

/* network.c: there is the network; before the loop runs. */
int network_ensure(struct runtime *runtime, struct error *err);

/* engine_feed.c: what happens to containers, told by the Engine. */
struct engine_feed *engine_feed_new(struct runtime *runtime);
void engine_feed_free(struct engine_feed *feed);
bool engine_feed_is_live(const struct engine_feed *feed); /* the Engine answers */

#endif
