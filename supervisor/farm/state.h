/*
 * What the next farmd needs to know of this one, as text: which processes run, what is wanted of each server, and what is
 * to go on (restarts, last exit, limits set by hand, scaled groups). Lines of words; the first line tells the version, the
 * last one that nothing is missing.
 */
#ifndef SUPERVISOR_FARM_STATE_H
#define SUPERVISOR_FARM_STATE_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/config/settings.h"
#include "supervisor/farm/events.h"
#include "supervisor/runtime/runtime.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_NAME_MAX 64
#define STATE_MAX_ID 1000000000

/* What is to come back. */
enum state_wanted {
    STATE_RUNNING,
    STATE_STARTING, /* it runs, and was not ready yet */
    STATE_PAUSED,
    STATE_RESTARTING, /* to be started at once; what still runs of it is being ended, as in the next two */
    STATE_STOPPED,
    STATE_FAILED, /* given up */
    STATE_WANTED_COUNT
};

/* Numbers are -1 where there is nothing to tell. */
struct state_server {
    int64_t id;
    char group[STATE_NAME_MAX];
    enum state_wanted wanted;
    uint64_t fingerprint; /* of the settings that its process was started with */
    int64_t port;
    int64_t pid, start_time; /* of the process that runs */
    int64_t started_at_us;   /* real time */
    int64_t started_at_ms;   /* monotonic, as the rest in ms */
    int64_t running_since_ms;
    int64_t healthy_since_ms;
    int64_t not_ready; /* 1: by its readiness probe */
    int64_t restarts;
    int64_t failures;        /* that the backoff counts */
    int64_t streak_began_ms; /* of these failures */
    int64_t oom_kills;       /* of earlier runs */
    int64_t oom_seen;        /* in the cgroup of this one */
    bool exit_known;
    enum event_reason exit_reason;
    int64_t exit_code, exit_signal, exit_oom_killed, exit_at_us;
    int64_t limits_by_hand; /* 1: not the group's */
    struct limits limits;
    char error[200];
};

/* A group that was scaled. */
struct state_group {
    char name[STATE_NAME_MAX];
    int64_t count, scaled_from;
};

struct state {
    int64_t farm_started_at_us;
    bool stopping; /* all of it was being stopped: nothing is to go on */
    char enforcement[16];
    char *places[RUNTIME_MAX_PLACES]; /* of the runtime, see runtime_ops.places */
    size_t place_count;
    struct state_group *groups;
    size_t group_count;
    struct state_server *servers; /* all of the farm, ascending ids */
    size_t server_count;
};

void state_free(struct state *state); /* NULL is fine */

/* Everything from the first to the last line: begin; places, groups and servers in any number; end. */
void state_begin(struct buffer *out, int64_t farm_started_at_us, bool stopping, const char *enforcement);
void state_add_place(struct buffer *out, const char *path);
void state_add_group(struct buffer *out, const struct state_group *group);
void state_add_server(struct buffer *out, const struct state_server *server);
void state_end(struct buffer *out);
struct state_server state_server_empty(void);

/* Of this boot and whole, or -EBADMSG (not whole), -EPROTO (another version), -ESTALE (another boot), with what is wrong
 * with it as the message: "is empty". `text` is changed. */
int state_parse(char *text, size_t length, struct state **state, struct error *err);

#endif
