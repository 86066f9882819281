/*
 * What one farmd hands to the next of a server: written down while it runs, and taken up again by the next one, with the
 * process where that still runs.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/farm/farm.h"
#include "supervisor/farm/probe.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- writing down --- */

static enum state_wanted wanted_of(const struct server *server)
{
    enum state_wanted down = server->own->starts_later ? STATE_RESTARTING : STATE_STOPPED;
    switch (server->lifecycle.state) {
    case SERVER_RUNNING:
        return STATE_RUNNING;
    case SERVER_PAUSED:
        return STATE_PAUSED;
    case SERVER_STOPPED:
        return down;
    case SERVER_FAILED:
        return STATE_FAILED;
    case SERVER_STOPPING:
        return server->lifecycle.after == AFTER_STOP ? down : STATE_RESTARTING;
    case SERVER_STARTING:
        return server->process ? STATE_STARTING : STATE_RESTARTING;
    case SERVER_BACKOFF:
    case SERVER_STATE_COUNT:
        break;
    }
    return STATE_RESTARTING;
}

static void record_process(const struct server *server, struct state_server *out)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    uint64_t start_time = ops->start_time(server->process);
    if (start_time == 0) /* it has ended, and nobody has told so yet */
        return;
    out->pid = ops->pid(server->process);
    out->start_time = (int64_t)start_time;
    out->started_at_us = server->started_at_us;
    out->started_at_ms = server->own->started_at_ms;
    out->fingerprint = server->own->fingerprint;
    out->running_since_ms = server->running_since_ms;
    out->healthy_since_ms = server->own->healthy_since_ms;
    out->not_ready = !server->ready;
    out->oom_seen = (int64_t)sampler_seen_oom_kills(server);
}

static void record_last_exit(const struct server_last_exit *exit, struct state_server *out)
{
    out->exit_known = exit->known;
    if (!exit->known)
        return;
    out->exit_reason = exit->reason;
    out->exit_code = exit->has_exit_code ? exit->exit_code : -1;
    out->exit_signal = exit->has_signal ? exit->signal : -1;
    out->exit_oom_killed = exit->oom_killed;
    out->exit_at_us = exit->at_us;
}

void server_record(const struct server *server, struct state_server *out)
{
    *out = state_server_empty();
    out->id = server->id;
    snprintf(out->group, sizeof(out->group), "%s", server->group->name);
    out->wanted = wanted_of(server);
    out->port = server->port;
    out->limits = server->limits;
    out->limits_by_hand = server->limits_overridden;
    out->restarts = server->restarts;
    out->failures = server->backoff.failures;
    out->streak_began_ms = server->own->streak_began_ms;
    out->oom_kills = (int64_t)sampler_earlier_oom_kills(server);
    record_last_exit(&server->last_exit, out);
    bool stops = server->lifecycle.state == SERVER_STOPPING && out->wanted == STATE_STOPPED;
    snprintf(out->error, sizeof(out->error), "%s", stops ? STOPPED_ON_REQUEST : server->error);
    if (server->process)
        record_process(server, out);
}

/* --- taking up --- */

static void restore_last_exit(struct server_last_exit *exit, const struct state_server *was)
{
    *exit = (struct server_last_exit){
        .known = was->exit_known,
        .reason = was->exit_reason,
        .has_exit_code = was->exit_code >= 0,
        .exit_code = was->exit_code >= 0 ? (int)was->exit_code : 0,
        .has_signal = was->exit_signal >= 0,
        .signal = was->exit_signal >= 0 ? (int)was->exit_signal : 0,
        .oom_killed = was->exit_oom_killed == 1,
        .at_us = was->exit_at_us >= 0 ? was->exit_at_us : 0,
    };
}

static int64_t or_zero(int64_t value)
{
    return value > 0 ? value : 0;
}

void server_restore(struct server *server, const struct state_server *was)
{
    struct server_private *own = server->own;
    server->restarts = (unsigned)or_zero(was->restarts);
    server->backoff.failures = (unsigned)or_zero(was->failures);
    own->streak_began_ms = or_zero(was->streak_began_ms);
    own->streak_reason = was->exit_reason;
    server->limits_overridden = was->limits_by_hand == 1;
    if (server->limits_overridden)
        server->limits = was->limits;
    restore_last_exit(&server->last_exit, was);
    own->ever_started = was->pid > 0 || was->exit_known;
    own->fingerprint = was->fingerprint;
    sampler_run_adopted(server, (uint64_t)or_zero(was->oom_kills));
    if (was->wanted == STATE_STOPPED || was->wanted == STATE_FAILED) {
        own->stopped_by_hand = was->wanted == STATE_STOPPED;
        server->lifecycle.state = was->wanted == STATE_STOPPED ? SERVER_STOPPED : SERVER_FAILED;
        server_set_error(server, was->error);
        if (server->last_exit.known)
            server->state_since_us = server->last_exit.at_us;
    }
}

static void restore_times(struct server *server, const struct state_server *was)
{
    struct server_private *own = server->own;
    own->started_at_ms = or_zero(was->started_at_ms);
    own->healthy_since_ms = or_zero(was->healthy_since_ms);
    server->started_at_us = or_zero(was->started_at_us);
    server->running_since_ms = or_zero(was->running_since_ms);
    server->ready = was->not_ready != 1;
}

/* farmd did not see its end. It is told like any other, and the restart policy decides. */
static void tell_end(struct server *server, const struct runtime_adopted *gone)
{
    server->lifecycle.state = SERVER_RUNNING;
    if (gone->exit_known)
        server->own->exit = gone->exit;
    else
        server->own->exit = (struct runtime_exit){.kind = RUNTIME_EXIT_UNKNOWN, .oom_killed = gone->oom_kills > 0};
    sampler_run_adopted(server, sampler_earlier_oom_kills(server) + gone->oom_kills);
    server_event(server, EVENT_EXITED);
}

int server_adopt(struct server *server, const struct state_server *was, struct error *err)
{
    struct runtime_adoption adoption = {
        .leftover =
            {
                .pid = (pid_t)was->pid,
                .start_time = (uint64_t)was->start_time,
                .name = server->name,
                .log_path = server->log_path,
            },
        .has_counters = server->group->command == NULL && server->group->image == NULL,
        .paused = was->wanted == STATE_PAUSED,
        .oom_seen = (uint64_t)or_zero(was->oom_seen),
        .limits = was->limits,
    };
    struct runtime_adopted adopted = {0};
    int code = farm_runtime_ops(server->farm)
                   ->adopt(farm_runtime(server->farm), &adoption, server, &adopted, &server->process, err);
    if (code < 0 && code != -ESRCH)
        return code;
    restore_times(server, was);
    if (code < 0) {
        tell_end(server, &adopted);
        return code;
    }
    server->limits = was->limits; /* those of its group may be others now */
    if (adopted.paused)
        server_event_because(server, EVENT_ADOPTED_PAUSED, adopted.paused_why);
    else
        server_event(server, was->wanted == STATE_STARTING ? EVENT_ADOPTED_STARTING : EVENT_ADOPTED);
    return code;
}

static void take_over_found(struct server *server, const struct runtime_adopted *found)
{
    struct server_private *own = server->own;
    int64_t now_ms = clock_monotonic_ms(), up_ms = (clock_realtime_us() - found->started_at_us) / 1000;
    bool began = found->started_at_us > 0 && up_ms >= 0;

    own->ever_started = true;
    own->fingerprint = found->fingerprint;
    own->started_at_ms = began ? now_ms - up_ms : now_ms;
    server->started_at_us = began ? found->started_at_us : clock_realtime_us();
    server->running_since_ms = own->healthy_since_ms = found->starting ? 0 : own->started_at_ms;
    server->ready = !found->starting;
    server->limits = found->limits;
    server_set_port(server, found->port);
    server_event(server, found->starting ? EVENT_ADOPTED_STARTING : EVENT_ADOPTED);
}

int server_find(struct server *server, const struct state_server *was, struct error *err)
{
    const struct runtime_adoption adoption = {.leftover = {.name = server->name, .log_path = server->log_path}};
    struct runtime_adopted found = {0};
    int code = farm_runtime_ops(server->farm)
                   ->adopt(farm_runtime(server->farm), &adoption, server, &found, &server->process, err);
    if (code == 0) {
        take_over_found(server, &found);
    } else if (found.stopped && !was) {
        server->own->stopped_by_hand = true;
        server_set_error(server, STOPPED_ON_REQUEST);
        code = error_set(err, ECANCELED, "%s was stopped", server->name);
    }
    return code;
}

void server_start_again(struct server *server)
{
    server->lifecycle.state = SERVER_BACKOFF;
    server_event(server, EVENT_BACKOFF_ELAPSED);
}

/* What it had to say through its readiness pipe is lost, so it is asked; the time in which nobody listened does not count.
 * A program that would be ready as soon as it runs needs no asking. */
static void go_on_starting(struct server *server)
{
    server_set_error(server, "starting");
    server_arm(server, server->group->start_timeout_ms);
    if (!server_is_asked(server))
        server_event(server, EVENT_READY);
    else
        prober_adopted(server->prober);
}

void server_go_on(struct server *server)
{
    char up[24];
    units_format_duration(up, clock_monotonic_ms() - server->own->started_at_ms);
    pid_t pid = farm_runtime_ops(server->farm)->pid(server->process);
    if (pid > 0)
        events_add(farm_events(server->farm), REASON_ADOPTED, server->id, "%s goes on (pid %d, up %s)", server->name,
                   (int)pid, up);
    else
        events_add(farm_events(server->farm), REASON_ADOPTED, server->id, "%s goes on (up %s)", server->name, up);
    if (server->lifecycle.state == SERVER_STARTING) {
        go_on_starting(server);
    } else if (server->lifecycle.state == SERVER_PAUSED) {
        server->ready = false;
        server_set_paused_error(server);
    } else {
        int64_t running_ms = clock_monotonic_ms() - server->running_since_ms;
        server->state_since_us = clock_realtime_us() - running_ms * 1000;
        server_set_error(server, "");
        prober_running(server->prober);
    }
}
