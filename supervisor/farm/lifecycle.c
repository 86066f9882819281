/*
 * The transitions: one function per state, one exhaustive switch over the events in each. Pure, so that every pair can
 * be tested and the table in docs/lifecycle.md can be held against it.
 */
#include "supervisor/farm/lifecycle.h"

#include <stddef.h>

static const char *const state_names[] = {
    [SERVER_STOPPED] = "stopped", [SERVER_STARTING] = "starting", [SERVER_RUNNING] = "running",
    [SERVER_PAUSED] = "paused",   [SERVER_STOPPING] = "stopping", [SERVER_BACKOFF] = "backoff",
    [SERVER_FAILED] = "failed",
};
_Static_assert(sizeof(state_names) / sizeof(state_names[0]) == SERVER_STATE_COUNT, "one name for each state");

static const char *const event_names[] = {
    [EVENT_START] = "start",
    [EVENT_STOP] = "stop",
    [EVENT_RESTART] = "restart",
    [EVENT_KILL] = "kill",
    [EVENT_PAUSE] = "pause",
    [EVENT_RESUME] = "resume",
    [EVENT_TURN] = "turn",
    [EVENT_READY] = "ready",
    [EVENT_START_TIMEOUT] = "start timeout",
    [EVENT_EXITED] = "exited",
    [EVENT_SPAWN_FAILED] = "spawn failed",
    [EVENT_LIVENESS_FAILED] = "liveness failed",
    [EVENT_BACKOFF_ELAPSED] = "backoff elapsed",
    [EVENT_STOP_TIMEOUT] = "stop timeout",
    [EVENT_ADOPTED] = "adopted",
    [EVENT_ADOPTED_STARTING] = "adopted starting",
    [EVENT_ADOPTED_PAUSED] = "adopted paused",
};
_Static_assert(sizeof(event_names) / sizeof(event_names[0]) == EVENT_COUNT, "one name for each event");

static struct lifecycle_step go(enum server_state state, unsigned actions)
{
    return (struct lifecycle_step){.next = {.state = state, .after = AFTER_STOP}, .actions = actions};
}

static struct lifecycle_step go_stopping(enum lifecycle_after after, unsigned actions)
{
    return (struct lifecycle_step){.next = {.state = SERVER_STOPPING, .after = after}, .actions = actions};
}

/* All starts go through the farm's queue: many at once must not keep the loop from everything else. */
static struct lifecycle_step go_starting(unsigned actions)
{
    return (struct lifecycle_step){.next = {.state = SERVER_STARTING, .queued = true},
                                   .actions = ACTION_QUEUE | actions};
}

static struct lifecycle_step stay(struct lifecycle now)
{
    return (struct lifecycle_step){.next = now};
}

static struct lifecycle_step refuse(struct lifecycle now)
{
    return (struct lifecycle_step){.next = now, .refused = true};
}

/* A start by hand: whatever went wrong before is forgotten. */
static struct lifecycle_step begin_anew(void)
{
    return go_starting(ACTION_RESET_BACKOFF);
}

/* A run ended by itself, or was ended so that the restart policy decides. */
static struct lifecycle_step follow(enum lifecycle_verdict verdict)
{
    switch (verdict) {
    case VERDICT_RETRY_NOW:
        return go_starting(0);
    case VERDICT_RETRY_LATER:
        return go(SERVER_BACKOFF, 0);
    case VERDICT_GIVE_UP:
        return go(SERVER_FAILED, 0);
    case VERDICT_STAY_DOWN:
        break;
    }
    return go(SERVER_STOPPED, 0);
}

/* Its process was started by an earlier farmd: only a server that nothing was done with yet takes it. */
static struct lifecycle_step adopt(struct lifecycle now, enum server_state state)
{
    return now.state == SERVER_STOPPED ? go(state, 0) : stay(now);
}

/* Stopped, backoff and failed have no process; they differ in what a stop and an elapsed wait mean. */
static struct lifecycle_step when_down(struct lifecycle now, enum lifecycle_event event)
{
    switch (event) {
    case EVENT_START:
    case EVENT_RESTART:
        return begin_anew();
    case EVENT_STOP:
        return go(SERVER_STOPPED, 0);
    case EVENT_PAUSE:
    case EVENT_RESUME:
        return refuse(now);
    case EVENT_BACKOFF_ELAPSED:
        return now.state == SERVER_BACKOFF ? go_starting(0) : stay(now);
    case EVENT_ADOPTED:
        return adopt(now, SERVER_RUNNING);
    case EVENT_ADOPTED_STARTING:
        return adopt(now, SERVER_STARTING);
    case EVENT_ADOPTED_PAUSED:
        return adopt(now, SERVER_PAUSED);
    case EVENT_KILL:
    case EVENT_TURN:
    case EVENT_READY:
    case EVENT_START_TIMEOUT:
    case EVENT_EXITED:
    case EVENT_SPAWN_FAILED:
    case EVENT_LIVENESS_FAILED:
    case EVENT_STOP_TIMEOUT:
    case EVENT_COUNT:
        break;
    }
    return stay(now);
}

/* Nothing runs that could be ended or could say anything. */
static struct lifecycle_step when_queued(struct lifecycle now, enum lifecycle_event event)
{
    switch (event) {
    case EVENT_TURN:
        return go(SERVER_STARTING, ACTION_SPAWN);
    case EVENT_STOP:
        return go(SERVER_STOPPED, 0);
    case EVENT_PAUSE:
    case EVENT_RESUME:
        return refuse(now);
    case EVENT_START:
    case EVENT_RESTART:
    case EVENT_KILL:
    case EVENT_READY:
    case EVENT_START_TIMEOUT:
    case EVENT_EXITED:
    case EVENT_SPAWN_FAILED:
    case EVENT_LIVENESS_FAILED:
    case EVENT_BACKOFF_ELAPSED:
    case EVENT_STOP_TIMEOUT:
    case EVENT_ADOPTED:
    case EVENT_ADOPTED_STARTING:
    case EVENT_ADOPTED_PAUSED:
    case EVENT_COUNT:
        break;
    }
    return stay(now);
}

static struct lifecycle_step when_starting(struct lifecycle now, enum lifecycle_event event,
                                           enum lifecycle_verdict verdict)
{
    switch (event) {
    case EVENT_STOP:
        return go_stopping(AFTER_STOP, ACTION_TERMINATE);
    case EVENT_KILL:
    case EVENT_START_TIMEOUT:
        return go_stopping(AFTER_POLICY, ACTION_KILL);
    case EVENT_READY:
        return go(SERVER_RUNNING, 0);
    case EVENT_EXITED:
    case EVENT_SPAWN_FAILED:
        return follow(verdict);
    case EVENT_PAUSE:
    case EVENT_RESUME:
        return refuse(now);
    case EVENT_START:
    case EVENT_RESTART:
    case EVENT_LIVENESS_FAILED:
    case EVENT_TURN:
    case EVENT_BACKOFF_ELAPSED:
    case EVENT_STOP_TIMEOUT:
    case EVENT_ADOPTED:
    case EVENT_ADOPTED_STARTING:
    case EVENT_ADOPTED_PAUSED:
    case EVENT_COUNT:
        break;
    }
    return stay(now);
}

static struct lifecycle_step when_running(struct lifecycle now, enum lifecycle_event event,
                                          enum lifecycle_verdict verdict)
{
    switch (event) {
    case EVENT_STOP:
        return go_stopping(AFTER_STOP, ACTION_TERMINATE);
    case EVENT_RESTART:
        return go_stopping(AFTER_START, ACTION_TERMINATE | ACTION_RESET_BACKOFF);
    case EVENT_KILL:
    case EVENT_LIVENESS_FAILED: /* at once: a program that does not answer will not take SIGTERM either */
        return go_stopping(AFTER_POLICY, ACTION_KILL);
    case EVENT_PAUSE:
        return go(SERVER_PAUSED, ACTION_FREEZE);
    case EVENT_EXITED:
        return follow(verdict);
    case EVENT_START:
    case EVENT_RESUME:
    case EVENT_TURN:
    case EVENT_READY:
    case EVENT_START_TIMEOUT:
    case EVENT_SPAWN_FAILED:
    case EVENT_BACKOFF_ELAPSED:
    case EVENT_STOP_TIMEOUT:
    case EVENT_ADOPTED:
    case EVENT_ADOPTED_STARTING:
    case EVENT_ADOPTED_PAUSED:
    case EVENT_COUNT:
        break;
    }
    return stay(now);
}

/* SIGTERM waits in a frozen process, so it is sent first and the thaw lets it be taken. */
static struct lifecycle_step when_paused(struct lifecycle now, enum lifecycle_event event,
                                         enum lifecycle_verdict verdict)
{
    switch (event) {
    case EVENT_START:
    case EVENT_RESUME:
        return go(SERVER_RUNNING, ACTION_THAW);
    case EVENT_STOP:
        return go_stopping(AFTER_STOP, ACTION_TERMINATE | ACTION_THAW);
    case EVENT_RESTART:
        return go_stopping(AFTER_START, ACTION_TERMINATE | ACTION_THAW | ACTION_RESET_BACKOFF);
    case EVENT_KILL:
        return go_stopping(AFTER_POLICY, ACTION_KILL);
    case EVENT_EXITED:
        return follow(verdict);
    case EVENT_PAUSE:
    case EVENT_TURN:
    case EVENT_READY:
    case EVENT_START_TIMEOUT:
    case EVENT_SPAWN_FAILED:
    case EVENT_LIVENESS_FAILED:
    case EVENT_BACKOFF_ELAPSED:
    case EVENT_STOP_TIMEOUT:
    case EVENT_ADOPTED:
    case EVENT_ADOPTED_STARTING:
    case EVENT_ADOPTED_PAUSED:
    case EVENT_COUNT:
        break;
    }
    return stay(now);
}

static struct lifecycle_step when_gone(struct lifecycle now, enum lifecycle_verdict verdict)
{
    switch (now.after) {
    case AFTER_START:
        return go_starting(0);
    case AFTER_POLICY:
        return follow(verdict);
    case AFTER_STOP:
        break;
    }
    return go(SERVER_STOPPED, 0);
}

static struct lifecycle_step when_stopping(struct lifecycle now, enum lifecycle_event event,
                                           enum lifecycle_verdict verdict)
{
    switch (event) {
    case EVENT_START:
    case EVENT_RESTART:
        return now.after == AFTER_START ? stay(now) : go_stopping(AFTER_START, ACTION_RESET_BACKOFF);
    case EVENT_STOP:
        return go_stopping(AFTER_STOP, 0);
    case EVENT_KILL:
    case EVENT_STOP_TIMEOUT:
        return go_stopping(now.after, ACTION_KILL);
    case EVENT_EXITED:
    case EVENT_SPAWN_FAILED: /* a stop came while the failure of a start was still waiting to be told */
        return when_gone(now, verdict);
    case EVENT_PAUSE:
    case EVENT_RESUME:
        return refuse(now);
    case EVENT_TURN:
    case EVENT_READY:
    case EVENT_START_TIMEOUT:
    case EVENT_LIVENESS_FAILED:
    case EVENT_BACKOFF_ELAPSED:
    case EVENT_ADOPTED:
    case EVENT_ADOPTED_STARTING:
    case EVENT_ADOPTED_PAUSED:
    case EVENT_COUNT:
        break;
    }
    return stay(now);
}

struct lifecycle_step lifecycle_next(struct lifecycle now, enum lifecycle_event event, enum lifecycle_verdict verdict)
{
    switch (now.state) {
    case SERVER_STOPPED:
    case SERVER_BACKOFF:
    case SERVER_FAILED:
        return when_down(now, event);
    case SERVER_STARTING:
        return now.queued ? when_queued(now, event) : when_starting(now, event, verdict);
    case SERVER_RUNNING:
        return when_running(now, event, verdict);
    case SERVER_PAUSED:
        return when_paused(now, event, verdict);
    case SERVER_STOPPING:
        return when_stopping(now, event, verdict);
    case SERVER_STATE_COUNT:
        break;
    }
    return stay(now);
}

bool lifecycle_needs_verdict(struct lifecycle now, enum lifecycle_event event)
{
    if (event != EVENT_EXITED && event != EVENT_SPAWN_FAILED)
        return false;
    switch (now.state) {
    case SERVER_STARTING:
        return !now.queued;
    case SERVER_RUNNING:
    case SERVER_PAUSED:
        return event == EVENT_EXITED;
    case SERVER_STOPPING:
        return now.after == AFTER_POLICY;
    case SERVER_STOPPED:
    case SERVER_BACKOFF:
    case SERVER_FAILED:
    case SERVER_STATE_COUNT:
        break;
    }
    return false;
}

const char *server_state_name(enum server_state state)
{
    return (unsigned)state < SERVER_STATE_COUNT ? state_names[state] : "unknown";
}

const char *lifecycle_event_name(enum lifecycle_event event)
{
    return (unsigned)event < EVENT_COUNT ? event_names[event] : "unknown";
}
