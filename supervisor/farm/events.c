/*
 * The ring of events. Its slots come in chunks on first use, so a quiet farm keeps little; an event never moves.
 */
#include "supervisor/farm/events.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_EVENTS 64
#define CHUNKS (EVENTS_CAPACITY / CHUNK_EVENTS)
_Static_assert(EVENTS_CAPACITY % CHUNK_EVENTS == 0, "the ring is made of whole chunks");

struct events {
    uint64_t last_id;
    uint64_t told_id; /* what the listener has been told of */
    void (*listener)(const struct event *event, void *data);
    void *listener_data;
    struct event *chunks[CHUNKS];
};

struct reason_row {
    const char *name;
    bool is_warning;
};

static const struct reason_row reasons[] = {
    [REASON_FARM_STARTED] = {"FarmStarted", false},
    [REASON_FARM_READY] = {"FarmReady", false},
    [REASON_FARM_STOPPING] = {"FarmStopping", false},
    [REASON_STATE_SET_ASIDE] = {"StateSetAside", true},
    [REASON_STARTED] = {"Started", false},
    [REASON_ADOPTED] = {"Adopted", false},
    [REASON_READY] = {"Ready", false},
    [REASON_STOPPED] = {"Stopped", false},
    [REASON_CRASHED] = {"Crashed", true},
    [REASON_COMPLETED] = {"Completed", false},
    [REASON_OOM_KILLED] = {"OOMKilled", true},
    [REASON_KILLED] = {"Killed", false},
    [REASON_EXIT_UNKNOWN] = {"ExitUnknown", true},
    [REASON_START_FAILED] = {"StartFailed", true},
    [REASON_START_TIMEOUT] = {"StartTimeout", true},
    [REASON_PORT_TAKEN] = {"PortTaken", true},
    [REASON_LIVENESS_FAILED] = {"LivenessFailed", true},
    [REASON_UNHEALTHY] = {"Unhealthy", true},
    [REASON_HEALTHY] = {"Healthy", false},
    [REASON_BACKOFF] = {"BackOff", true},
    [REASON_GAVE_UP] = {"GaveUp", true},
    [REASON_PAUSED] = {"Paused", false},
    [REASON_RESUMED] = {"Resumed", false},
    [REASON_STOP_FORCED] = {"StopForced", true},
    [REASON_LIMITS_CHANGED] = {"LimitsChanged", false},
    [REASON_SCALED] = {"Scaled", false},
    [REASON_RELOADED] = {"Reloaded", false},
    [REASON_RELOAD_FAILED] = {"ReloadFailed", true},
    [REASON_ROLLING_RESTART] = {"RollingRestart", false},
    [REASON_ACCEPT_FAILED] = {"AcceptFailed", true},
    [REASON_PROBES_FAILED] = {"ProbesFailed", true},
    [REASON_STARTS_FAILED] = {"StartsFailed", true},
    [REASON_STATE_NOT_SAVED] = {"StateNotSaved", true},
    [REASON_LOGS_NOT_KEPT] = {"LogsNotKept", true},
    [REASON_STATISTICS_MISSING] = {"StatisticsMissing", true},
    [REASON_CGROUPS_LEFT] = {"CgroupsLeft", true},
    [REASON_RECOVERED] = {"Recovered", false},
};
_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == REASON_COUNT, "one row for each reason");

struct events *events_new(void)
{
    return xcalloc(1, sizeof(struct events));
}

void events_free(struct events *events)
{
    if (!events)
        return;
    for (size_t i = 0; i < CHUNKS; i++)
        free(events->chunks[i]);
    free(events);
}

static struct event **chunk_of(const struct events *events, uint64_t id)
{
    return (struct event **)&events->chunks[(id % EVENTS_CAPACITY) / CHUNK_EVENTS];
}

static struct event *slot_of(const struct events *events, uint64_t id)
{
    return &(*chunk_of(events, id))[id % CHUNK_EVENTS];
}

static uint64_t oldest_id(const struct events *events)
{
    return events->last_id > EVENTS_CAPACITY ? events->last_id - EVENTS_CAPACITY + 1 : 1;
}

static struct event *next_slot(struct events *events)
{
    uint64_t id = events->last_id + 1;
    struct event **chunk = chunk_of(events, id);
    if (!*chunk)
        *chunk = xcalloc(CHUNK_EVENTS, sizeof(struct event));
    events->last_id = id;
    return slot_of(events, id);
}

struct event *events_add(struct events *events, enum event_reason reason, int server_id, const char *fmt, ...)
{
    struct event *event = next_slot(events);
    *event = (struct event){.id = events->last_id,
                            .at_us = clock_realtime_us(),
                            .reason = reason,
                            .server_id = server_id,
                            .duration_ms = -1};
    va_list args;
    va_start(args, fmt);
    vsnprintf(event->message, sizeof(event->message), fmt, args);
    va_end(args);
    return event;
}

size_t events_after(const struct events *events, uint64_t since, const struct event **out, size_t max, bool *lost)
{
    uint64_t oldest = oldest_id(events);
    if (lost)
        *lost = since < events->last_id && since + 1 < oldest;
    if (since >= events->last_id)
        return 0;
    uint64_t id = since + 1 > oldest ? since + 1 : oldest;
    size_t count = 0;
    for (; id <= events->last_id && count < max; id++)
        out[count++] = slot_of(events, id);
    return count;
}

uint64_t events_last_id(const struct events *events)
{
    return events->last_id;
}

void events_set_listener(struct events *events, void (*listener)(const struct event *event, void *data), void *data)
{
    events->listener = listener;
    events->listener_data = data;
    events->told_id = events->last_id;
}

void events_flush(struct events *events)
{
    while (events->told_id < events->last_id) {
        uint64_t oldest = oldest_id(events);
        events->told_id = events->told_id + 1 > oldest ? events->told_id + 1 : oldest;
        if (events->listener)
            events->listener(slot_of(events, events->told_id), events->listener_data);
    }
}

const char *event_reason_name(enum event_reason reason)
{
    return (unsigned)reason < REASON_COUNT ? reasons[reason].name : "Unknown";
}

int event_reason_parse(const char *name, enum event_reason *reason)
{
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (strcmp(reasons[i].name, name) == 0) {
            *reason = (enum event_reason)i;
            return 0;
        }
    }
    return -EINVAL;
}

bool event_reason_is_warning(enum event_reason reason)
{
    return (unsigned)reason < REASON_COUNT && reasons[reason].is_warning;
}
