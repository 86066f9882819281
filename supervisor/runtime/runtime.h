/*
 * What can run a server: one vtable, a kind behind it (processes in cgroups, later containers). The runtime starts,
 * signals, freezes, measures and ends; it takes no decisions. The farm above it decides and knows no cgroup path.
 * Everything runs on the loop's thread; no call waits for a server.
 */
#ifndef SUPERVISOR_RUNTIME_RUNTIME_H
#define SUPERVISOR_RUNTIME_RUNTIME_H

#include "core/counters.h"
#include "core/error.h"
#include "supervisor/config/settings.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct runtime;         /* one for the farm */
struct runtime_process; /* one run of one server, from start until its on_exit has been handled */

/* Where a program is looked for when the environment has no PATH. */
#define RUNTIME_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What one server is to be started with. Pointers need to live during the call only. */
struct runtime_spec {
    int id;
    const char *name; /* "server-7": cgroup leaf, host name */
    uint16_t port;
    char *const *argv;    /* NULL: farm-worker, or what the image runs */
    const char *image;    /* of containers; NULL: that of farm-worker */
    char *const *envp;    /* the whole environment, NULL-terminated; the runtime adds only its descriptors' numbers */
    const char *user;     /* NULL: the unprivileged default */
    const char *log_path; /* opened O_APPEND for stdout and stderr */
    struct limits limits;
    /* For a runtime that stops and restarts by itself, or finds its servers by what it noted on them. */
    int64_t stop_grace_ms;
    enum restart_policy restart;
    enum restart_profile restart_profile;
    uint64_t fingerprint; /* of the settings */
};

/* Who decides what follows an end. */
enum runtime_follow_up {
    RUNTIME_FOLLOW_POLICY, /* the farm, by its restart policy */
    RUNTIME_RESTARTS_IT,   /* the runtime does: the next `start` takes up what it has begun */
    RUNTIME_LEAVES_IT,     /* the runtime will not start it again by itself */
};

enum runtime_exit_kind {
    RUNTIME_EXIT_CODE,    /* exited by itself: exit_code */
    RUNTIME_EXIT_SIGNAL,  /* ended by a signal */
    RUNTIME_EXIT_UNKNOWN, /* not our child: it is gone, nobody knows how */
};

struct runtime_exit {
    enum runtime_exit_kind kind;
    int exit_code;
    int signal;
    bool oom_killed;  /* by the kernel, for its memory limit */
    bool not_started; /* it never got to its program; detail tells why */
    bool by_hand;     /* somebody ended it by the means of the runtime itself (docker stop): it is to stay so */
    bool unavailable; /* what runs servers does not answer; on_available tells when it does */
    bool replaced;    /* the runtime itself has ended it, for another one */
    enum runtime_follow_up follow_up;
    int64_t restart_in_ms; /* with RUNTIME_RESTARTS_IT */
    char detail[256];      /* what the program said before it ended ("error ENAME text"), or the runtime, or "" */
};

/* What the runtime is in want of, or the kernel refuses it; of all servers together. */
enum runtime_trouble {
    RUNTIME_TROUBLE_STATISTICS, /* some servers have none */
    RUNTIME_TROUBLE_LIMITS,     /* a limit that is refused; limits_in_force tells which are not in force */
    RUNTIME_TROUBLE_CGROUPS,    /* those of ended servers cannot be removed yet */
};

/* What takes a while to be done to a server that runs. */
enum runtime_change { RUNTIME_CHANGE_FROZEN, RUNTIME_CHANGE_LIMITS };

/* Told to the owner of a process, from the loop, never from inside a call of the runtime. */
struct runtime_events {
    void (*on_ready)(void *owner); /* said so through the readiness pipe */
    void (*on_exit)(void *owner,
                    const struct runtime_exit *exit); /* the whole group is gone; the process is freed after */
    void (*on_oom)(void *owner);                      /* a process of it was OOM-killed and the main one lives */
    /* Of a runtime that begins later: it has a pid now. */
    void (*on_begun)(void *owner);
    /* What pause, resume or set_limits answered -EINPROGRESS to: it is so now, or err tells why it is as before. Once for all
     * that was asked for meanwhile. */
    void (*on_changed)(void *owner, enum runtime_change change, const struct error *err);
    /* Frozen or not, by somebody else. `why` is for people. */
    void (*on_frozen)(void *owner, bool frozen, const char *why);
    /* Something about it was changed by somebody else and has been put right; `text` follows its name. */
    void (*on_put_right)(void *owner, const char *text);
    /* The same of what all servers share; `text` stands alone. */
    void (*on_farm_put_right)(void *farm, const char *text);
    /* One that does not run should: somebody has started it by the runtime's own means, or removed what he had stopped. */
    void (*on_wanted)(void *farm, int id, const char *why);
    void (*on_available)(void *farm); /* what runs servers answers again */
    /* May be NULL. After each try that failed, and with err NULL when all is well again; also from inside a call. */
    void (*on_trouble)(void *farm, enum runtime_trouble trouble, const struct error *err);
};

/* Cumulative figures of one server; a figure that is not accounted here has its bit in `have` clear. */
enum runtime_have {
    RUNTIME_HAVE_CPU = 1 << 0,
    RUNTIME_HAVE_THROTTLED = 1 << 1,
    RUNTIME_HAVE_MEMORY = 1 << 2,
    RUNTIME_HAVE_OOM = 1 << 3,
    RUNTIME_HAVE_PIDS = 1 << 4,
    RUNTIME_HAVE_IO = 1 << 5,
};

struct runtime_sample {
    unsigned have;         /* enum runtime_have */
    uint64_t cpu_ns;       /* used */
    uint64_t throttled_ns; /* time throttled */
    uint64_t periods;      /* enforcement periods, and those in which it was throttled */
    uint64_t periods_throttled;
    uint64_t memory; /* bytes now, without cache that can be dropped at once */
    uint64_t oom_kills;
    uint64_t pids;
    uint64_t io_read; /* bytes */
    uint64_t io_written;
};

/* Which limits are in force, read back from the kernel; a limit that is not has 0 here. */
struct runtime_limits_in_force {
    double cpu;
    uint64_t memory;
    double cpu_reservation;
    uint64_t memory_reservation;
    uint64_t pids;
};

/* What of the limits is enforced here at all; what is not, no server has. */
struct runtime_enforced {
    bool cpu, memory, pids;
};

/* How long the processes of a server waited for a resource (PSI): some of them, or all at once. */
enum runtime_resource { RUNTIME_CPU, RUNTIME_MEMORY, RUNTIME_IO, RUNTIME_RESOURCE_COUNT };

struct runtime_stall {
    bool known;
    double avg10, avg60, avg300; /* percent of the last 10, 60 and 300 s */
    uint64_t total_us;
};

struct runtime_pressure {
    struct runtime_stall some, full;
};

/* A process of this boot that an earlier farmd recorded. Its number may be another's by now: nothing is done to it before
 * it was recognised. Pointers need to live during the call only. */
struct runtime_leftover {
    pid_t pid;
    uint64_t start_time;  /* ticks since boot, as in /proc/PID/stat */
    const char *name;     /* "server-7" */
    const char *log_path; /* where its output went */
};

#define RUNTIME_MAX_PLACES 8

/* What is to be ended and removed, see runtime_ops.sweep. Needs to live during the call only. */
struct runtime_sweep {
    const struct runtime_leftover *leftovers; /* adopted or not */
    size_t leftover_count;
    char *const *places; /* of an earlier runtime */
    size_t place_count;
    /* Whether this server is started next: what runs of it, found without a record, may be what `start` takes up. */
    bool (*is_starting)(void *data, int id);
    void (*done)(void *data); /* from the loop */
    void *data;
};

/* A leftover that is to go on as if nothing had happened. */
struct runtime_adoption {
    struct runtime_leftover leftover;
    bool has_counters;    /* it is a farm-worker */
    bool paused;          /* as recorded; counts where the kernel does not tell */
    uint64_t oom_seen;    /* OOM kills in its cgroup that are known already */
    struct limits limits; /* to be in force from now on */
};

/* What is found of it. */
struct runtime_adopted {
    bool paused;            /* frozen */
    const char *paused_why; /* by whom, if not by farmd: for people; static, may be NULL */
    uint64_t oom_kills;     /* of one that is gone: those that were not known */
    bool exit_known;        /* of one that is gone, where somebody saw its end: */
    struct runtime_exit exit;
    /* From a runtime that finds its servers by itself: what it noted of them. */
    bool stopped;          /* none runs, because it was stopped by hand */
    bool starting;         /* it is not known to serve yet */
    int64_t started_at_us; /* real time; 0: not yet */
    uint64_t fingerprint;  /* of the settings it was started with; 0: not known */
    uint16_t port;
    struct limits limits;
};

struct runtime_options {
    uv_loop_t *loop;
    const char *instance;    /* names the slice: [a-z0-9-]+ */
    const char *runtime_dir; /* for the counter files; exists */
    enum enforce_mode enforce;
    const struct docker_settings *docker; /* needs to live during the call only */
    unsigned servers;                     /* how many there will be, to warn of what will not suffice */
    /* Of an earlier runtime of this instance, see runtime_ops.places: it goes on there, wherever farmd was started from.
     * Need to live during the call only. */
    char *const *places;
    size_t place_count;
    struct runtime_events events;
    void *farm; /* for on_trouble */
};

struct runtime_ops {
    const char *kind;    /* "process", "docker", "swarm" */
    bool tells_ready;    /* on_ready comes for farm-worker; else the farm has to ask it over HTTP */
    bool begins_later;   /* `start` only asks for a start: there is no pid, and nothing to ask, before on_begun */
    bool finds_servers;  /* `adopt` needs no record of them: names are enough */
    bool limits_replace; /* set_limits: not what runs gets them, but what takes its place, at once */
    /* Why a server cannot be killed, or paused and resumed, on request here; NULL: it can. */
    const char *no_kill;
    const char *no_pause;

    /* -EINVAL: these settings ask for what cannot be done here. NULL: there is nothing of that kind. */
    int (*accepts)(const struct settings *settings, struct error *err);

    /* Finds out what can be enforced here and makes the slice; what an earlier run of the same instance left in it stays
     * untouched. -EPERM when enforcement is required and impossible. */
    int (*open)(struct runtime **runtime, const struct runtime_options *options, struct error *err);
    /* After the last on_exit and outside of a sweep: frees, and removes the slice unless something still is in it. */
    void (*close)(struct runtime *runtime);

    /* Takes over a server that an earlier farmd started: from then on it is as after `start`, but that on_ready never
     * comes, and how it ends is unknown unless it is a child of this process (of before an exec). On failure nothing was
     * done to it: -ESRCH, it is gone; -ESTALE, it is not where a server of this runtime belongs; else a limit is refused. */
    int (*adopt)(struct runtime *runtime, const struct runtime_adoption *adoption, void *owner,
                 struct runtime_adopted *adopted, struct runtime_process **process, struct error *err);
    /* Once, after the adoptions and before the first start: ends every process of earlier runs that was not adopted and
     * removes what is left of them, in these places too. In a thread, for some seconds at most. */
    void (*sweep)(struct runtime *runtime, const struct runtime_sweep *what);
    /* Where it keeps what a later sweep should find even if it is opened otherwise then; returns how many there are. They
     * live as long as the runtime. */
    size_t (*places)(const struct runtime *runtime, const char *places[RUNTIME_MAX_PLACES]);

    const char *(*enforcement)(const struct runtime *runtime); /* "cgroup2", "cgroup1" or "none" */
    struct runtime_enforced (*enforced)(const struct runtime *runtime);
    /* Why it is not full enforcement and how to get it, in two lines ("…\n  fix: …"); NULL when it is. */
    const char *(*warning)(const struct runtime *runtime);

    /* Begins one run. On success *process is set and on_exit will come exactly once. On failure nothing runs;
     * -EADDRINUSE when the port is taken. */
    int (*start)(struct runtime *runtime, const struct runtime_spec *spec, void *owner,
                 struct runtime_process **process, struct error *err);
    /* May be NULL: always. -ENOTCONN, with a sentence: nothing can be started, ended or changed now. */
    int (*available)(const struct runtime *runtime, struct error *err);
    /* May be NULL. One that has ended is to stay down after all, whatever RUNTIME_RESTARTS_IT has promised. */
    void (*call_off)(struct runtime *runtime, int id);
    /* May be NULL. The server has left the farm: nothing is kept for its next start. */
    void (*forget)(struct runtime *runtime, int id);
    /* Whether a process has ended whose on_exit is still to come: how it ended is known nowhere else. */
    bool (*ending)(const struct runtime *runtime);
    /* Finds out who listens on a TCP port: "nginx (pid 812)", or "another program" where that cannot be seen. It may take
     * a look through /proc, in a thread and for all that ask meanwhile, of a second at most. `tell` is called exactly once,
     * possibly from inside the call. */
    void (*port_holder)(struct runtime *runtime, uint16_t port, void (*tell)(const char *holder, void *data),
                        void *data);
    /* The same, at once, from the looks taken so far. */
    void (*port_holder_known)(uint16_t port, char *out, size_t size);
    pid_t (*pid)(const struct runtime_process *process); /* 0: not known here */
    /* Where it answers HTTP to farmd, in place of 127.0.0.1 and its port; untouched where that is right, or not known yet.
     * May be NULL. */
    void (*address)(const struct runtime_process *process, struct sockaddr_in *address);
    /* The name of the machine that it runs on, or NULL while that is not known. NULL: it is always this one. */
    const char *(*node)(const struct runtime_process *process);
    int (*signal)(struct runtime_process *process, int signal, struct error *err); /* the main process only */
    int (*kill)(struct runtime_process *process, struct error *err); /* everything of it, at once, paused or not */
    /* These three: -EINPROGRESS, it is asked for and on_changed tells what comes of it, within seconds. */
    int (*pause)(struct runtime_process *process, struct error *err); /* freezes everything of it */
    int (*resume)(struct runtime_process *process, struct error *err);
    int (*set_limits)(struct runtime_process *process, const struct limits *limits, struct error *err);
    /* False, and none, when they cannot be read now: ask again. */
    bool (*limits_in_force)(const struct runtime_process *process, struct runtime_limits_in_force *limits);
    void (*sample)(struct runtime_process *process, struct runtime_sample *sample);
    /* Reads the kernel's files anew, so it is for one server at a time; nothing is known where there are none. */
    void (*pressure)(const struct runtime_process *process, struct runtime_pressure pressure[RUNTIME_RESOURCE_COUNT]);
    const struct counters *(*counters)(const struct runtime_process *process); /* NULL: a program without them */
    /* May be NULL: they are those of now. When they were taken, of CLOCK_MONOTONIC. */
    int64_t (*counters_at_ns)(const struct runtime_process *process);

    /* For the next farmd, with the pid; written down by the farm. */
    uint64_t (*start_time)(const struct runtime_process *process); /* ticks since boot, as in /proc/PID/stat */
};

/* Processes in cgroups on this machine; containers of a Docker Engine, found through DOCKER_HOST; services of the Swarm
 * that this Engine manages. */
extern const struct runtime_ops runtime_process_ops;
extern const struct runtime_ops runtime_docker_ops;
extern const struct runtime_ops runtime_swarm_ops;
const struct runtime_ops *runtime_of(enum runtime_kind kind);

/* Whether the runtime of these settings can do what they ask for; -EINVAL. */
int runtime_accepts(const struct settings *settings, struct error *err);

/* Who listens on a TCP port, as port_holder of the table above, found out here and now: before the loop runs. */
void runtime_port_holder(uint16_t port, char *out, size_t size);

#endif
