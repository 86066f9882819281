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
    bool by_hand; /* somebody has stopped it through Docker */
    LIST_ENTRY(kept_container) link;
};

struct docker_enforcement {
    struct runtime_enforced enforced;
    char kind[16];     /* "cgroup2" or "cgroup1" */
    char warning[512]; /* "" when all is enforced */
};

struct runtime {
    uv_loop_t *loop;
    struct runtime_events events;
    void *farm;
    struct engine_address address;
    struct engine *engine;
    struct engine_feed *feed;
    char instance[CONTAINER_NAME_MAX];
    struct docker_image image;         /* of farm-worker */
    struct container_project project;  /* farmd's own; an empty name: none */
    bool in_network;                   /* farmd is a container too, beside its servers */
    char network_id[CONTAINER_ID_MAX]; /* of the servers' network; "": it is gone */
    bool network_is_ours;              /* a farmd has made it */
    bool network_asked;                /* it is being made anew */
    LIST_HEAD(, kept_container) kept;
    LIST_HEAD(, runtime_process) runs;
    uv_timer_t tick; /* what is asked again and again, see tick.c */
    int64_t pinged_ms;
    int64_t opened_ns; /* what happens from then on is told by the feed */
    bool swept;        /* what earlier farmds left is this one's to remove */
    struct docker_enforcement enforcement;
    unsigned sweeping; /* containers that are being removed by the sweep */
    void (*on_swept)(void *data);
    void *swept_data;
};

enum run_state {
    RUN_REMOVING, /* the container that has its name and doesn't fit any more */
    RUN_CREATING,
    RUN_FINDING, /* who has its name already */
    RUN_WAITING, /* for that one to be gone */
    RUN_STARTING,
    RUN_LOOKING, /* the Engine has started it: what became of it is being asked */
    RUN_RUNNING,
    RUN_ENDING,  /* it has ended: how is being asked */
    RUN_READING, /* how is known; the last lines of its log are on their way */
};

/* What the Engine is being asked to do to a run. */
enum run_change { CHANGE_NONE, CHANGE_SIGNAL, CHANGE_LIMITS, CHANGE_FROZEN, CHANGE_CONNECTED };

struct runtime_process {
    struct runtime *runtime;
    void *owner;
    enum run_state state;
    char name[CONTAINER_NAME_MAX];
    char id[CONTAINER_ID_MAX]; /* "" until it is created */
    int server;
    uint16_t port;
    bool is_worker;
    uint64_t spec_hash;
    struct buffer body; /* of the create */
    unsigned creates;   /* that were tried */
    bool is_new;        /* its container: all that it has written is of this run */
    char *log_path;
    pid_t pid;
    struct in_addr address; /* on the servers' network; 0 until it runs */
    int64_t asked_ns;       /* when its start was asked for */
    int64_t started_ns;     /* as the Engine counts */
    int64_t died_ns;        /* the last death that was heard of */
    unsigned calls;         /* under way that refer to it */
    bool told;              /* freed with the last call */

    /* What is wanted of it; control.c asks for one thing after another, so that none overtakes another. */
    enum run_change changing; /* which of them is under way */
    uint64_t signals;         /* to be sent, a bit each */
    uint64_t sent;            /* signals that farmd has sent: their echo is nobody else's doing */
    struct limits limits;     /* in force, or to be */
    struct limits limits_sent, limits_confirmed;
    bool limits_differ, limits_refused, limits_by_hand;
    bool paused, paused_wanted;
    bool connected, connected_wanted;         /* to the servers' network */
    int64_t frozen_until_ms, limits_until_ms; /* how long somebody waits for it to be so; 0: nobody does */

    bool by_hand;         /* somebody else has sent a signal that ends */
    unsigned feed_breaks; /* when that was heard of */
    bool renaming;
    unsigned looks;       /* under way */
    unsigned looks_stale; /* of these, were asked for before farmd changed something */
    int64_t oom_ms;       /* when an OOM kill in it was heard of, to be told if it lives on; 0: none */

    struct leaf *leaf; /* NULL: its cgroup is not seen from here */
    bool stats_asked;
    int64_t stats_ms; /* when the Engine was last asked for them */
    struct log_follow *log;
    int64_t log_ms; /* when it was last asked for */
    int64_t reading_until_ms;
    struct runtime_sample last_sample;
    struct container_state ended;
    struct runtime_exit exit;

    struct counters *counters; /* as the worker's /metrics tells them; NULL until it has */
    int64_t counters_at_ns, metrics_ms;
    struct http_client *metrics;
    bool metrics_asked;
    LIST_ENTRY(runtime_process) link;
};

/* runtime.c */
/* By the Engine's own word. */
int docker_enforcement_of(const struct engine_address *address, struct docker_enforcement *enforcement,
                          struct error *err);
int docker_available(const struct runtime *runtime, struct error *err);

/* run.c */
int docker_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner,
                 struct runtime_process **process, struct error *err);
struct runtime_process *docker_run_new(struct runtime *runtime, const char *name, int server, const char *log_path,
                                       void *owner);
struct runtime_process *docker_find_run(struct runtime *runtime, const char *id); /* NULL: none */
void docker_run_died(struct runtime_process *run, int64_t at_ns);
void docker_run_free(struct runtime_process *run);
void docker_run_begin(struct runtime_process *run); /* starts the container that it has */
void docker_run_watch(struct runtime_process *run, const struct container_state *state); /* which runs */
/* It never ran, and its end is told. `why` as a program would have said it through its pipe: with a name of the error in
 * front. */
void docker_run_not_started(struct runtime_process *run, const char *error, const char *why, bool unavailable);
void docker_run_not_started_for(struct runtime_process *run, const struct engine_answer *answer);
void docker_run_give_up(struct runtime_process *run);               /* nobody can tell what becomes of it */
void docker_run_log(struct runtime_process *run, int64_t since_ns); /* follows what it writes from then on */
void docker_run_read(struct runtime_process *run); /* its log has come to its end, or has had its time */
void docker_call_container(struct runtime_process *run, const char *method, const char *what, const struct buffer *body,
                           void (*done)(struct runtime_process *run, const struct engine_answer *answer));
/* A call about a run: `done` gets the run back. */
void docker_call(struct runtime_process *run, const char *method, const char *path, const struct buffer *body,
                 void (*done)(struct runtime_process *run, const struct engine_answer *answer));

/* acquire.c: begins the run with the container of the last one, or NULL; in the end a start or docker_run_not_started. */
void docker_acquire(struct runtime_process *run, const struct container_state *last);
void docker_run_create(struct runtime_process *run);

/* adopt.c */
int docker_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                 struct runtime_adopted *adopted, struct runtime_process **process, struct error *err);
int64_t docker_log_end_ns(const struct runtime_process *run); /* when its log was last written to */
/* Tells one run of a container from another, wherever farmd runs: in hundredths of a second since 1970. */
uint64_t docker_start_time(const struct container_state *state);

/* drift.c: what others do to a container through Docker itself. */
void docker_run_look(struct runtime_process *run); /* what has become of it, asked of the Engine */
void docker_saw_signal(struct runtime_process *run, int signal, int64_t at_ns);
bool docker_signal_ends(int signal);
void docker_saw_start(struct runtime *runtime, const char *id);
void docker_saw_removal(struct runtime *runtime, const char *id);
/* Why it is as good as paused, or NULL when it is not. */
const char *docker_held_why(const struct container_state *state);

/* tick.c: out of memory and alive, logs that take too long, statistics and requests that must be asked for. */
void docker_tick_begin(struct runtime *runtime);

/* stats.c: its figures by the Engine's word. */
void docker_stats_ask(struct runtime_process *run);
void docker_stats_parse(const struct cJSON *json, struct runtime_sample *sample);

/* worker_metrics.c: a farm-worker's requests, asked over HTTP. */
void worker_metrics_ask(struct runtime_process *run);
bool worker_metrics_parse(const char *text, uint64_t *requests, uint64_t *errors); /* false: it tells none */

/* port.c */
void docker_port_holder(struct runtime *runtime, uint16_t port, void (*tell)(const char *holder, void *data),
                        void *data);
void docker_port_holder_known(uint16_t port, char *out, size_t size);

/* Ports are published on the Engine's machine, which a farmd in a container does not reach: see runtime_ops.address. */
void docker_address(const struct runtime_process *run, struct sockaddr_in *address);

/* control.c: what is done to a run. */
void docker_control(struct runtime_process *run);                         /* asks for the next thing that is wanted */
void docker_control_overdue(struct runtime_process *run, int64_t now_ms); /* nobody waits for ever */
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
struct kept_container *kept_find_id(struct runtime *runtime, const char *id);
struct kept_container *kept_put(struct runtime *runtime, const struct container_state *state);
void kept_drop(struct kept_container *kept);
void docker_forget(struct runtime *runtime, int server);
/* Lists what the Engine has of this farm; before the loop runs. */
int kept_list(struct runtime *runtime, struct error *err);
/* Likewise when the Engine is back, later: one that runs without a run is told of. */
void kept_list_again(struct runtime *runtime);
/* Removes whatever the Engine has of this farm here and now, and the network unless it is in use; after the loop. */
void kept_remove_all(struct runtime *runtime);
void network_remove(const struct runtime *runtime);
void docker_sweep(struct runtime *runtime, const struct runtime_sweep *what);

/* network.c: there is the network; before the loop runs, and when it was removed later. */
int network_ensure(struct runtime *runtime, struct error *err);
void network_look_again(struct runtime *runtime); /* the Engine is back */
void network_was_removed(struct runtime *runtime, const char *id);

/* compose_project.c: which project of Docker Compose farmd is in; before the loop runs. */
int compose_project_find(struct runtime *runtime, struct error *err);

/* engine_feed.c: what happens to containers, told by the Engine. */
struct engine_feed *engine_feed_new(struct runtime *runtime);
void engine_feed_free(struct engine_feed *feed);
int docker_event_signal(const struct cJSON *event);                       /* that somebody has sent; 0: none */
bool engine_feed_is_live(const struct engine_feed *feed);                 /* the Engine answers */
int64_t engine_feed_away_ms(const struct engine_feed *feed);              /* for how long it has not; 0: it does */
void engine_feed_ping(struct engine_feed *feed);                          /* asks whether it answers */
bool engine_feed_was_live(const struct engine_feed *feed, int64_t at_ns); /* and has been since */
unsigned engine_feed_breaks(const struct engine_feed *feed);              /* how often it has stopped to */

/* log_follow.c: what a container writes, into its server's log: from where it was last followed, and if that was never, from
 * a time on. `ended` may free it. */
struct log_follow;
struct log_follow *log_follow_begin(struct runtime *runtime, const char *id, const char *path, int64_t since_ns,
                                    void (*ended)(void *data), void *data);
void log_follow_free(struct log_follow *follow); /* NULL is fine */

#endif
