/*
 * One server of the farm: what is wanted of it, what runs, how it does. Plain data for readers (the API's view, the
 * sampler, the prober); only server.c changes the life cycle.
 */
#ifndef SUPERVISOR_FARM_SERVER_H
#define SUPERVISOR_FARM_SERVER_H

#include "core/error.h"
#include "supervisor/farm/backoff.h"
#include "supervisor/farm/events.h"
#include "supervisor/farm/lifecycle.h"
#include "supervisor/farm/log_marks.h"
#include "supervisor/runtime/runtime.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct farm;
struct prober;
struct sampler_slot;

enum server_health {
    HEALTH_UNKNOWN, /* not running, or not probed yet */
    HEALTH_HEALTHY,
    HEALTH_DEGRADED,
    HEALTH_UNHEALTHY,
};

enum server_action {
    SERVER_ACTION_START,
    SERVER_ACTION_STOP,
    SERVER_ACTION_RESTART,
    SERVER_ACTION_KILL,
    SERVER_ACTION_PAUSE,
    SERVER_ACTION_RESUME,
    SERVER_ACTION_COUNT
};

struct server_last_exit {
    bool known; /* there was one */
    enum event_reason reason;
    bool has_exit_code, has_signal;
    int exit_code;
    int signal;
    bool oom_killed;
    int64_t at_us;
};

/* How it does, per second of the last sample; figures that are not accounted have their bit in `have` clear. */
struct server_stats {
    unsigned have;      /* enum runtime_have */
    bool have_requests; /* a farm-worker, with counters */
    int64_t at_us;      /* real time of the sample; 0: none yet */
    double cpu_percent; /* of its own limit */
    double cpu_cores;
    double throttled_percent; /* of the time */
    uint64_t memory;          /* bytes */
    double memory_percent;    /* of its own limit */
    uint64_t oom_kills;       /* since the farm began */
    uint64_t pids;
    double io_read_per_second; /* bytes */
    double io_write_per_second;
    uint64_t requests_total; /* of this run */
    double requests_per_second;
    double errors_per_second;        /* 5xx */
    uint64_t p50_us, p90_us, p99_us; /* over the last second; 0 when no request was answered */
};

struct server {
    struct farm *farm;
    int id; /* from 1 */
    char name[24];
    char url[40];
    uint16_t port;
    const struct group_settings *group;
    struct limits limits; /* wanted: the group's, or as set for this server alone */
    bool limits_overridden;
    char *log_path;
    struct log_marks log_marks;

    struct lifecycle lifecycle;
    struct runtime_process *process; /* NULL when nothing runs */
    enum server_health health;
    bool ready;                 /* by the readiness probe */
    char health_error[96];      /* what the last failing probe said, "" when none */
    unsigned restarts;          /* lifetime: starts that were not the first nor a start from `stopped` by hand */
    int64_t started_at_us;      /* real time; of the process that runs, 0 when none */
    int64_t state_since_us;     /* real time; when its present state began */
    int64_t running_since_ms;   /* monotonic; ready since */
    int64_t ended_at_ms;        /* monotonic; of the last ending, for "back in 21 ms" */
    int64_t next_restart_at_us; /* real time, in backoff; else 0 */
    struct server_last_exit last_exit;
    char error[256]; /* why it does not run; "" while it does */
    struct server_stats stats;

    struct backoff backoff;
    struct server_private *own; /* timers, waiters, pending verdict: server.c's */
    struct prober *prober;
    struct sampler_slot *samples;
};

/* Told when an action is done: err NULL, or what went wrong (code EBUSY: refused in this state; ETIMEDOUT; ECANCELED:
 * overtaken by a contrary action). Exactly once, possibly from inside the call. */
typedef void (*server_done_fn)(struct server *server, const struct error *err, void *data);

struct server *server_new(struct farm *farm, int id, uint16_t port, const struct group_settings *group);
void server_free(struct server *server); /* only when nothing runs; freed when its handles are closed */

/* Asks for an action; idempotent; joins one under way. */
void server_act(struct server *server, enum server_action action, server_done_fn done, void *data);

/* Something happened to it (from the runtime, the prober, timers). */
void server_event(struct server *server, enum lifecycle_event event);

/* Sets limits live (or for the next start). -EINPROGRESS: asked for, and server_await_limits tells what comes of it. */
int server_set_limits(struct server *server, const struct limits *limits, struct error *err);
void server_await_limits(struct server *server, server_done_fn done, void *data);
/* What it has, or will have when all that was asked for is done. */
const struct limits *server_limits_wanted(const struct server *server);

bool server_is_up(const struct server *server);   /* runs or is to run: neither stopped nor given up */
bool server_is_live(const struct server *server); /* state running: the API's "running" */
/* Where it is to be asked; of one that does not run, where it would be. */
void server_address(const struct server *server, struct sockaddr_in *address);
bool server_ended_since(const struct server *server, int64_t at_ms); /* a run of it; monotonic time */
const char *server_ending_words(const struct server *server);        /* how the last one did: "was OOM-killed" */
const char *server_node(
    const struct server *server); /* the machine that it runs on; "" when it is this one, or unknown */
double server_uptime_seconds(const struct server *server); /* of the process; 0 when none runs */

const char *server_health_name(enum server_health health); /* "unknown", "healthy", "degraded", "unhealthy" */
const char *server_action_name(enum server_action action);
int server_action_parse(const char *text, enum server_action *action); /* -EINVAL */

#endif
