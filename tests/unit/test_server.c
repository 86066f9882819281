/*
 * One server on the fake runtime: what is asked of it, what happens to it, what it tells.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/server_private.h"
#include "tests/unit/farm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static struct farm_fixture fixture;
static struct settings *settings; /* of the next farm; one server */
static struct group_settings *group;

static int begin(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    settings = fixture_settings(&fixture, 1);
    group = &settings->groups[0];
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static struct server *make(void)
{
    fixture_make(&fixture, settings);
    return farm_server(fixture.farm, 1);
}

static struct server *make_running(void)
{
    fixture_make(&fixture, settings);
    fixture_start(&fixture);
    fake_log_clear();
    return farm_server(fixture.farm, 1);
}

static struct outcome act(enum server_action action)
{
    struct outcome outcome = {0};
    server_act(farm_server(fixture.farm, 1), action, fixture_on_server, &outcome);
    run_until(&fixture, outcome.calls > 0);
    assert_int_equal(outcome.calls, 1);
    return outcome;
}

#define assert_state(state) assert_int_equal(fixture_state(&fixture, 1), state)

static void test_start_and_stop(void **state)
{
    (void)state;
    struct server *server = make();
    assert_state(SERVER_STOPPED);
    assert_int_equal(act(SERVER_ACTION_START).code, 0);
    assert_state(SERVER_RUNNING);
    assert_true(server_is_live(server));
    assert_string_equal(server->error, "");
    assert_true(server->started_at_us > 0);
    assert_int_equal(server->restarts, 0);
    assert_int_equal(act(SERVER_ACTION_START).code, 0); /* it already does */
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_state(SERVER_STOPPED);
    assert_string_equal(server->error, "stopped on request");
    assert_int_equal(server->started_at_us, 0);
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_string_equal(fake_log(), "start 1; term 1; ");
    assert_int_equal(server->last_exit.reason, REASON_STOPPED);

    assert_int_equal(act(SERVER_ACTION_START).code, 0);
    assert_int_equal(server->restarts, 0); /* by hand, from stopped */
    assert_int_equal(fixture_last_event(&fixture, REASON_READY, 1)->duration_ms, -1);
}

static void test_two_restarts_at_once_are_one(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct outcome first = {0}, second = {0}, third = {0};
    server_act(server, SERVER_ACTION_RESTART, fixture_on_server, &first);
    server_act(server, SERVER_ACTION_RESTART, fixture_on_server, &second);
    assert_int_equal(first.calls + second.calls, 0);
    fake_of(1)->stays_unready = true;
    run_until(&fixture, server->lifecycle.state == SERVER_STARTING);
    server_act(server, SERVER_ACTION_RESTART, fixture_on_server, &third);
    fake_ready(1);
    run_until(&fixture, third.calls);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 1);
    assert_int_equal(first.code + second.code + third.code, 0);
    assert_string_equal(fake_log(), "term 1; start 1; ");
    assert_int_equal(server->restarts, 1);
    assert_true(fixture_last_event(&fixture, REASON_READY, 1)->duration_ms >= 0);
}

static void test_restart_during_a_stop_is_not_lost(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct outcome stop = {0}, restart = {0};
    server_act(server, SERVER_ACTION_STOP, fixture_on_server, &stop);
    server_act(server, SERVER_ACTION_RESTART, fixture_on_server, &restart);
    assert_int_equal(stop.calls, 1);
    assert_int_equal(stop.code, ECANCELED);
    run_until(&fixture, restart.calls);
    assert_int_equal(restart.code, 0);
    assert_state(SERVER_RUNNING);
    assert_string_equal(fake_log(), "term 1; start 1; ");
}

static void test_stop_during_a_restart_wins(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct outcome restart = {0};
    server_act(server, SERVER_ACTION_RESTART, fixture_on_server, &restart);
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_int_equal(restart.code, ECANCELED);
    assert_state(SERVER_STOPPED);
    assert_int_equal(fake_starts(1), 1);
}

static void test_stop_during_a_start(void **state)
{
    (void)state;
    fake_of(1)->stays_unready = true;
    struct server *server = make();
    struct outcome start = {0};
    server_act(server, SERVER_ACTION_START, fixture_on_server, &start);
    assert_state(SERVER_STARTING);
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_int_equal(start.code, ECANCELED);
    assert_state(SERVER_STOPPED);
}

static void test_a_crash_restarts_at_once(void **state)
{
    (void)state;
    struct server *server = make_running();
    fake_exit(1, 3);
    run_until(&fixture, server->restarts == 1 && server_is_live(server));
    assert_int_equal(server->last_exit.reason, REASON_CRASHED);
    assert_true(server->last_exit.has_exit_code);
    assert_int_equal(server->last_exit.exit_code, 3);
    assert_false(server->last_exit.has_signal);
    const struct event *ready = fixture_last_event(&fixture, REASON_READY, 1);
    assert_in_range(ready->duration_ms, 0, 1000);
    assert_non_null(strstr(ready->message, "back in"));
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_CRASHED, 1)->message, "(exit 3)"));
}

static void test_an_oom_kill_is_told_from_a_crash(void **state)
{
    (void)state;
    struct server *server = make_running();
    fake_signal_exit(1, SIGKILL, true);
    run_until(&fixture, server->restarts == 1);
    assert_int_equal(server->last_exit.reason, REASON_OOM_KILLED);
    assert_true(server->last_exit.oom_killed);
    assert_int_equal(server->last_exit.signal, SIGKILL);
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_OOM_KILLED, 1)->message, "limit of 256 MB"));
    assert_int_equal(server->stats.oom_kills, 1);
}

static void crash_into_backoff(struct server *server)
{
    fake_of(1)->exits_at_start = true;
    fake_of(1)->exit_code = 1;
    fake_exit(1, 1);
    run_until(&fixture, server->lifecycle.state == SERVER_BACKOFF);
}

static void test_backoff_and_a_start_by_hand(void **state)
{
    (void)state;
    struct server *server = make_running();
    crash_into_backoff(server);
    assert_int_equal(fake_starts(1), 2); /* the first one at once */
    assert_true(server->next_restart_at_us > clock_realtime_us() + 500000);
    const struct event *event = fixture_last_event(&fixture, REASON_BACKOFF, 1);
    assert_int_equal(event->next_try_us, server->next_restart_at_us);
    assert_non_null(strstr(event->message, "server-1 crashed 2 times in "));
    assert_non_null(strstr(event->message, "(exit 1); next try in 1"));
    assert_string_equal(server->error, "crashed (exit 1)");

    *fake_of(1) = (struct fake_behaviour){0};
    assert_int_equal(act(SERVER_ACTION_START).code, 0); /* long before the second is over */
    assert_int_equal(server->backoff.failures, 0);
    assert_int_equal(server->next_restart_at_us, 0);
    assert_int_equal(server->restarts, 2);
}

/* "was OOM-killed 2 times" would not be true of one that had been OOM-killed once. */
static void test_a_row_of_different_endings(void **state)
{
    (void)state;
    struct server *server = make_running();
    fake_of(1)->exits_at_start = true;
    fake_of(1)->exit_code = 1;
    fake_exit(1, 0);
    run_until(&fixture, server->lifecycle.state == SERVER_BACKOFF);
    const struct event *event = fixture_last_event(&fixture, REASON_BACKOFF, 1);
    assert_non_null(strstr(event->message, "server-1 crashed (exit 1); ended 2 times in "));
}

static void test_stop_in_backoff(void **state)
{
    (void)state;
    struct server *server = make_running();
    crash_into_backoff(server);
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_state(SERVER_STOPPED);
    assert_int_equal(server->next_restart_at_us, 0);
    assert_string_equal(server->error, "stopped on request");
}

static void test_backoff_elapses(void **state)
{
    (void)state;
    group->restart_profile = RESTART_PROFILE_DOCKER; /* 100 ms */
    struct server *server = make_running();
    fake_exit(1, 1);
    run_until(&fixture, server->lifecycle.state == SERVER_BACKOFF);
    run_until(&fixture, server_is_live(server));
    assert_int_equal(fake_starts(1), 2);
}

static void test_given_up(void **state)
{
    (void)state;
    group->restart_profile = RESTART_PROFILE_SYSTEMD;
    struct server *server = make_running();
    fake_of(1)->exits_at_start = true;
    fake_of(1)->exit_code = 7;
    fake_exit(1, 7);
    run_until(&fixture, server->lifecycle.state == SERVER_FAILED);
    assert_int_equal(fake_starts(1), 5);
    assert_int_equal(fixture_count_events(&fixture, REASON_GAVE_UP, 1), 1);

    struct outcome outcome = act(SERVER_ACTION_START); /* anew: fails, and waits for the next try */
    assert_int_equal(outcome.code, EIO);
    assert_string_equal(outcome.message, "server-1 crashed (exit 7)");
    assert_state(SERVER_BACKOFF);
}

static void test_policy_on_failure(void **state)
{
    (void)state;
    group->restart = RESTART_ON_FAILURE;
    struct server *server = make_running();
    fake_exit(1, 1);
    run_until(&fixture, server->restarts == 1 && server_is_live(server));
    fake_exit(1, 0);
    run_until(&fixture, server->lifecycle.state == SERVER_STOPPED);
    assert_int_equal(server->last_exit.reason, REASON_COMPLETED);
    assert_string_equal(server->error, "ended by itself (exit 0)");
}

static void test_policy_never(void **state)
{
    (void)state;
    group->restart = RESTART_NEVER;
    fake_of(1)->exits_at_start = true;
    fake_of(1)->exit_code = 4;
    make();
    struct outcome outcome = act(SERVER_ACTION_START);
    assert_int_equal(outcome.code, EIO);
    assert_state(SERVER_STOPPED);
    assert_int_equal(fake_starts(1), 1);
}

static void test_kill_asks_the_policy(void **state)
{
    (void)state;
    struct server *server = make_running();
    assert_int_equal(act(SERVER_ACTION_KILL).code, 0);
    run_until(&fixture, server_is_live(server));
    assert_string_equal(fake_log(), "kill 1; start 1; ");
    assert_int_equal(server->last_exit.reason, REASON_KILLED);
    assert_int_equal(server->last_exit.signal, SIGKILL);
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_int_equal(act(SERVER_ACTION_KILL).code, 0); /* nothing there: fine */
    assert_state(SERVER_STOPPED);
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    struct server *server = make_running();
    assert_int_equal(act(SERVER_ACTION_RESUME).code, 0);
    assert_int_equal(act(SERVER_ACTION_PAUSE).code, 0);
    assert_int_equal(act(SERVER_ACTION_PAUSE).code, 0);
    assert_state(SERVER_PAUSED);
    assert_false(server_is_live(server));
    assert_string_equal(server->error, "paused on request");
    assert_int_equal(act(SERVER_ACTION_START).code, 0);
    assert_state(SERVER_RUNNING);
    assert_string_equal(fake_log(), "pause 1; resume 1; ");

    assert_int_equal(act(SERVER_ACTION_PAUSE).code, 0);
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    struct outcome outcome = act(SERVER_ACTION_PAUSE);
    assert_int_equal(outcome.code, EBUSY);
    assert_string_equal(outcome.message, "server-1 is stopped: pause needs a server that is running");
    assert_int_equal(act(SERVER_ACTION_RESUME).code, EBUSY);
}

static void test_a_pause_that_fails_changes_nothing(void **state)
{
    (void)state;
    fake_of(1)->pause_fails = true;
    make_running();
    struct outcome outcome = act(SERVER_ACTION_PAUSE);
    assert_int_equal(outcome.code, ENOTSUP);
    assert_state(SERVER_RUNNING);
    assert_int_equal(fixture_count_events(&fixture, REASON_PAUSED, 1), 0);
}

static void test_start_timeout(void **state)
{
    (void)state;
    group->start_timeout_ms = 30;
    fake_of(1)->stays_unready = true;
    struct server *server = make();
    struct outcome outcome = {0};
    server_act(server, SERVER_ACTION_START, fixture_on_server, &outcome);
    run_until(&fixture, outcome.calls);
    assert_int_equal(outcome.code, ETIMEDOUT);
    assert_int_equal(fake_starts(1), 2); /* the profile's first retry is at once */
    assert_state(SERVER_BACKOFF);
    assert_int_equal(server->last_exit.reason, REASON_START_TIMEOUT);
    assert_int_equal(fixture_count_events(&fixture, REASON_START_TIMEOUT, 1), 2);
}

static void test_a_stop_that_is_ignored_is_forced(void **state)
{
    (void)state;
    group->stop_grace_ms = 30;
    fake_of(1)->ignores_sigterm = true;
    struct server *server = make_running();
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_string_equal(fake_log(), "term 1; kill 1; ");
    assert_int_equal(fixture_count_events(&fixture, REASON_STOP_FORCED, 1), 1);
    assert_int_equal(server->last_exit.reason, REASON_STOPPED);
}

/* Whoever kills it during its grace period need not be told that the period is over. */
static void test_a_kill_during_a_stop_is_no_forced_stop(void **state)
{
    (void)state;
    fake_of(1)->ignores_sigterm = true;
    fake_of(1)->kills_survived = 1;
    make_running();
    struct outcome stop = {0};
    server_act(farm_server(fixture.farm, 1), SERVER_ACTION_STOP, fixture_on_server, &stop);
    assert_int_equal(act(SERVER_ACTION_KILL).code, 0);
    assert_int_equal(stop.calls, 1);
    assert_string_equal(fake_log(), "term 1; kill 1; kill 1; ");
    assert_int_equal(fixture_count_events(&fixture, REASON_STOP_FORCED, 1), 0);
}

static void test_liveness_kills_at_once(void **state)
{
    (void)state;
    struct server *server = make_running();
    server_event(server, EVENT_LIVENESS_FAILED);
    run_until(&fixture, server_is_live(server));
    assert_string_equal(fake_log(), "kill 1; start 1; ");
    assert_int_equal(server->last_exit.reason, REASON_LIVENESS_FAILED);
}

static void test_port_taken(void **state)
{
    (void)state;
    fake_of(1)->start_code = EADDRINUSE;
    fake_of(1)->start_failures = 1;
    struct server *server = make();
    struct outcome outcome = act(SERVER_ACTION_START);
    assert_int_equal(outcome.code, EADDRINUSE);
    assert_string_equal(outcome.message, "server-1 cannot start: port 8001 is taken by nginx (pid 812)");
    assert_state(SERVER_BACKOFF); /* not at once, whatever the profile says of a first failure */
    assert_string_equal(fixture_last_event(&fixture, REASON_PORT_TAKEN, 1)->message,
                        "server-1 cannot start: port 8001 is taken by nginx (pid 812)");
    assert_string_equal(fixture_last_event(&fixture, REASON_BACKOFF, 1)->message,
                        "server-1 cannot start: port 8001 is taken by nginx (pid 812); next try in 1 s");
    assert_string_equal(server->error, "cannot start: port 8001 is taken by nginx (pid 812)");
    run_until(&fixture, server_is_live(server));
    assert_int_equal(server->restarts, 0); /* it had never run */
}

/* Who holds the port is known a moment later; whatever is asked meanwhile comes true. */
static void test_port_taken_by_somebody_to_be_found(void **state)
{
    (void)state;
    fake_of(1)->start_code = EADDRINUSE;
    fake_hold_back_holder();
    struct server *server = make();
    struct outcome start = {0}, stop = {0};
    server_act(server, SERVER_ACTION_START, fixture_on_server, &start);
    run_until(&fixture, strcmp(fake_log(), "refuse 1; ") == 0);
    assert_state(SERVER_STARTING);
    assert_int_equal(start.calls, 0);
    assert_true(fake_tell_holder());
    assert_string_equal(start.message, "server-1 cannot start: port 8001 is taken by nginx (pid 812)");
    assert_state(SERVER_BACKOFF);

    run_until(&fixture, strcmp(fake_log(), "refuse 1; refuse 1; ") == 0);
    server_act(server, SERVER_ACTION_STOP, fixture_on_server, &stop);
    assert_state(SERVER_STOPPING);
    assert_true(fake_tell_holder());
    assert_int_equal(stop.calls, 1);
    assert_int_equal(stop.code, 0);
    assert_state(SERVER_STOPPED);
}

static void test_port_taken_as_the_worker_sees_it(void **state)
{
    (void)state;
    *fake_of(1) =
        (struct fake_behaviour){.exits_at_start = true, .exit_code = 1, .exit_detail = "error EADDRINUSE bind 8001"};
    struct server *server = make();
    struct outcome outcome = act(SERVER_ACTION_START);
    assert_int_equal(outcome.code, EADDRINUSE);
    assert_non_null(strstr(outcome.message, "port 8001 is taken by nginx (pid 812)"));
    assert_int_equal(server->last_exit.reason, REASON_PORT_TAKEN);
    assert_state(SERVER_BACKOFF);
}

static void test_what_cannot_be_started(void **state)
{
    (void)state;
    fake_of(1)->start_code = EMFILE;
    struct server *server = make();
    assert_int_equal(act(SERVER_ACTION_START).code, EMFILE);
    assert_state(SERVER_BACKOFF);
    assert_int_equal(server->last_exit.reason, REASON_START_FAILED);
    assert_false(server->last_exit.has_exit_code);
}

/* A start that fails has no health: that of a run long ago must not make its failures be forgotten again and again. */
static void test_a_start_that_fails_after_long_health(void **state)
{
    (void)state;
    struct server *server = make_running();
    server->running_since_ms -= 3600000;
    server->own->healthy_since_ms -= 3600000;
    server->own->started_at_ms -= 3600000;
    fake_of(1)->start_code = EACCES;
    fake_exit(1, 1);
    run_until(&fixture, server->lifecycle.state == SERVER_BACKOFF);
    assert_string_equal(fake_log(), "refuse 1; ");
    server_act(server, SERVER_ACTION_STOP, NULL, NULL);
    fake_log_clear();
    assert_int_equal(act(SERVER_ACTION_START).code, EACCES);
    assert_state(SERVER_BACKOFF);
    assert_string_equal(fake_log(), "refuse 1; refuse 1; "); /* the profile's first retry is at once */
}

static void test_a_failed_start_is_not_repeated_in_the_same_turn(void **state)
{
    (void)state;
    fake_of(1)->start_code = EACCES;
    struct server *server = make();
    server_act(server, SERVER_ACTION_START, NULL, NULL);
    for (size_t before = 0; server->lifecycle.state != SERVER_BACKOFF; before = strlen(fake_log())) {
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
        assert_true(strlen(fake_log()) - before <= strlen("refuse 1; "));
    }
}

static void test_a_stop_before_its_turn(void **state)
{
    (void)state;
    struct server *server = make();
    struct outcome start = {0};
    server_act(server, SERVER_ACTION_START, fixture_on_server, &start);
    assert_state(SERVER_STARTING);
    assert_int_equal(act(SERVER_ACTION_KILL).code, 0); /* there is nothing to kill */
    assert_int_equal(act(SERVER_ACTION_STOP).code, 0);
    assert_int_equal(start.calls, 1);
    assert_int_equal(start.code, ECANCELED);
    assert_state(SERVER_STOPPED);
    assert_int_equal(act(SERVER_ACTION_START).code, 0);
    assert_int_equal(fake_starts(1), 1);
}

static void test_a_bound_on_those_who_wait(void **state)
{
    (void)state;
    fake_of(1)->stays_unready = true;
    struct server *server = make();
    struct outcome waiting = {0}, refused = {0};
    for (int i = 0; i < 1000; i++)
        server_act(server, SERVER_ACTION_START, fixture_on_server, &waiting);
    assert_int_equal(waiting.calls, 0);
    server_act(server, SERVER_ACTION_START, fixture_on_server, &refused);
    assert_int_equal(refused.code, EAGAIN);
    assert_string_equal(refused.message, "server-1: 1000 requests wait for it already; try again later");
    run_until(&fixture, fake_runs(1));
    fake_ready(1);
    run_until(&fixture, waiting.calls == 1000);
    assert_int_equal(waiting.code, 0);
    assert_int_equal(act(SERVER_ACTION_START).code, 0);
}

static void test_environment(void **state)
{
    (void)state;
    group->environment = xcalloc(2, sizeof(struct key_value));
    group->environment_count = 2;
    group->environment[0] = (struct key_value){.key = xstrdup("GREETING"), .value = xstrdup("hello")};
    group->environment[1] = (struct key_value){.key = xstrdup("PORT"), .value = xstrdup("1")};
    setenv("FARMD_TOKEN", "secret", 1);
    make_running();
    unsetenv("FARMD_TOKEN");
    assert_string_equal(fake_environment(1, "PORT"), "8001");
    assert_string_equal(fake_environment(1, "SERVER_PORT"), "8001");
    assert_string_equal(fake_environment(1, "SERVER_ID"), "1");
    assert_string_equal(fake_environment(1, "SERVER_COUNT"), "1");
    assert_string_equal(fake_environment(1, "SERVER_BASE_PORT"), "8001");
    assert_string_equal(fake_environment(1, "GREETING"), "hello");
    assert_non_null(fake_environment(1, "PATH"));
    assert_non_null(fake_environment(1, "HOME"));
    assert_null(fake_environment(1, "FARMD_TOKEN"));
    assert_null(fake_environment(1, "ACCESS_LOG"));
}

static void test_limits_live(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct limits limits = server->limits;
    limits.memory *= 2;
    struct error err;
    assert_int_equal(server_set_limits(server, &limits, &err), 0);
    assert_true(server->limits_overridden);
    assert_int_equal(fake_limits(1)->memory, 512 << 20);
    assert_int_equal(fixture_count_events(&fixture, REASON_LIMITS_CHANGED, 1), 1);
    act(SERVER_ACTION_RESTART);
    assert_int_equal(fake_limits(1)->memory, 512 << 20); /* stays for the next run */
}

/* Late events of a run that is over must not touch the next. */
static void test_late_events(void **state)
{
    (void)state;
    struct server *server = make_running();
    static const enum lifecycle_event late[] = {EVENT_READY, EVENT_START_TIMEOUT, EVENT_BACKOFF_ELAPSED,
                                                EVENT_STOP_TIMEOUT};
    for (size_t i = 0; i < ARRAY_SIZE(late); i++)
        server_event(server, late[i]);
    assert_state(SERVER_RUNNING);
    assert_string_equal(fake_log(), "");
    assert_int_equal(fixture_count_events(&fixture, REASON_READY, 1), 1);
}

static void restart_again(struct server *server, const struct error *err, void *outcome)
{
    fixture_on_server(server, err, outcome);
    if (((struct outcome *)outcome)->calls < 3)
        server_act(server, SERVER_ACTION_RESTART, restart_again, outcome);
}

static void test_acting_from_within_an_outcome(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct outcome outcome = {0};
    server_act(server, SERVER_ACTION_START, restart_again, &outcome);
    run_until(&fixture, outcome.calls == 3);
    assert_int_equal(outcome.code, 0);
    assert_int_equal(fake_starts(1), 3);
}

static void stop_and_look(struct server *server, const struct error *err, void *outcome)
{
    assert_null(err);
    server_act(server, SERVER_ACTION_STOP, fixture_on_server, outcome);
    assert_int_equal(server->lifecycle.state, SERVER_RUNNING); /* what is being told stays true meanwhile */
}

static void test_events_are_not_handled_one_inside_another(void **state)
{
    (void)state;
    struct server *server = make_running();
    struct outcome outcome = {0};
    server_act(server, SERVER_ACTION_START, stop_and_look, &outcome);
    run_until(&fixture, outcome.calls);
    assert_state(SERVER_STOPPED);
}

static void test_names(void **state)
{
    (void)state;
    make();
    enum server_action action;
    for (int i = 0; i < SERVER_ACTION_COUNT; i++) {
        assert_int_equal(server_action_parse(server_action_name(i), &action), 0);
        assert_int_equal(action, i);
    }
    assert_int_equal(server_action_parse("explode", &action), -EINVAL);
    assert_string_equal(server_health_name(HEALTH_DEGRADED), "degraded");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_start_and_stop),
        TEST(test_two_restarts_at_once_are_one),
        TEST(test_restart_during_a_stop_is_not_lost),
        TEST(test_stop_during_a_restart_wins),
        TEST(test_stop_during_a_start),
        TEST(test_a_crash_restarts_at_once),
        TEST(test_an_oom_kill_is_told_from_a_crash),
        TEST(test_backoff_and_a_start_by_hand),
        TEST(test_a_row_of_different_endings),
        TEST(test_stop_in_backoff),
        TEST(test_backoff_elapses),
        TEST(test_given_up),
        TEST(test_policy_on_failure),
        TEST(test_policy_never),
        TEST(test_kill_asks_the_policy),
        TEST(test_pause_and_resume),
        TEST(test_a_pause_that_fails_changes_nothing),
        TEST(test_start_timeout),
        TEST(test_a_stop_that_is_ignored_is_forced),
        TEST(test_a_kill_during_a_stop_is_no_forced_stop),
        TEST(test_liveness_kills_at_once),
        TEST(test_port_taken),
        TEST(test_port_taken_by_somebody_to_be_found),
        TEST(test_port_taken_as_the_worker_sees_it),
        TEST(test_what_cannot_be_started),
        TEST(test_a_start_that_fails_after_long_health),
        TEST(test_a_failed_start_is_not_repeated_in_the_same_turn),
        TEST(test_a_stop_before_its_turn),
        TEST(test_a_bound_on_those_who_wait),
        TEST(test_environment),
        TEST(test_limits_live),
        TEST(test_late_events),
        TEST(test_acting_from_within_an_outcome),
        TEST(test_events_are_not_handled_one_inside_another),
        TEST(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
