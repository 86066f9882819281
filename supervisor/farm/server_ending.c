/*
 * Why a run ended, in a reason for programs and a sentence for people, and what the restart policy makes of it.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/probe.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define UNAVAILABLE_DELAY_MS 60000
#define LOST_ANSWER_DELAY_MS 1000
#define PORT_TAKEN_DELAY_MS 1000 /* at least: what holds a port rarely lets go within a turn of the loop */

/* The words for an ending: "server-7 VERB (DETAIL)". */
static const char *const verbs[REASON_COUNT] = {
    [REASON_CRASHED] = "crashed",
    [REASON_COMPLETED] = "ended by itself",
    [REASON_OOM_KILLED] = "was OOM-killed",
    [REASON_KILLED] = "was killed on request",
    [REASON_EXIT_UNKNOWN] = "ended",
    [REASON_START_FAILED] = "cannot start",
    [REASON_START_TIMEOUT] = "was not ready in time",
    [REASON_PORT_TAKEN] = "cannot start",
    [REASON_LIVENESS_FAILED] = "was unhealthy",
    [REASON_STOPPED] = "stopped",
};

/* How long the start was waited for: until start_timeout, or until the startup probe had failed often enough. */
static void describe_start_wait(const struct server *server, char out[24])
{
    int64_t waited_ms = clock_monotonic_ms() - server->own->started_at_ms;
    int64_t most_ms = server->group->start_timeout_ms;
    units_format_duration(out, waited_ms < most_ms ? waited_ms : most_ms);
}

void server_note_cause(struct server *server, enum lifecycle_event event)
{
    struct server_private *own = server->own;
    struct events *events = farm_events(server->farm);
    const struct probe_settings *liveness = &server->group->probes[PROBE_LIVENESS];
    char text[24];
    if (event == EVENT_KILL) {
        own->has_cause = true;
        own->cause = REASON_KILLED;
    } else if (event == EVENT_START_TIMEOUT) {
        own->has_cause = true;
        own->cause = REASON_START_TIMEOUT;
        describe_start_wait(server, text);
        events_add(events, REASON_START_TIMEOUT, server->id, "%s is not ready after %s and is killed", server->name,
                   text);
    } else if (event == EVENT_LIVENESS_FAILED) {
        own->has_cause = true;
        own->cause = REASON_LIVENESS_FAILED;
        bool waited = strcmp(server->health_error, "timeout") == 0;
        units_format_duration(text, liveness->timeout_ms);
        events_add(events, REASON_LIVENESS_FAILED, server->id,
                   "%s unhealthy: %u probes failed in a row (%s%s%s%s); killed", server->name, liveness->retries,
                   server->health_error, waited ? ", " : "", waited ? text : "", waited ? " each" : "");
    }
}

static enum event_reason reason_of_exit(const struct server *server)
{
    const struct server_private *own = server->own;
    const struct runtime_exit *exit = &own->exit;
    if (own->has_cause)
        return own->cause;
    if (server->lifecycle.state == SERVER_STOPPING || exit->by_hand)
        return REASON_STOPPED;
    if (exit->replaced)
        return REASON_STOPPED;
    if (strncmp(exit->detail, "error EADDRINUSE", strlen("error EADDRINUSE")) == 0)
        return REASON_PORT_TAKEN;
    if (exit->oom_killed)
        return REASON_OOM_KILLED;
    if (exit->not_started)
        return REASON_START_FAILED;
    if (exit->kind == RUNTIME_EXIT_UNKNOWN)
        return REASON_EXIT_UNKNOWN;
    return exit->kind == RUNTIME_EXIT_CODE && exit->exit_code == 0 ? REASON_COMPLETED : REASON_CRASHED;
}

/* A sentence that is cut where there is no room. */
static void __attribute__((format(printf, 3, 4))) put(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(out, size, fmt, args);
    va_end(args);
}

static const char *signal_name(int signal)
{
    const char *name = sigabbrev_np(signal);
    return name ? name : "?";
}

/* What a server said before it gave up, "error ENAME text", without what is for programs. */
static const char *words_of(const struct runtime_exit *exit)
{
    bool for_programs = strncmp(exit->detail, "error E", strlen("error E")) == 0;
    const char *name = for_programs ? strchr(exit->detail, ' ') : NULL;
    const char *text = name != NULL ? strchr(name + 1, ' ') : NULL;
    return text != NULL ? text + 1 : exit->detail;
}

static void describe_exit(const struct runtime_exit *exit, char *out, size_t size)
{
    const char *said = words_of(exit);
    switch (exit->kind) {
    case RUNTIME_EXIT_CODE:
        put(out, size, "exit %d%s%s", exit->exit_code, said[0] ? ", " : "", said);
        break;
    case RUNTIME_EXIT_SIGNAL:
        put(out, size, "signal %d, SIG%s", exit->signal, signal_name(exit->signal));
        break;
    case RUNTIME_EXIT_UNKNOWN:
        put(out, size, "%s", said[0] ? said : "nobody saw how");
        break;
    }
}

static void describe_port_holder(const struct server *server, char *out, size_t size)
{
    char holder[96];
    farm_runtime_ops(server->farm)->port_holder_known(server->port, holder, sizeof(holder));
    put(out, size, "port %u is taken by %s", server->port, holder);
}

/* The detail of an ending, for the brackets; may be empty. */
static void describe(const struct server *server, enum event_reason reason, bool spawned, char *out, size_t size)
{
    const struct server_private *own = server->own;
    char text[24];
    out[0] = '\0';
    if (!spawned) {
        put(out, size, "%s", own->spawn_error.message);
    } else if (reason == REASON_PORT_TAKEN) {
        describe_port_holder(server, out, size);
    } else if (reason == REASON_START_FAILED) {
        put(out, size, "%s", words_of(&own->exit));
    } else if (reason == REASON_OOM_KILLED) {
        units_format_size(text, server->limits.memory);
        put(out, size, "at its limit of %s", text);
    } else if (reason == REASON_START_TIMEOUT) {
        describe_start_wait(server, text);
        const char *path = server->group->probes[PROBE_STARTUP].path;
        if (server->health_error[0])
            put(out, size, "%s; the probe of %s says: %s", text, path ? path : "/health", server->health_error);
        else
            put(out, size, "%s", text);
    } else if (reason == REASON_LIVENESS_FAILED) {
        put(out, size, "%s", server->health_error);
    } else if (reason == REASON_CRASHED || reason == REASON_COMPLETED || reason == REASON_EXIT_UNKNOWN) {
        describe_exit(&own->exit, out, size);
    }
}

static int code_of(enum event_reason reason, bool spawned, const struct server *server)
{
    if (!spawned)
        return server->own->spawn_error.code;
    if (reason == REASON_PORT_TAKEN)
        return EADDRINUSE;
    return reason == REASON_START_TIMEOUT ? ETIMEDOUT : EIO;
}

static void note_last_exit(struct server *server, enum event_reason reason, bool spawned)
{
    const struct runtime_exit *exit = &server->own->exit;
    server->last_exit = (struct server_last_exit){
        .known = true,
        .reason = reason,
        .at_us = clock_realtime_us(),
    };
    if (!spawned)
        return;
    server->last_exit.has_exit_code = exit->kind == RUNTIME_EXIT_CODE;
    server->last_exit.exit_code = exit->exit_code;
    server->last_exit.has_signal = exit->kind == RUNTIME_EXIT_SIGNAL;
    server->last_exit.signal = exit->signal;
    server->last_exit.oom_killed = exit->oom_killed;
}

static void report_ending(struct server *server, enum event_reason reason, const char *detail)
{
    struct events *events = farm_events(server->farm);
    char up[24];
    units_format_duration(up, clock_monotonic_ms() - server->own->started_at_ms);
    if (reason == REASON_STOPPED && server->own->exit.by_hand) {
        events_add(events, reason, server->id, "%s was " STOPPED_BY_HAND " after %s", server->name, up);
    } else if (reason == REASON_STOPPED) {
        events_add(events, reason, server->id, "%s stopped after %s", server->name, up);
    } else if (reason == REASON_START_TIMEOUT || reason == REASON_LIVENESS_FAILED) {
        return; /* told when it was killed for it */
    } else if (reason == REASON_START_FAILED || reason == REASON_PORT_TAKEN) {
        events_add(events, reason, server->id, "%s cannot start: %s", server->name, detail);
    } else if (detail[0]) {
        events_add(events, reason, server->id, "%s %s (%s) after %s", server->name, verbs[reason], detail, up);
    } else {
        events_add(events, reason, server->id, "%s %s after %s", server->name, verbs[reason], up);
    }
}

/* Its figures are not the next run's, least of all those that a start that fails at once would be judged by. */
void server_forget_run(struct server *server)
{
    struct server_private *own = server->own;
    prober_stop(server->prober);
    if (server->process)
        sampler_run_ended(server);
    server->process = NULL;
    server->started_at_us = 0;
    server->running_since_ms = 0;
    own->healthy_since_ms = own->healthy_best_ms = 0;
    server->health = HEALTH_UNKNOWN;
    server->ready = false;
    server->ended_at_ms = clock_monotonic_ms();
    own->frozen_asked = FROZEN_NOT_ASKED;
    server_limits_end(server);
}

void server_note_ending(struct server *server, enum lifecycle_event event)
{
    struct server_private *own = server->own;
    bool spawned = event == EVENT_EXITED;
    enum event_reason reason;
    if (spawned)
        reason = reason_of_exit(server);
    else
        reason = own->spawn_error.code == EADDRINUSE ? REASON_PORT_TAKEN : REASON_START_FAILED;

    char detail[200];
    describe(server, reason, spawned, detail, sizeof(detail));
    bool is_start = reason == REASON_START_FAILED || reason == REASON_PORT_TAKEN;
    if (detail[0])
        put(own->ending, sizeof(own->ending), is_start ? "%s: %s" : "%s (%s)", verbs[reason], detail);
    else
        put(own->ending, sizeof(own->ending), "%s", verbs[reason]);
    own->ending_code = code_of(reason, spawned, server);
    note_last_exit(server, reason, spawned);
    if (!spawned && trouble_is_want(own->spawn_error.code))
        farm_trouble(server->farm, TROUBLE_STARTS, &own->spawn_error);
    report_ending(server, reason, detail);
}

bool server_ended_since(const struct server *server, int64_t at_ms)
{
    return server->last_exit.known && server->ended_at_ms >= at_ms;
}

const char *server_ending_words(const struct server *server)
{
    return server->last_exit.known ? verbs[server->last_exit.reason] : "ended";
}

int64_t server_healthy_ms(const struct server *server, int64_t now_ms)
{
    const struct server_private *own = server->own;
    int64_t current = own->healthy_since_ms ? now_ms - own->healthy_since_ms : 0;
    return current > own->healthy_best_ms ? current : own->healthy_best_ms;
}

static uint64_t random_bits(void)
{
    uint64_t bits = 0;
    if (uv_random(NULL, NULL, &bits, sizeof(bits), 0, NULL) < 0)
        bits = (uint64_t)clock_monotonic_ns();
    return bits;
}

bool server_was_unavailable(const struct server *server)
{
    return server->own->spawn_error.code == ENOTCONN || server->own->exit.unavailable;
}

static bool policy_wants_restart(const struct server *server)
{
    switch (server->group->restart) {
    case RESTART_ALWAYS:
        return true;
    case RESTART_ON_FAILURE:
        return server->last_exit.reason != REASON_COMPLETED;
    case RESTART_NEVER:
        break;
    }
    return false;
}

/* One whose end nobody saw "ended", which is true of the others, too. */
static void note_streak(struct server *server)
{
    struct server_private *own = server->own;
    enum event_reason reason = server->last_exit.reason;
    bool differs = reason != own->streak_reason && reason != REASON_EXIT_UNKNOWN;
    own->streak_is_mixed = server->backoff.failures > 1 && (own->streak_is_mixed || differs);
    own->streak_reason = reason;
}

/* The runtime has decided; the profile only counts along. */
static enum lifecycle_verdict judge_by_runtime(struct server *server)
{
    const struct runtime_exit *exit = &server->own->exit;
    if (exit->follow_up == RUNTIME_LEAVES_IT)
        return VERDICT_GIVE_UP;
    server->own->retry_delay_ms = exit->restart_in_ms;
    return exit->restart_in_ms > 0 ? VERDICT_RETRY_LATER : VERDICT_RETRY_NOW;
}

enum lifecycle_verdict server_judge(struct server *server)
{
    struct server_private *own = server->own;
    if (farm_is_stopping(server->farm) || own->retired || own->exit.by_hand || !policy_wants_restart(server))
        return VERDICT_STAY_DOWN;
    if (server_was_unavailable(server)) { /* no failure of its own; on_available makes it shorter */
        struct error err;
        own->retry_delay_ms = farm_available(server->farm, &err) == 0 ? LOST_ANSWER_DELAY_MS : UNAVAILABLE_DELAY_MS;
        return VERDICT_RETRY_LATER;
    }

    int64_t now_ms = clock_monotonic_ms();
    int64_t ran_ms = now_ms - own->started_at_ms;
    int64_t healthy_ms = server->running_since_ms ? server_healthy_ms(server, now_ms) : 0;
    struct backoff_decision decision =
        backoff_next(&server->backoff, server->group->restart_profile, now_ms, ran_ms, healthy_ms, random_bits());
    note_streak(server);
    if (server->backoff.failures <= 1)
        own->streak_began_ms = now_ms;
    if (own->exit.follow_up != RUNTIME_FOLLOW_POLICY)
        return judge_by_runtime(server);
    own->retry_delay_ms = decision.delay_ms;
    if (server->last_exit.reason == REASON_PORT_TAKEN && decision.verdict == VERDICT_RETRY_NOW) {
        own->retry_delay_ms = PORT_TAKEN_DELAY_MS;
        return VERDICT_RETRY_LATER;
    }
    return decision.verdict;
}

/* "crashed 4 times in 20 s (exit 1)": how often only when it is more than once. */
static void describe_streak(const struct server *server, char *out, size_t size)
{
    const struct server_private *own = server->own;
    unsigned times = server->backoff.failures;
    if (times <= 1) {
        put(out, size, "%s", own->ending);
        return;
    }
    char span[24];
    units_format_duration(span, clock_monotonic_ms() - own->streak_began_ms);
    const char *verb = verbs[server->last_exit.reason];
    const char *detail = own->ending + strlen(verb);
    if (own->streak_is_mixed)
        put(out, size, "%s; ended %u times in %s", own->ending, times, span);
    else if (detail[0] == ':')
        put(out, size, "%s%s (%u times in %s)", verb, detail, times, span);
    else
        put(out, size, "%s %u times in %s%s", verb, times, span, detail);
}

void server_report_wait(struct server *server)
{
    char what[280], delay[24];
    describe_streak(server, what, sizeof(what));
    units_format_duration(delay, server->own->retry_delay_ms);
    struct event *event = events_add(farm_events(server->farm), REASON_BACKOFF, server->id, "%s %s; next try in %s",
                                     server->name, what, delay);
    event->next_try_us = server->next_restart_at_us;
}

void server_report_give_up(struct server *server)
{
    char what[280];
    describe_streak(server, what, sizeof(what));
    events_add(farm_events(server->farm), REASON_GAVE_UP, server->id, "%s %s; given up until it is started by hand",
               server->name, what);
}
