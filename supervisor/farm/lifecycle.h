/*
 * The life cycle of a server as a pure function: (state, event, verdict) → (state, actions). No clock, no I/O; one
 * caller (server.c) performs the actions. docs/lifecycle.md draws it, tests cover every state–event pair.
 */
#ifndef SUPERVISOR_FARM_LIFECYCLE_H
#define SUPERVISOR_FARM_LIFECYCLE_H

#include <stdbool.h>

enum server_state {
    SERVER_STOPPED,  /* nothing runs, on purpose */
    SERVER_STARTING, /* a process runs and is not ready yet, or its turn to be started has not come (`queued`) */
    SERVER_RUNNING,
    SERVER_PAUSED,   /* frozen, on purpose */
    SERVER_STOPPING, /* asked or made to end; `after` says what comes then */
    SERVER_BACKOFF,  /* ended by itself; the next try is set */
    SERVER_FAILED,   /* given up by its restart profile; a start or restart by hand begins anew */
    SERVER_STATE_COUNT
};

/* What follows when a stopping server is gone. */
enum lifecycle_after {
    AFTER_STOP,   /* stays stopped */
    AFTER_START,  /* starts at once (restart) */
    AFTER_POLICY, /* as if it had ended by itself: the restart policy decides */
};

enum lifecycle_event {
    EVENT_START, /* by hand */
    EVENT_STOP,
    EVENT_RESTART,
    EVENT_KILL, /* by hand: everything of it ends at once, the policy decides what follows */
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_TURN,            /* it may be started now */
    EVENT_READY,           /* it serves */
    EVENT_START_TIMEOUT,   /* not ready in time */
    EVENT_EXITED,          /* its process is gone */
    EVENT_SPAWN_FAILED,    /* it could not even be started */
    EVENT_LIVENESS_FAILED, /* too many probes in a row */
    EVENT_BACKOFF_ELAPSED,
    EVENT_STOP_TIMEOUT,     /* the grace period is over */
    EVENT_ADOPTED,          /* a process of an earlier farmd goes on, and serves */
    EVENT_ADOPTED_STARTING, /* likewise, and was not ready yet */
    EVENT_ADOPTED_PAUSED,   /* likewise, and is frozen */
    EVENT_COUNT
};

/* What the restart policy and profile say of an ending; only read where an event can end a run. */
enum lifecycle_verdict { VERDICT_RETRY_NOW, VERDICT_RETRY_LATER, VERDICT_GIVE_UP, VERDICT_STAY_DOWN };

enum lifecycle_action {
    ACTION_QUEUE = 1 << 0, /* asks for EVENT_TURN, which comes in a later turn of the loop */
    ACTION_SPAWN = 1 << 1,
    ACTION_TERMINATE = 1 << 2, /* SIGTERM; the grace period begins */
    ACTION_KILL = 1 << 3,      /* everything of it, now */
    ACTION_FREEZE = 1 << 4,
    ACTION_THAW = 1 << 5,
    ACTION_RESET_BACKOFF = 1 << 6,
};

struct lifecycle {
    enum server_state state;
    enum lifecycle_after after; /* meaningful in SERVER_STOPPING */
    bool queued;                /* in SERVER_STARTING: nothing runs yet */
};

struct lifecycle_step {
    struct lifecycle next;
    unsigned actions; /* enum lifecycle_action, in the order of their bits */
    bool refused;     /* the event makes no sense in this state; nothing changes */
};

struct lifecycle_step lifecycle_next(struct lifecycle now, enum lifecycle_event event, enum lifecycle_verdict verdict);

/* Whether an ending in this state asks the restart policy, so that the caller must bring a real verdict. */
bool lifecycle_needs_verdict(struct lifecycle now, enum lifecycle_event event);

const char *server_state_name(enum server_state state); /* "stopped" … as the API writes it */
const char *lifecycle_event_name(enum lifecycle_event event);

#endif
