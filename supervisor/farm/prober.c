/*
 * The schedule of one server's probes. Liveness and readiness that ask the same question share one request. Each turn is
 * set when the one before it is over, so that a server that does not answer keeps one request open and no more.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/probe_private.h"
#include "supervisor/farm/server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STARTUP_FIRST_MS 20  /* a program that does not know the readiness pipe is asked soon, then at its interval */
#define FIRST_WITHIN_MS 1000 /* how a server does should be known soon after it became ready */
#define AGAIN_WITHIN_MS 50   /* of servers that are resumed together */

enum duty { DUTY_STARTUP = 1 << 0, DUTY_LIVENESS = 1 << 1, DUTY_READINESS = 1 << 2 };

struct probe_slot {
    struct prober *prober;
    uv_timer_t timer;
    struct http_client *request; /* in flight, or NULL */
    unsigned duties;             /* 0: idle */
    enum probe_kind kind;        /* whose settings it follows */
    unsigned liveness_failures;  /* in a row */
    unsigned readiness_failures;
    unsigned startup_failures; /* in a row, at the full interval */
    int64_t startup_delay_ms;
};

#define SLOTS 2

struct prober {
    struct server *server; /* NULL once freed */
    struct probe_slot slots[SLOTS];
    unsigned open_handles;
};

int64_t probe_phase_ms(int server_id, int64_t interval_ms)
{
    /* Multiples of the golden ratio fill an interval evenly however many there are. */
    uint32_t fraction = (uint32_t)server_id * UINT32_C(2654435769);
    return (int64_t)(((uint64_t)fraction * (uint64_t)interval_ms) >> 32);
}

static const struct probe_settings *settings_of(const struct probe_slot *slot)
{
    return &slot->prober->server->group->probes[slot->kind];
}

static void on_turn(uv_timer_t *timer);

static void set_turn(struct probe_slot *slot, int64_t delay_ms)
{
    uv_update_time(slot->timer.loop);
    uv_timer_start(&slot->timer, on_turn, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

/* The next instant of this server's phase. */
static void set_next_turn(struct probe_slot *slot)
{
    int64_t interval = settings_of(slot)->interval_ms;
    if (slot->duties == DUTY_STARTUP) {
        slot->startup_delay_ms = slot->startup_delay_ms * 3 / 2;
        if (slot->startup_delay_ms > interval)
            slot->startup_delay_ms = interval;
        set_turn(slot, slot->startup_delay_ms);
        return;
    }
    if (interval < 1)
        interval = 1;
    int64_t phase = probe_phase_ms(slot->prober->server->id, interval);
    int64_t into = (clock_monotonic_ms() - phase) % interval;
    int64_t delay = interval - (into < 0 ? into + interval : into);
    /* The turn just taken may have come a moment early, or have been the first one. */
    set_turn(slot, delay < interval / 8 ? delay + interval : delay);
}

static void idle(struct probe_slot *slot)
{
    slot->duties = 0;
    uv_timer_stop(&slot->timer);
    http_client_free(slot->request);
    slot->request = NULL;
}

/* --- what an answer means --- */

static bool in_start_period(const struct probe_slot *slot)
{
    const struct server *server = slot->prober->server;
    return clock_monotonic_ms() - server->own->started_at_ms < settings_of(slot)->start_period_ms;
}

static void judge_readiness(struct probe_slot *slot, bool failed)
{
    slot->readiness_failures = failed ? slot->readiness_failures + 1 : 0;
    if (!failed)
        server_set_ready(slot->prober->server, true);
    else if (slot->readiness_failures >= settings_of(slot)->retries)
        server_set_ready(slot->prober->server, false);
}

/* Whether it has failed for good. Where what runs servers is away it may have taken their way to them along (an Engine its
 * port proxies), and could not end one either. */
static bool judge_liveness(struct probe_slot *slot, bool failed)
{
    if (failed && farm_available(slot->prober->server->farm, NULL) < 0)
        failed = false;
    slot->liveness_failures = failed ? slot->liveness_failures + 1 : 0;
    return failed && slot->liveness_failures >= settings_of(slot)->retries;
}

/* The quick first tries are a courtesy and count for nothing: what is set is so many failures, an interval apart. */
static bool judge_startup(struct probe_slot *slot)
{
    const struct probe_settings *settings = settings_of(slot);
    if (slot->startup_delay_ms < settings->interval_ms || in_start_period(slot))
        return false;
    return ++slot->startup_failures >= settings->retries;
}

static enum server_health health_of(enum probe_status status)
{
    switch (status) {
    case PROBE_STATUS_HEALTHY:
        return HEALTH_HEALTHY;
    case PROBE_STATUS_DEGRADED:
        return HEALTH_DEGRADED;
    case PROBE_STATUS_ERROR:
        break;
    }
    return HEALTH_UNHEALTHY;
}

/* Health is what liveness sees, or readiness where there is no liveness probe. */
static bool tells_health(const struct probe_slot *slot)
{
    return (slot->duties & DUTY_LIVENESS) || !slot->prober->server->group->probes[PROBE_LIVENESS].enabled;
}

static void take_result(struct probe_slot *slot, const struct probe_result *result)
{
    struct server *server = slot->prober->server;
    bool failed = result->status == PROBE_STATUS_ERROR;
    if (slot->duties == DUTY_STARTUP) {
        /* Not health yet, but what a start that takes too long is explained with. */
        snprintf(server->health_error, sizeof(server->health_error), "%s", result->error);
        if (!failed) {
            idle(slot);
            server_event(server, EVENT_READY);
        } else if (judge_startup(slot)) {
            idle(slot);
            server_event(server, EVENT_START_TIMEOUT);
        }
        return;
    }
    if (failed && in_start_period(slot))
        return;
    if (tells_health(slot))
        server_set_health(server, health_of(result->status), result->error);
    if (slot->duties & DUTY_READINESS)
        judge_readiness(slot, failed);
    if ((slot->duties & DUTY_LIVENESS) && judge_liveness(slot, failed))
        server_event(server, EVENT_LIVENESS_FAILED);
}

static void on_answer(void *data, const struct http_client_response *response)
{
    struct probe_slot *slot = data;
    struct probe_result result;
    slot->request = NULL;
    probe_judge(response, &result);
    unsigned duties = slot->duties;
    struct farm *farm = slot->prober->server->farm;
    struct error err;
    /* farmd itself is short of descriptors or memory: that says nothing of the server. */
    if (response->outcome == HTTP_LOCAL_ERROR) {
        error_set_errno(&err, -response->error, "asking %s", slot->prober->server->name);
        farm_trouble(farm, TROUBLE_PROBES, &err);
    } else {
        farm_trouble(farm, TROUBLE_PROBES, NULL);
        take_result(slot, &result);
    }
    /* The result may have ended the schedule or begun another one. */
    if (slot->prober->server && slot->duties == duties && !uv_is_active((uv_handle_t *)&slot->timer) && !slot->request)
        set_next_turn(slot);
}

static void on_turn(uv_timer_t *timer)
{
    struct probe_slot *slot = timer->data;
    const struct probe_settings *settings = settings_of(slot);
    slot->request =
        probe_send(timer->loop, slot->prober->server, settings->path, settings->timeout_ms, on_answer, slot);
}

/* --- the schedule --- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_question(const struct probe_settings *a, const struct probe_settings *b)
{
    return a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms && same_text(a->path, b->path);
}

bool prober_same_schedule(const struct group_settings *a, const struct group_settings *b)
{
    static const enum probe_kind kinds[] = {PROBE_LIVENESS, PROBE_READINESS};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct probe_settings *one = &a->probes[kinds[i]], *other = &b->probes[kinds[i]];
        if (one->enabled != other->enabled)
            return false;
        if (one->enabled && (!same_question(one, other) || one->retries != other->retries ||
                             one->start_period_ms != other->start_period_ms))
            return false;
    }
    return true;
}

static void begin(struct probe_slot *slot, unsigned duties, enum probe_kind kind, int64_t first_ms)
{
    idle(slot);
    slot->duties = duties;
    slot->kind = kind;
    slot->liveness_failures = slot->readiness_failures = slot->startup_failures = 0;
    slot->startup_delay_ms = STARTUP_FIRST_MS;
    set_turn(slot, first_ms);
}

void prober_start(struct prober *prober, bool ready_by_pipe)
{
    prober_stop(prober);
    if (!ready_by_pipe && prober->server->group->probes[PROBE_STARTUP].enabled)
        begin(&prober->slots[0], DUTY_STARTUP, PROBE_STARTUP, STARTUP_FIRST_MS);
}

void prober_adopted(struct prober *prober)
{
    prober_stop(prober);
    begin(&prober->slots[0], DUTY_STARTUP, PROBE_STARTUP, STARTUP_FIRST_MS);
}

/* Liveness and readiness, the first one within so long. */
static void begin_running(struct prober *prober, int64_t within)
{
    prober_stop(prober);
    const struct server *server = prober->server;
    const struct probe_settings *liveness = &server->group->probes[PROBE_LIVENESS];
    const struct probe_settings *readiness = &server->group->probes[PROBE_READINESS];
    if (liveness->enabled && liveness->interval_ms < within)
        within = liveness->interval_ms;
    int64_t first_ms = probe_phase_ms(server->id, within);

    if (liveness->enabled && readiness->enabled && same_question(liveness, readiness)) {
        begin(&prober->slots[0], DUTY_LIVENESS | DUTY_READINESS, PROBE_LIVENESS, first_ms);
        return;
    }
    if (liveness->enabled)
        begin(&prober->slots[0], DUTY_LIVENESS, PROBE_LIVENESS, first_ms);
    if (readiness->enabled)
        begin(&prober->slots[1], DUTY_READINESS, PROBE_READINESS, first_ms);
}

void prober_running(struct prober *prober)
{
    begin_running(prober, FIRST_WITHIN_MS);
}

void prober_resumed(struct prober *prober)
{
    begin_running(prober, AGAIN_WITHIN_MS);
}

void prober_stop(struct prober *prober)
{
    for (size_t i = 0; i < SLOTS; i++)
        idle(&prober->slots[i]);
}

struct prober *prober_new(struct server *server)
{
    struct prober *prober = xcalloc(1, sizeof(*prober));
    prober->server = server;
    prober->open_handles = SLOTS;
    for (size_t i = 0; i < SLOTS; i++) {
        struct probe_slot *slot = &prober->slots[i];
        slot->prober = prober;
        uv_timer_init(farm_loop(server->farm), &slot->timer);
        slot->timer.data = slot;
    }
    return prober;
}

static void on_closed(uv_handle_t *handle)
{
    struct prober *prober = ((struct probe_slot *)handle->data)->prober;
    if (--prober->open_handles == 0)
        free(prober);
}

void prober_free(struct prober *prober)
{
    if (!prober)
        return;
    prober_stop(prober);
    prober->server = NULL;
    for (size_t i = 0; i < SLOTS; i++)
        uv_close((uv_handle_t *)&prober->slots[i].timer, on_closed);
}
