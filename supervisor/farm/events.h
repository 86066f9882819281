/*
 * Everything that happened, as a ring of numbered events with a machine-readable reason. Bounded; ids only grow.
 */
#ifndef SUPERVISOR_FARM_EVENTS_H
#define SUPERVISOR_FARM_EVENTS_H

#include "core/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define EVENTS_CAPACITY 4096
#define EVENT_MESSAGE_MAX 320

/* One row each in events.c: the name as in the API ("OOMKilled") and whether it is a warning. */
enum event_reason {
    REASON_FARM_STARTED,
    REASON_FARM_READY,
    REASON_FARM_STOPPING,
    REASON_STATE_SET_ASIDE, /* what an earlier farmd wrote down cannot be used */
    REASON_STARTED,         /* a process was started */
    REASON_UPGRADED,        /* another farmd has taken the place of the one before, in the same process */
    REASON_ADOPTED,         /* one that an earlier farmd started goes on */
    REASON_READY,           /* it serves */
    REASON_STOPPED,         /* ended as asked */
    REASON_CRASHED,         /* ended by itself with a code other than 0 or by a signal */
    REASON_COMPLETED,       /* ended by itself with 0 */
    REASON_OOM_KILLED,
    REASON_KILLED, /* by hand */
    REASON_EXIT_UNKNOWN,
    REASON_START_FAILED, /* could not be started */
    REASON_START_TIMEOUT,
    REASON_PORT_TAKEN,
    REASON_LIVENESS_FAILED,
    REASON_UNHEALTHY, /* a probe failed after it had passed */
    REASON_HEALTHY,   /* passes again */
    REASON_BACKOFF,   /* waits for the next try */
    REASON_GAVE_UP,
    REASON_PAUSED,
    REASON_RESUMED,
    REASON_PUT_RIGHT,   /* changed by somebody else by the runtime's own means, and as it should be again */
    REASON_STOP_FORCED, /* did not end within its grace period */
    REASON_LIMITS_CHANGED,
    REASON_SCALED,
    REASON_RELOADED,
    REASON_RELOAD_FAILED,
    REASON_ROLLING_RESTART,
    REASON_LOAD_TEST_STARTED,
    REASON_LOAD_TEST_ENDED,
    REASON_ACCEPT_FAILED, /* and the next ones: what farmd is in want of, see trouble.h */
    REASON_PROBES_FAILED,
    REASON_STARTS_FAILED,
    REASON_STATE_NOT_SAVED,
    REASON_LOGS_NOT_KEPT,
    REASON_STATISTICS_MISSING,
    REASON_LIMITS_REFUSED,
    REASON_CGROUPS_LEFT,
    REASON_CLOCK_STEPPED,
    REASON_HISTORY_SET_ASIDE, /* what an earlier farmd wrote down of events and load tests cannot be used */
    REASON_HISTORY_NOT_KEPT,
    REASON_RECOVERED, /* one of these is over */
    REASON_COUNT
};

struct event {
    uint64_t id;   /* from 1 */
    int64_t at_us; /* real time */
    enum event_reason reason;
    int server_id;       /* 0: the farm */
    int64_t next_try_us; /* BackOff: when; else 0 */
    int64_t duration_ms; /* Ready after a restart: since the ending; else -1 */
    char message[EVENT_MESSAGE_MAX];
};

struct events;

struct events *events_new(void);
void events_free(struct events *events);

/* Returns the event as kept, to fill in next_try_us and the like before anybody else runs. */
struct event *events_add(struct events *events, enum event_reason reason, int server_id, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Up to `max` events with an id above `since`, oldest first; `*lost` tells that some above `since` are gone. */
size_t events_after(const struct events *events, uint64_t since, const struct event **out, size_t max, bool *lost);
uint64_t events_last_id(const struct events *events);

/* Called after each loop turn's worth of adding, with every new event, oldest first. One listener: the terminal. */
void events_set_listener(struct events *events, void (*listener)(const struct event *event, void *data), void *data);
void events_flush(struct events *events); /* tells the listener what is new; the farm calls it once a loop turn */

/* Others that want to know that there is something new, and look for themselves: called at most once a loop turn. */
struct events_watcher {
    void (*on_new)(void *data);
    void *data;
    LIST_ENTRY(events_watcher) link;
};
void events_watch(struct events *events, struct events_watcher *watcher);
void events_unwatch(struct events_watcher *watcher); /* not from inside on_new, but for its own */

/* For a farmd that goes on in another's place: all events as text, and put in front of those that are there by now, whose
 * ids then follow. Text that cannot be read loses the events, and not their count, so that ids only grow. */
void events_save(const struct events *events, struct buffer *out);
void events_restore(struct events *events, const char *text, size_t length);

/* Events of an earlier farmd (ascending ids, the list is copied) in front of those that are there, whose ids then follow on
 * `last_id`, the last one that was ever given. */
void events_precede(struct events *events, const struct event *list, size_t count, uint64_t last_id);

const char *event_reason_name(enum event_reason reason);
int event_reason_parse(const char *name, enum event_reason *reason); /* -EINVAL */
bool event_reason_is_warning(enum event_reason reason);

#endif
