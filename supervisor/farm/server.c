/*
 * The life of one server: takes what is asked of it and what happens to it one after another, lets the state machine
 * decide and performs the actions.
 */
#include "supervisor/farm/server.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/probe.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WAITERS 1000   /* for one server; each costs memory and a look at every step */
#define KILL_AGAIN_MS 1000 /* a kill that left something is repeated until all is gone */

static void on_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;
    switch (server->lifecycle.state) {
    case SERVER_STARTING:
        server_event(server, EVENT_START_TIMEOUT);
        break;
    case SERVER_STOPPING:
        server_event(server, EVENT_STOP_TIMEOUT);
        server_tell_of_kill(server);
        break;
    case SERVER_BACKOFF:
        server_event(server, EVENT_BACKOFF_ELAPSED);
        break;
    case SERVER_STOPPED:
    case SERVER_RUNNING:
    case SERVER_PAUSED:
    case SERVER_FAILED:
    case SERVER_STATE_COUNT:
        break;
    }
}

/* The loop's own clock may be old by the length of this turn. */
void server_arm(struct server *server, int64_t delay_ms)
{
    uv_update_time(farm_loop(server->farm));
    uv_timer_start(&server->own->timer, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

/* --- states --- */

void server_set_error(struct server *server, const char *text)
{
    snprintf(server->error, sizeof(server->error), "%s", text);
}

void server_set_paused_error(struct server *server)
{
    const char *why = server->own->frozen_why;
    char text[96];
    snprintf(text, sizeof(text), "paused %s", why ? why : "on request");
    server_set_error(server, text);
}

static void became_ready(struct server *server)
{
    struct server_private *own = server->own;
    int64_t now_ms = clock_monotonic_ms();
    server->running_since_ms = now_ms;
    own->healthy_since_ms = now_ms;
    server->ready = true;

    bool restarted = own->is_restart && server->ended_at_ms > 0;
    int64_t took_ms = now_ms - (restarted ? server->ended_at_ms : own->started_at_ms);
    char took[24];
    units_format_duration(took, took_ms);
    struct event *event = events_add(farm_events(server->farm), REASON_READY, server->id, "%s %s %s", server->name,
                                     restarted ? "is back in" : "is ready in", took);
    event->duration_ms = restarted ? took_ms : -1;
    prober_running(server->prober);
}

static void enter_running(struct server *server, enum server_state from)
{
    uv_timer_stop(&server->own->timer);
    server_set_error(server, "");
    if (from == SERVER_PAUSED) {
        const char *why = server->own->frozen_why;
        events_add(farm_events(server->farm), REASON_RESUMED, server->id, "%s goes on%s%s", server->name,
                   why ? ": " : "", why ? why : "");
        /* Where nothing is asked, it is as ready as when it was paused. */
        server->ready = !server->group->probes[PROBE_READINESS].enabled;
        prober_resumed(server->prober);
    } else {
        became_ready(server);
    }
}

static void enter_paused(struct server *server)
{
    prober_stop(server->prober);
    server->health = HEALTH_UNKNOWN;
    server->ready = false;
    const char *why = server->own->frozen_why;
    server_set_paused_error(server);
    events_add(farm_events(server->farm), REASON_PAUSED, server->id, "%s is paused%s%s", server->name, why ? " " : "",
               why ? why : "");
}

static void enter_backoff(struct server *server)
{
    int64_t delay_ms = server->own->retry_delay_ms;
    server->next_restart_at_us = farm_now_us(server->farm) + delay_ms * 1000;
    server_set_error(server, server->own->ending);
    server_report_wait(server);
    server_arm(server, delay_ms);
}

/* By hand, or because the policy says that its end was the end. */
static void enter_stopped(struct server *server, enum lifecycle_event event)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    bool by_policy =
        (event == EVENT_EXITED || event == EVENT_SPAWN_FAILED) && server->last_exit.reason != REASON_STOPPED;
    server->own->stopped_by_hand = !by_policy;
    if (!server->process && ops->call_off)
        ops->call_off(farm_runtime(server->farm), server->id);
    if (by_policy)
        server_set_error(server, server->own->ending);
    else
        server_set_error(server,
                         event == EVENT_EXITED && server->own->exit.by_hand ? STOPPED_BY_HAND : STOPPED_ON_REQUEST);
    if (event == EVENT_STOP) /* nothing ran, so no ending tells it */
        events_add(farm_events(server->farm), REASON_STOPPED, server->id, "%s is stopped", server->name);
}

static void enter_state(struct server *server, enum server_state from, enum lifecycle_event event)
{
    if (event == EVENT_ADOPTED || event == EVENT_ADOPTED_STARTING || event == EVENT_ADOPTED_PAUSED) {
        server_go_on(server);
        return;
    }
    if (from == SERVER_BACKOFF)
        server->next_restart_at_us = 0;
    if (server->lifecycle.state != SERVER_RUNNING)
        uv_timer_stop(&server->own->timer);
    switch (server->lifecycle.state) {
    case SERVER_STOPPED:
        enter_stopped(server, event);
        break;
    case SERVER_STARTING:
        server_set_error(server, "starting");
        break;
    case SERVER_RUNNING:
        enter_running(server, from);
        break;
    case SERVER_PAUSED:
        enter_paused(server);
        break;
    case SERVER_STOPPING:
        prober_stop(server->prober);
        server->health = HEALTH_UNKNOWN;
        server->ready = false;
        server_set_error(server, "stopping");
        break;
    case SERVER_BACKOFF:
        enter_backoff(server);
        break;
    case SERVER_FAILED:
        server_set_error(server, server->own->ending);
        server_report_give_up(server);
        break;
    case SERVER_STATE_COUNT:
        break;
    }
}

static void report_forced_stop(struct server *server)
{
    struct server_private *own = server->own;
    if (own->killed || own->has_cause)
        return;
    char grace[24];
    units_format_duration(grace, server->group->stop_grace_ms);
    events_add(farm_events(server->farm), REASON_STOP_FORCED, server->id,
               "%s did not end within %s of SIGTERM and is killed", server->name, grace);
}

/* SIGTERM waits in a frozen process, and in one that is just being frozen. */
static void thaw_to_stop(struct server *server, const struct lifecycle_step *step)
{
    struct error err;
    bool thaws = (step->actions & ACTION_THAW) || server->own->frozen_asked != FROZEN_NOT_ASKED;
    server->own->frozen_asked = FROZEN_NOT_ASKED;
    int rc = thaws ? server_thaw(server, &err) : 0;
    if (rc < 0 && rc != -EINPROGRESS)
        server_kill(server); /* it would never take its SIGTERM */
}

static void perform(struct server *server, const struct lifecycle_step *step, enum server_state from,
                    enum lifecycle_event event)
{
    struct server_private *own = server->own;
    if (step->actions & ACTION_RESET_BACKOFF)
        backoff_reset(&server->backoff);
    if (step->actions & ACTION_QUEUE) {
        own->start_from = from;
        farm_queue_start(server->farm, server);
    }
    if (step->actions & ACTION_SPAWN) {
        server_spawn(server);
        server_arm(server, server->group->start_timeout_ms); /* counted from the start, not from before it */
    }
    if (step->actions & ACTION_TERMINATE) {
        server_arm(server, server->group->stop_grace_ms);
        server_terminate(server);
    }
    if (step->actions & ACTION_KILL) {
        if (event == EVENT_STOP_TIMEOUT)
            report_forced_stop(server);
        if (!own->killed)
            own->killed_at_ms = clock_monotonic_ms();
        own->killed = true;
        server_arm(server, KILL_AGAIN_MS);
        server_kill(server);
    }
    if (server->lifecycle.state == SERVER_STOPPING)
        thaw_to_stop(server, step);
}

/* Freezing and thawing can fail or take a while, and a state that is not so must not be entered. What is on its way may
 * have to be turned back. */
static int perform_first(struct server *server, const struct lifecycle_step *step, enum lifecycle_event event,
                         struct error *err)
{
    enum frozen_asked asked = server->own->frozen_asked;
    bool freezes = (step->actions & ACTION_FREEZE) || (asked == FROZEN_RESUME && event == EVENT_PAUSE);
    bool thaws = ((step->actions & ACTION_THAW) && step->next.state == SERVER_RUNNING) ||
                 (asked == FROZEN_PAUSE && (event == EVENT_RESUME || event == EVENT_START));
    if (!freezes && !thaws)
        return 0;
    int rc = freezes ? server_freeze(server, err) : server_thaw(server, err);
    server->own->frozen_asked = rc != -EINPROGRESS ? FROZEN_NOT_ASKED : freezes ? FROZEN_PAUSE : FROZEN_RESUME;
    return rc;
}

static void handle(struct server *server, struct server_request *request)
{
    enum lifecycle_event event = request->event;
    struct lifecycle before = server->lifecycle;
    bool ends = event == EVENT_EXITED || event == EVENT_SPAWN_FAILED;
    struct error err;

    if (ends)
        server_note_ending(server, event);
    enum lifecycle_verdict verdict = lifecycle_needs_verdict(before, event) ? server_judge(server) : VERDICT_STAY_DOWN;
    if (ends)
        server_forget_run(server);
    struct lifecycle_step step = lifecycle_next(before, event, verdict);
    if (step.refused) {
        error_set(&err, EBUSY, "%s is %s: %s needs a server that is %s", server->name, server_state_name(before.state),
                  server_action_name(request->action), event == EVENT_PAUSE ? "running" : "paused");
        server_finish(server, request, &err);
        return;
    }
    int rc = perform_first(server, &step, event, &err);
    if (rc == -EINPROGRESS) {
        server_wait(server, request);
        server_settle(server); /* the contrary that was asked for before */
        return;
    }
    if (rc < 0) {
        server_finish(server, request, &err);
        server_settle(server);
        return;
    }

    server->lifecycle = step.next;
    if (step.next.state == SERVER_STOPPING && before.state != SERVER_STOPPING)
        server_note_cause(server, event);
    if (step.next.state != before.state || ends) {
        server->state_since_us = farm_now_us(server->farm);
        enter_state(server, before.state, event);
    }
    perform(server, &step, before.state, event);
    if (step.next.state != before.state || step.actions || ends)
        farm_server_changed(server->farm, server);
    server_wait(server, request);
    server_settle(server);
}

/* --- what comes in --- */

static void enqueue(struct server *server, const struct server_request *template)
{
    struct server_private *own = server->own;
    struct server_request *request = xmalloc(sizeof(*request));
    *request = *template;
    request->next = NULL;
    own->asked += request->done != NULL;
    if (own->queue_end)
        own->queue_end->next = request;
    else
        own->queue = request;
    own->queue_end = request;
    if (own->busy)
        return; /* whoever is at it takes this one too */

    own->busy = true;
    server_ref(server);
    while (own->queue) {
        request = own->queue;
        own->queue = request->next;
        if (!own->queue)
            own->queue_end = NULL;
        handle(server, request);
    }
    own->busy = false;
    server_unref(server);
}

void server_event(struct server *server, enum lifecycle_event event)
{
    if (!server->own->freed)
        enqueue(server, &(struct server_request){.event = event});
}

void server_event_because(struct server *server, enum lifecycle_event event, const char *why)
{
    server->own->frozen_why = why;
    server_event(server, event);
    server->own->frozen_why = NULL;
}

void server_frozen_answered(struct server *server, const struct error *err)
{
    struct server_private *own = server->own;
    enum frozen_asked asked = own->frozen_asked;
    own->frozen_asked = FROZEN_NOT_ASKED;
    if (asked == FROZEN_NOT_ASKED)
        return;
    if (!err) {
        server_event(server, asked == FROZEN_PAUSE ? EVENT_PAUSE : EVENT_RESUME);
        return;
    }
    own->frozen_error = *err;
    server_ref(server);
    server_settle(server);
    own->frozen_error = (struct error){0};
    server_unref(server);
}

/* What the runtime cannot do at all; NULL: it can. */
static const char *refusal_of(const struct server *server, enum server_action action)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    if (action == SERVER_ACTION_KILL)
        return ops->no_kill;
    return action == SERVER_ACTION_PAUSE || action == SERVER_ACTION_RESUME ? ops->no_pause : NULL;
}

void server_act(struct server *server, enum server_action action, server_done_fn done, void *data)
{
    static const enum lifecycle_event events[SERVER_ACTION_COUNT] = {
        [SERVER_ACTION_START] = EVENT_START,     [SERVER_ACTION_STOP] = EVENT_STOP,
        [SERVER_ACTION_RESTART] = EVENT_RESTART, [SERVER_ACTION_KILL] = EVENT_KILL,
        [SERVER_ACTION_PAUSE] = EVENT_PAUSE,     [SERVER_ACTION_RESUME] = EVENT_RESUME,
    };
    bool ends = action == SERVER_ACTION_STOP || action == SERVER_ACTION_KILL;
    bool is_last = server->own->retired || farm_is_stopping(server->farm); /* must not be refused */
    struct error err = {0};
    const char *refusal = done ? refusal_of(server, action) : NULL; /* else it is the end of the farm */
    if (refusal)
        error_set(&err, ENOTSUP, "%s: %s", server->name, refusal);
    else if (server->own->freed || (server->own->retired && !ends))
        error_set(&err, ECANCELED, "%s is no longer part of the farm", server->name);
    else if (!ends && farm_is_stopping(server->farm))
        error_set(&err, EBUSY, "%s: the farm is being stopped", server->name);
    else if (done && server->own->asked >= MAX_WAITERS && !is_last)
        error_set(&err, EAGAIN, "%s: %d requests wait for it already; try again later", server->name, MAX_WAITERS);
    else if (done && !is_last)
        farm_available(server->farm, &err);
    if (err.code) {
        if (done)
            done(server, &err, data);
        return;
    }
    enqueue(server, &(struct server_request){.event = events[action], .action = action, .done = done, .data = data});
}

/* --- making and ending --- */

void server_set_port(struct server *server, uint16_t port)
{
    server->port = port;
    snprintf(server->url, sizeof(server->url), "http://localhost:%u", port);
}

char *server_log_path(const struct farm *farm, int id)
{
    return xasprintf("%s/logs/server-%d.log", farm_settings(farm)->state_dir, id);
}

struct server *server_new(struct farm *farm, int id, uint16_t port, const struct group_settings *group)
{
    struct server *server = xcalloc(1, sizeof(*server));
    server->farm = farm;
    server->id = id;
    server->group = group;
    server->limits = group->limits;
    snprintf(server->name, sizeof(server->name), "server-%d", id);
    server_set_port(server, port);
    server->log_path = server_log_path(farm, id);
    server->state_since_us = clock_realtime_us();
    server_set_error(server, "not started yet");

    server->own = xcalloc(1, sizeof(*server->own));
    server->own->refs = 1;
    server->own->waiting_end = &server->own->waiting;
    uv_timer_init(farm_loop(farm), &server->own->timer);
    server->own->timer.data = server;
    server->prober = prober_new(server);
    return server;
}

struct server *server_ref(struct server *server)
{
    server->own->refs++;
    return server;
}

void server_unref(struct server *server)
{
    if (--server->own->refs > 0)
        return;
    free(server->own);
    free(server->log_path);
    log_marks_done(&server->log_marks);
    free(server);
}

static void on_timer_closed(uv_handle_t *handle)
{
    server_unref(handle->data);
}

void server_free(struct server *server)
{
    if (!server || server->own->freed)
        return;
    server->own->freed = true;
    prober_free(steal(&server->prober));
    sampler_slot_free(server);
    server_cancel(server);
    uv_close((uv_handle_t *)&server->own->timer, on_timer_closed);
}

void server_retire(struct server *server)
{
    server->own->retired = true;
}

void server_adopt_settings(struct server *server, const struct group_settings *group)
{
    bool asks_the_same = prober_same_schedule(server->group, group);
    server->group = group;
    if (server->lifecycle.state == SERVER_RUNNING && !asks_the_same) {
        prober_running(server->prober);
        server_probes_changed(server);
    }
}
