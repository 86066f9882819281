/*
 * The effective settings of a farm: defaults < farm.yaml < .env < environment < flags, resolved and validated. Plain
 * data, read-only once loaded; a reload makes a new one. All durations are milliseconds, all sizes bytes.
 */
#ifndef SUPERVISOR_CONFIG_SETTINGS_H
#define SUPERVISOR_CONFIG_SETTINGS_H

#include "core/error.h"
#include "core/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_MAX_SERVERS 10000
#define SETTINGS_MAX_GROUPS 64

/* What limits may be, in cores, bytes and tasks, and what a load test may do: the same wherever they are set. */
#define LIMITS_MIN_CPU 0.01
#define LIMITS_MAX_CPU 1024.0
#define LIMITS_MIN_MEMORY (4.0 * 1024 * 1024)
#define LIMITS_MAX_MEMORY (1024.0 * 1024 * 1024 * 1024 * 1024)
#define LIMITS_MIN_PIDS 8
#define LIMITS_MAX_PIDS 4194304
#define LOAD_MAX_REQUESTS 10000000 /* of each server */
#define LOAD_MAX_CONCURRENCY 1000  /* connections to each server */

enum runtime_kind { RUNTIME_PROCESS, RUNTIME_DOCKER, RUNTIME_SWARM };
enum enforce_mode { ENFORCE_AUTO, ENFORCE_REQUIRED, ENFORCE_NONE };
enum restart_policy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

/* Whose restart behaviour is played; the figures are in farm/backoff.c. */
enum restart_profile {
    RESTART_PROFILE_FARM,
    RESTART_PROFILE_KUBERNETES,
    RESTART_PROFILE_DOCKER,
    RESTART_PROFILE_SYSTEMD,
    RESTART_PROFILE_NOMAD,
    RESTART_PROFILE_SUPERVISORD,
    RESTART_PROFILE_S6,
    RESTART_PROFILE_SWARM,
    RESTART_PROFILE_COUNT
};

enum probe_kind { PROBE_STARTUP, PROBE_LIVENESS, PROBE_READINESS, PROBE_KIND_COUNT };

struct limits {
    double cpu;                  /* cores; 0.5 is half of one */
    uint64_t memory;             /* bytes */
    double cpu_reservation;      /* cores */
    uint64_t memory_reservation; /* bytes */
    uint32_t pids;
};

struct probe_settings {
    bool enabled;
    char *path; /* "/health" */
    int64_t interval_ms;
    int64_t timeout_ms;
    int64_t start_period_ms; /* failures within it after a start do not count */
    unsigned retries;        /* failures in a row that make the verdict */
};

struct key_value {
    char *key;
    char *value;
};

struct group_settings {
    char *name; /* "default" when the file has no groups */
    unsigned count;
    unsigned scaled_from; /* the count that was set, while a scale has made it another; else 0 */
    uint16_t base_port;   /* of the group's first server */
    struct limits limits;
    struct probe_settings probes[PROBE_KIND_COUNT];
    enum restart_policy restart;
    enum restart_profile restart_profile;
    int64_t start_timeout_ms; /* ready within it, or the start has failed */
    int64_t stop_grace_ms;    /* from SIGTERM to SIGKILL */
    char **command;           /* argv, NULL-terminated; NULL: farm-worker */
    char *image;              /* of a container that runs it; NULL: farm-worker's own */
    char *user;               /* for the user's program as root; NULL: the unprivileged default */
    struct key_value *environment;
    size_t environment_count;
    struct key_value *labels;
    size_t label_count;
    bool access_log; /* farm-worker writes a line per request */
};

struct listen_settings {
    char *host;    /* "localhost" is 127.0.0.1 and ::1 */
    uint16_t port; /* 0 for the dashboard: none */
};

/* How servers are containers, where `runtime` says so. */
struct docker_settings {
    char *image;     /* of farm-worker; NULL: farmd makes one of its own farm-worker */
    bool in_network; /* farmd is a container too, in the servers' network, and reaches them there */
};

struct settings {
    struct group_settings *groups; /* at least one; ids run through them in order, from 1 */
    size_t group_count;
    struct listen_settings api;
    struct listen_settings dashboard;
    char *token;                /* NULL: none */
    bool allow_unauthenticated; /* a listener beyond loopback without a token */
    char **allowed_hosts;       /* further Host names, NULL-terminated, may be NULL */
    char **allowed_origins;     /* further browser origins, NULL-terminated, may be NULL */
    enum runtime_kind runtime;
    struct docker_settings docker;
    enum enforce_mode enforce;
    enum log_level log_level;
    enum log_format log_format;
    int64_t refresh_interval_ms; /* what the dashboard begins with */
    char *web_dir;               /* where the dashboard is served from; NULL: from within farmd */
    unsigned load_requests;      /* defaults of a load test */
    unsigned load_concurrency;
    char *state_dir;   /* state, logs, history */
    char *runtime_dir; /* sockets, locks, counters */
    char *config_path; /* the file read, NULL when there was none */
};

/* Flags that farmd takes beside the verbs; documented in `farmd help`. */
struct settings_flag_help {
    const char *flag;     /* "--servers" */
    const char *argument; /* "N", NULL for a switch */
    const char *text;
    const char *preset; /* the default as in farm.yaml; NULL: none, or it depends on the machine */
};

/* Loads everything. argv holds flags only (no verb). On a bad value: err has one line with file:line (or the variable
 * or the flag), what is wrong and what is allowed; nothing is changed. 0 or a negative code. */
int settings_load(int argc, char **argv, struct settings **settings, struct error *err);
void settings_free(struct settings *settings); /* NULL is fine */

/* All flags, ended by a row with flag NULL. */
const struct settings_flag_help *settings_flags(void);

unsigned settings_total_servers(const struct settings *settings);

/* Prints the effective settings as YAML that farmd would read back. */
struct buffer;
void settings_print(const struct settings *settings, struct buffer *out);

/* The same as a .env file, as far as there are variables for it: of groups that differ, what the first one has. */
void settings_print_environment(const struct settings *settings, struct buffer *out);

/* What farmd is bound to while it runs (addresses, ports, directories, enforcement): settings_keep_bound puts the values
 * in force into newer settings and appends the paths of those that differed ("api.host, api.port"). The other two are for
 * another farmd that is to go on in its place: one prints them, a line each, and the other checks that it would have the
 * same; -EINVAL names the first that differs. */
void settings_keep_bound(struct settings *settings, const struct settings *in_force, struct buffer *names);
void settings_print_bound(const struct settings *settings, struct buffer *out);
int settings_check_bound(const struct settings *settings, const char *printed, struct error *err);

/* What is allowed but can't come true on a machine with so many cores and bytes of memory: a limit above all of it. One
 * sentence a line; nothing when all is well. */
void settings_warn(const struct settings *settings, unsigned cores, uint64_t memory, struct buffer *out);
void settings_warn_here(const struct settings *settings, struct buffer *out); /* for this machine */

/* The settings of a server and its running number; equality of what a running process was started with (command,
 * environment, user, port) and of what can be changed live. */
bool group_settings_same_process(const struct group_settings *a, const struct group_settings *b);
uint64_t group_settings_fingerprint(const struct group_settings *group); /* the same for the same process, in any run */
bool limits_equal(const struct limits *a, const struct limits *b);

/* Checks a set of limits: 0 or -EINVAL with a sentence that begins with `field_prefix` + the key ("limits.cpu: …"). */
int limits_check(const struct limits *limits, const char *field_prefix, struct error *err);

const char *runtime_kind_name(enum runtime_kind kind);       /* "process", "docker", "swarm" */
const char *enforce_mode_name(enum enforce_mode mode);       /* "auto", "required", "none" */
const char *restart_policy_name(enum restart_policy policy); /* "always", "on-failure", "never" */
const char *restart_profile_name(enum restart_profile profile);
const char *probe_kind_name(enum probe_kind kind);

#endif
