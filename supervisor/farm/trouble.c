/*
 * The troubles as one table, and a timer that runs while there are some.
 */
#include "supervisor/farm/trouble.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define LOOK_MS 500
#define QUIET_MS 2000         /* without a failure before it is over, so that one that comes and goes is one */
#define STALE_MS (150 * 1000) /* without a failure or a success: nobody tries any more (a backoff waits 75 s at most) */

struct trouble_state {
    bool on;
    int64_t since_ms, last_ms;
    int64_t passed_ms; /* the first try that went well since; 0: none has */
    unsigned count;
};

struct troubles {
    uv_timer_t timer;
    struct events *events;
    struct trouble_state states[TROUBLE_COUNT];
};

static const struct {
    enum event_reason reason;
    const char *begun, *over;
} rows[] = {
    [TROUBLE_ACCEPT] = {REASON_ACCEPT_FAILED, "new connections wait", "connections are accepted again"},
    [TROUBLE_PROBES] = {REASON_PROBES_FAILED, "servers are not probed", "servers are probed again"},
    [TROUBLE_STARTS] = {REASON_STARTS_FAILED, "servers cannot start", "servers start again"},
    [TROUBLE_STATE] = {REASON_STATE_NOT_SAVED, "the state is not saved", "the state is saved again"},
    [TROUBLE_LOGS] = {REASON_LOGS_NOT_KEPT, "logs are not kept as they should be", "logs are kept again"},
    [TROUBLE_STATISTICS] = {REASON_STATISTICS_MISSING, "some servers go without statistics",
                            "all servers have statistics again"},
    [TROUBLE_LIMITS] = {REASON_LIMITS_REFUSED, "limits are not in force", "limits are in force again"},
    [TROUBLE_CGROUPS] = {REASON_CGROUPS_LEFT, "cgroups of ended servers are still there", "these cgroups are removed"},
    [TROUBLE_HISTORY] = {REASON_HISTORY_NOT_KEPT, "the history is not kept", "the history is kept again"},
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == TROUBLE_COUNT, "one row for each trouble");

static void on_look(uv_timer_t *timer);

static void end(struct troubles *troubles, enum trouble trouble)
{
    struct trouble_state *state = &troubles->states[trouble];
    char lasted[24];
    units_format_duration(lasted, state->passed_ms - state->since_ms);
    state->on = false;
    events_add(troubles->events, REASON_RECOVERED, 0, "%s, after %s and %u failure%s", rows[trouble].over, lasted,
               state->count, state->count == 1 ? "" : "s");
}

static void on_look(uv_timer_t *timer)
{
    struct troubles *troubles = timer->data;
    int64_t now_ms = clock_monotonic_ms();
    bool any = false;
    for (int i = 0; i < TROUBLE_COUNT; i++) {
        struct trouble_state *state = &troubles->states[i];
        int64_t quiet_ms = now_ms - state->last_ms;
        if (state->on && state->passed_ms && quiet_ms >= QUIET_MS)
            end(troubles, (enum trouble)i);
        else if (quiet_ms >= STALE_MS)
            state->on = false;
        any |= state->on;
    }
    if (!any)
        uv_timer_stop(timer);
}

void trouble_struck(struct troubles *troubles, enum trouble trouble, const struct error *err)
{
    struct trouble_state *state = &troubles->states[trouble];
    state->passed_ms = 0;
    state->last_ms = clock_monotonic_ms();
    state->count++;
    if (state->on)
        return;
    state->on = true;
    state->count = 1;
    state->since_ms = state->last_ms;
    events_add(troubles->events, rows[trouble].reason, 0, "%s: %s", rows[trouble].begun, err->message);
    if (!uv_is_active((uv_handle_t *)&troubles->timer))
        uv_timer_start(&troubles->timer, on_look, LOOK_MS, LOOK_MS);
}

void trouble_passed(struct troubles *troubles, enum trouble trouble)
{
    struct trouble_state *state = &troubles->states[trouble];
    if (state->on && !state->passed_ms)
        state->passed_ms = clock_monotonic_ms();
}

bool trouble_is_on(const struct troubles *troubles, enum trouble trouble)
{
    return troubles->states[trouble].on;
}

bool trouble_is_want(int code)
{
    switch (code) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN:
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EFBIG:
    case EROFS:
        return true;
    default:
        return false;
    }
}

struct troubles *troubles_new(uv_loop_t *loop, struct events *events)
{
    struct troubles *troubles = xcalloc(1, sizeof(*troubles));
    troubles->events = events;
    uv_timer_init(loop, &troubles->timer);
    troubles->timer.data = troubles;
    uv_unref((uv_handle_t *)&troubles->timer);
    return troubles;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void troubles_free(struct troubles *troubles)
{
    if (troubles)
        uv_close((uv_handle_t *)&troubles->timer, on_closed);
}
