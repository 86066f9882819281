/*
 * One run of one server from start to on_exit, and what all runs share. Private to this kind of runtime; the public face
 * is runtime_process_ops.
 *
 * A run goes RUNNING → ENDING → TOLD. ENDING begins when the main process is reaped: what is left of it is killed and its
 * cgroup removed, in rounds that wait for their turn, so that neither one that is slow to die nor hundreds that end at
 * once delay anybody else; what takes too long is left to lingering.h. TOLD: on_exit was called, only handles are still
 * closing.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_PROCESS_H
#define SUPERVISOR_RUNTIME_PROCESS_PROCESS_H

#include "supervisor/runtime/process/lingering.h"
#include "supervisor/runtime/process/ready_pipe.h"
#include "supervisor/runtime/process/slice.h"
#include "supervisor/runtime/process/spawn.h"
#include "supervisor/runtime/process/sweep.h"
#include "supervisor/runtime/runtime.h"

#include <linux/filter.h>

struct runtime {
    uv_loop_t *loop;
    struct runtime_events events;
    struct slice *slice;
    struct lingering *lingering;
    char *counters_directory;
    struct sock_fprog *filter; /* farm-worker's; NULL: none */
    struct identities identities;
    struct spared adopted; /* until the sweep */
    /* Processes with a round of clearing up to come; a few in each turn of the loop, so that others get theirs. */
    uv_idle_t ender;
    struct runtime_process *ending_first, *ending_last;
    unsigned ending;     /* all whose main process is reaped, until their owners are told */
    unsigned references; /* its own, the handle's, and one per process that is not freed */
};

enum process_state { PROCESS_RUNNING, PROCESS_ENDING, PROCESS_TOLD };

struct runtime_process {
    struct runtime *runtime;
    void *owner;
    enum process_state state;
    struct leaf leaf;
    pid_t pid;
    int pidfd;
    uint64_t start_time; /* 0 until asked for */
    struct runtime_exit exit;
    uint64_t oom_seen;  /* OOM kills that belong to nobody any longer: from before the start, or told by on_oom */
    bool oom_to_prefer; /* its program runs, and the kernel does not know yet that it is to go before others */
    bool oom_waiting;   /* one was seen; told when the main process outlives it for a moment */
    struct runtime_sample last_sample; /* the cgroup is gone soon after the main process */
    bool end_seen;                     /* what its cgroup had to tell of the end is noted */
    struct runtime_process *next_ending;
    const struct counters *counters;
    char *counters_path;
    int64_t ending_since_ns;
    uint64_t retry_ms;

    uv_poll_t exit_poll;
    struct ready_pipe ready;
    uv_timer_t timer; /* RUNNING: tells of an OOM kill; ENDING: the next round */
    unsigned open_handles;
};

int process_start(struct runtime *runtime, const struct runtime_spec *spec, void *owner,
                  struct runtime_process **process, struct error *err);
int process_adopt(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                  struct runtime_adopted *adopted, struct runtime_process **process, struct error *err);
int process_signal(struct runtime_process *process, int signal, struct error *err);
int process_kill(struct runtime_process *process, struct error *err);
void process_sample(struct runtime_process *process, struct runtime_sample *sample);

/* What a start and an adoption have in common. */
int process_map_counters(struct runtime_process *process, int fd, struct error *err);
/* When it fails nothing is watched; process_close_handles all the same. */
int process_watch(struct runtime_process *process,
                  struct error *err);                        /* its end, and its readiness pipe if it has one */
void process_close_handles(struct runtime_process *process); /* it is freed when they are closed */

/* ending.c: what follows when the main process is reaped. The queue of the ending is on the runtime's loop. */
void process_end(struct runtime_process *process);
void process_ender_init(struct runtime *runtime);
void process_ender_close(struct runtime *runtime);

void runtime_unref(struct runtime *runtime); /* frees with the last reference */

#endif
