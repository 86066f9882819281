/*
 * The ring of events. Its slots come in chunks on first use, so a quiet farm keeps little; an event never moves.
 */
#include "supervisor/farm/events.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_EVENTS 64
#define CHUNKS (EVENTS_CAPACITY / CHUNK_EVENTS)
_Static_assert(EVENTS_CAPACITY % CHUNK_EVENTS == 0, "the ring is made of whole chunks");

struct events {
    uint64_t first_id; /* since when there are any: 1, unless an earlier farmd's could not be read */
    uint64_t last_id;
    uint64_t told_id; /* what the listener has been told of */
    void (*listener)(const struct event *event, void *data);
    void *listener_data;
    LIST_HEAD(watcher_list, events_watcher) watchers;
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
    [REASON_UPGRADED] = {"Upgraded", false},
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
    [REASON_PUT_RIGHT] = {"PutRight", true},
    [REASON_STOP_FORCED] = {"StopForced", true},
    [REASON_LIMITS_CHANGED] = {"LimitsChanged", false},
    [REASON_SCALED] = {"Scaled", false},
    [REASON_RELOADED] = {"Reloaded", false},
    [REASON_RELOAD_FAILED] = {"ReloadFailed", true},
    [REASON_ROLLING_RESTART] = {"RollingRestart", false},
    [REASON_LOAD_TEST_STARTED] = {"LoadTestStarted", false},
    [REASON_LOAD_TEST_ENDED] = {"LoadTestEnded", false},
    [REASON_ACCEPT_FAILED] = {"AcceptFailed", true},
    [REASON_PROBES_FAILED] = {"ProbesFailed", true},
    [REASON_STARTS_FAILED] = {"StartsFailed", true},
    [REASON_STATE_NOT_SAVED] = {"StateNotSaved", true},
    [REASON_LOGS_NOT_KEPT] = {"LogsNotKept", true},
    [REASON_STATISTICS_MISSING] = {"StatisticsMissing", true},
    [REASON_LIMITS_REFUSED] = {"LimitsRefused", true},
    [REASON_CGROUPS_LEFT] = {"CgroupsLeft", true},
    [REASON_CLOCK_STEPPED] = {"ClockStepped", true},
    [REASON_HISTORY_SET_ASIDE] = {"HistorySetAside", true},
    [REASON_HISTORY_NOT_KEPT] = {"HistoryNotKept", true},
    [REASON_RECOVERED] = {"Recovered", false},
};
_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == REASON_COUNT, "one row for each reason");

struct events *events_new(void)
{
    struct events *events = xcalloc(1, sizeof(*events));
    events->first_id = 1;
    return events;
}

static void free_chunks(struct events *events)
{
    for (size_t i = 0; i < CHUNKS; i++)
        free(events->chunks[i]);
}

void events_free(struct events *events)
{
    if (!events)
        return;
    free_chunks(events);
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
    uint64_t kept = events->last_id > EVENTS_CAPACITY ? events->last_id - EVENTS_CAPACITY + 1 : 1;
    return kept > events->first_id ? kept : events->first_id;
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

void events_watch(struct events *events, struct events_watcher *watcher)
{
    LIST_INSERT_HEAD(&events->watchers, watcher, link);
}

void events_unwatch(struct events_watcher *watcher)
{
    LIST_REMOVE(watcher, link);
}

static void wake_watchers(struct events *events)
{
    struct events_watcher *next;
    for (struct events_watcher *watcher = LIST_FIRST(&events->watchers); watcher; watcher = next) {
        next = LIST_NEXT(watcher, link);
        watcher->on_new(watcher->data);
    }
}

void events_flush(struct events *events)
{
    if (events->told_id == events->last_id)
        return;
    while (events->told_id < events->last_id) {
        uint64_t oldest = oldest_id(events);
        events->told_id = events->told_id + 1 > oldest ? events->told_id + 1 : oldest;
        if (events->listener)
            events->listener(slot_of(events, events->told_id), events->listener_data);
    }
    wake_watchers(events);
}

/* --- from one farmd to the next --- */

/* A line for each: numbers, the reason's name, and the message with vertical tabs for its newlines. */
void events_save(const struct events *events, struct buffer *out)
{
    buffer_printf(out, "last %" PRIu64 "\n", events->last_id);
    for (uint64_t id = oldest_id(events); id <= events->last_id; id++) {
        const struct event *event = slot_of(events, id);
        buffer_printf(out, "%" PRIu64 " %" PRId64 " %d %" PRId64 " %" PRId64 " %s ", event->id, event->at_us,
                      event->server_id, event->next_try_us, event->duration_ms, event_reason_name(event->reason));
        size_t message = out->length;
        buffer_append_text(out, event->message);
        for (size_t i = message; i < out->length; i++)
            out->data[i] = out->data[i] == '\n' ? '\v' : out->data[i];
        buffer_append_char(out, '\n');
    }
}

static bool read_number(char **line, int64_t min, int64_t max, int64_t *value)
{
    const char *word = strsep(line, " ");
    return *line && units_parse_int(word, min, max, value) == 0;
}

static bool read_event(char *line, struct event *event)
{
    int64_t id, server_id;
    if (!read_number(&line, 1, INT64_MAX, &id) || !read_number(&line, 0, INT64_MAX, &event->at_us) ||
        !read_number(&line, 0, INT_MAX, &server_id) || !read_number(&line, 0, INT64_MAX, &event->next_try_us) ||
        !read_number(&line, -1, INT64_MAX, &event->duration_ms))
        return false;
    const char *reason = strsep(&line, " ");
    if (!line || event_reason_parse(reason, &event->reason) < 0)
        return false;
    event->id = (uint64_t)id;
    event->server_id = (int)server_id;
    snprintf(event->message, sizeof(event->message), "%s", line);
    for (char *c = event->message; *c; c++)
        *c = *c == '\v' ? '\n' : *c;
    return true;
}

static void append(struct events *events, const struct event *event)
{
    struct event *slot = next_slot(events);
    *slot = *event;
    slot->id = events->last_id;
}

/* Those of an empty ring become the earlier ones, and those of `events` follow them. */
static void put_behind(struct events *events, struct events *earlier)
{
    earlier->told_id = earlier->last_id;
    earlier->listener = events->listener;
    earlier->listener_data = events->listener_data;
    earlier->watchers = events->watchers;
    for (uint64_t id = oldest_id(events); id <= events->last_id; id++)
        append(earlier, slot_of(events, id));
    free_chunks(events);
    *events = *earlier;
}

/* Into an empty ring. False when the text ends early or is of a farmd with other reasons; *last is set even then, when it
 * can be. */
static bool read_events(struct events *events, char *text, int64_t *last)
{
    const char *head = strsep(&text, "\n");
    if (strncmp(head, "last ", 5) != 0 || units_parse_int(head + 5, 0, INT64_MAX - EVENTS_CAPACITY, last) < 0)
        return false;
    for (char *line; text && *(line = strsep(&text, "\n"));) {
        struct event event = {0};
        if (!read_event(line, &event))
            return false;
        if (events->last_id == 0) {
            events->first_id = event.id;
            events->last_id = event.id - 1;
        }
        append(events, &event);
    }
    return events->last_id == (uint64_t)*last;
}

void events_restore(struct events *events, const char *text, size_t length)
{
    struct events earlier = {.first_id = 1};
    cleanup_free char *copy = xstrndup(text, length);
    int64_t last = 0;
    if (!read_events(&earlier, copy, &last)) {
        earlier.last_id = (uint64_t)last; /* the numbers go on all the same */
        earlier.first_id = earlier.last_id + 1;
    }
    put_behind(events, &earlier);
}

void events_precede(struct events *events, const struct event *list, size_t count, uint64_t last_id)
{
    struct events earlier = {.first_id = last_id + 1, .last_id = last_id};
    size_t from = count;
    /* A ring has no gaps: those before one stay behind. */
    while (from > 0 && list[from - 1].id == earlier.first_id - 1) {
        earlier.first_id--;
        from--;
    }
    earlier.last_id = earlier.first_id - 1;
    for (size_t i = from; i < count; i++)
        append(&earlier, &list[i]);
    put_behind(events, &earlier);
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
