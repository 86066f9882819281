/*
 * What a farm makes of the state that an earlier one left, on the fake runtime: adopting, starting, leaving alone, and
 * what follows when the settings are others.
 */
#include "core/memory.h"
#include "supervisor/farm/server_private.h"
#include "supervisor/farm/state.h"
#include "tests/unit/farm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct farm_fixture fixture;
static struct settings *settings;

#define EARLIER 8
static struct state_server servers[EARLIER];
static size_t server_count;
static bool stopping;
static const char *enforcement;
static struct state_group scaled;

static int begin(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    settings = fixture_settings(&fixture, 3);
    server_count = 0;
    stopping = false;
    enforcement = "none";
    scaled = (struct state_group){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

/* A server that ran in process 1000 + id. */
static struct state_server *was(int id, enum state_wanted wanted)
{
    struct state_server *server = &servers[server_count++];
    const struct group_settings *group = &settings->groups[0];
    *server = state_server_empty();
    server->id = id;
    snprintf(server->group, sizeof(server->group), "default");
    server->wanted = wanted;
    server->port = group->base_port + (int64_t)server_count - 1;
    server->fingerprint = group_settings_fingerprint(group);
    server->limits = group->limits;
    if (wanted == STATE_RUNNING || wanted == STATE_STARTING || wanted == STATE_PAUSED) {
        server->pid = 1000 + id;
        server->start_time = server->pid * 10;
        server->started_at_us = server->started_at_ms = 1;
        fake_leave(id, (pid_t)server->pid, wanted == STATE_PAUSED);
    }
    return server;
}

static void write_state(void)
{
    struct buffer text = BUFFER_EMPTY;
    char path[128];
    state_begin(&text, 77, stopping, enforcement);
    if (scaled.count > 0)
        state_add_group(&text, &scaled);
    for (size_t i = 0; i < server_count; i++)
        state_add_server(&text, &servers[i]);
    state_end(&text);
    mkdir(settings->state_dir, 0755);
    snprintf(path, sizeof(path), "%s/state", settings->state_dir);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text.data, file);
    fclose(file);
    buffer_done(&text);
}

static char *read_state(void)
{
    char path[128];
    static char text[8192];
    snprintf(path, sizeof(path), "%s/state/state", fixture.directory);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = '\0';
    return text;
}

static void on_progress(const struct farm_progress *progress, void *data)
{
    *(struct farm_progress *)data = *progress;
}

static void start(void)
{
    write_state();
    fixture_make(&fixture, settings);
    fixture.progress = (struct farm_progress){.total = 1};
    farm_start(fixture.farm, on_progress, &fixture.progress);
}

static void start_and_settle(void)
{
    start();
    run_until(&fixture, fixture.progress.settled == fixture.progress.total);
}

static const struct server *the(int id)
{
    const struct server *server = farm_server(fixture.farm, id);
    assert_non_null(server);
    return server;
}

static void test_each_goes_on_as_it_was(void **state)
{
    (void)state;
    struct state_server *running = was(1, STATE_RUNNING);
    running->restarts = 5;
    running->failures = 2;
    running->exit_known = true;
    running->exit_reason = REASON_CRASHED;
    running->exit_signal = 11;
    was(2, STATE_STARTING);
    was(3, STATE_PAUSED);
    start();
    assert_string_equal(fake_log(), "adopt 1; adopt 2; adopt 3; ");
    assert_int_equal(fixture_state(&fixture, 1), SERVER_RUNNING);
    assert_int_equal(fixture_state(&fixture, 2), SERVER_STARTING);
    assert_int_equal(fixture_state(&fixture, 3), SERVER_PAUSED);
    assert_int_equal(the(1)->restarts, 5);
    assert_int_equal(the(1)->backoff.failures, 2);
    assert_int_equal(the(1)->last_exit.signal, 11);
    assert_false(the(1)->last_exit.has_exit_code);
    assert_true(the(1)->ready);
    assert_false(the(3)->ready);
    assert_true(server_uptime_seconds(the(1)) > 1);
    assert_int_equal(fixture.progress.adopted, 3);
    assert_int_equal(farm_started_at_us(fixture.farm), 77);
    assert_int_equal(fixture_count_events(&fixture, REASON_ADOPTED, 1), 1);
    assert_int_equal(fixture_count_events(&fixture, REASON_STARTED, 1), 0);
    assert_int_equal(fixture.progress.settled + 1, fixture.progress.total); /* the paused one is not waited for */
    fake_ready(2);
    run_until(&fixture, fixture_state(&fixture, 2) == SERVER_RUNNING);
    run_until(&fixture, fixture.progress.settled == fixture.progress.total);
}

static void test_nothing_starts_before_the_sweep_is_over(void **state)
{
    (void)state;
    was(1, STATE_RUNNING);
    was(2, STATE_RESTARTING)->exit_known = true;
    fake_leave(2, 4711, false); /* nobody has written it down */
    fake_sweep_waits();
    start();
    assert_string_equal(fake_log(), "adopt 1; sweep 2; ");
    char *before = xstrdup(read_state());
    fake_exit(1, 0);
    run_until(&fixture, !fake_runs(1));
    fixture_turn(&fixture, fixture_deadline(), "a turn", __FILE__, __LINE__);
    assert_string_equal(fake_log(), "adopt 1; sweep 2; ");
    assert_string_equal(read_state(), before); /* it names what is to be ended */
    free(before);
    fake_swept();
    run_until(&fixture, fixture.progress.settled == fixture.progress.total);
    assert_int_equal(fake_starts(1), 1);
    assert_int_equal(fake_starts(2), 1);
    assert_int_equal(the(2)->restarts, 1); /* of a backoff, or half-way through */
    run_until(&fixture, strstr(read_state(), "server 2 default running") != NULL);
}

static void on_stopped(void *data)
{
    *(bool *)data = true;
}

static void test_a_stop_waits_for_the_sweep(void **state)
{
    (void)state;
    was(1, STATE_RUNNING);
    fake_sweep_waits();
    start();
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    run_until(&fixture, fake_alive() == 0);
    fixture_turn(&fixture, fixture_deadline(), "a turn", __FILE__, __LINE__);
    assert_false(fixture.stopped);
    fake_swept();
    run_until(&fixture, fixture.stopped);
    assert_int_equal(fake_starts(2), 0);
}

static void test_one_that_is_gone_ended_unknown(void **state)
{
    (void)state;
    was(1, STATE_RUNNING)->restarts = 3;
    was(2, STATE_RUNNING);
    was(3, STATE_PAUSED);
    fake_leave(1, 0, false);
    fake_leave(3, 9999, false); /* its number is another's */
    start_and_settle();
    assert_string_equal(fake_log(), "adopt 2; sweep 3; start 1; start 3; ");
    assert_int_equal(the(1)->restarts, 4);
    assert_int_equal(the(1)->last_exit.reason, REASON_EXIT_UNKNOWN);
    assert_false(the(1)->last_exit.has_exit_code || the(1)->last_exit.has_signal);
    assert_int_equal(fixture_count_events(&fixture, REASON_EXIT_UNKNOWN, 3), 1);
    assert_int_equal(fixture_state(&fixture, 3), SERVER_RUNNING);
}

static void test_the_restart_policy_is_asked(void **state)
{
    (void)state;
    settings->groups[0].restart = RESTART_NEVER;
    was(1, STATE_RUNNING);
    was(2, STATE_RUNNING);
    was(3, STATE_RESTARTING); /* it was about to be started */
    fake_leave(1, 0, false);
    start_and_settle();
    assert_int_equal(fixture_state(&fixture, 1), SERVER_STOPPED);
    assert_int_equal(fixture_state(&fixture, 3), SERVER_RUNNING);
    assert_int_equal(the(3)->restarts, 0);
}

static void test_what_was_down_stays_down(void **state)
{
    (void)state;
    struct state_server *stopped = was(1, STATE_STOPPED), *failed = was(2, STATE_FAILED);
    snprintf(stopped->error, sizeof(stopped->error), "stopped on request");
    snprintf(failed->error, sizeof(failed->error), "crashed (exit 3)");
    stopped->pid = 5; /* it was just being ended */
    stopped->start_time = 50;
    fake_leave(1, 5, false);
    was(3, STATE_RUNNING);
    start_and_settle();
    assert_string_equal(fake_log(), "adopt 3; sweep 1; ");
    assert_int_equal(fixture_state(&fixture, 1), SERVER_STOPPED);
    assert_string_equal(the(1)->error, "stopped on request");
    assert_int_equal(fixture_state(&fixture, 2), SERVER_FAILED);
    assert_string_equal(the(2)->error, "crashed (exit 3)");
    struct outcome outcome = {0};
    server_act(farm_server(fixture.farm, 2), SERVER_ACTION_START, fixture_on_server, &outcome);
    run_until(&fixture, outcome.calls == 1);
    assert_int_equal(outcome.code, 0);
}

static void test_a_farm_that_was_being_stopped_begins_anew(void **state)
{
    (void)state;
    was(1, STATE_RUNNING)->restarts = 5;
    was(2, STATE_STOPPED);
    stopping = true;
    start_and_settle();
    assert_string_equal(fake_log(), "sweep 1; start 1; start 2; start 3; ");
    assert_int_equal(the(1)->restarts, 0);
    assert_true(farm_started_at_us(fixture.farm) > 77);
}

static void test_other_means_of_enforcement(void **state)
{
    (void)state;
    was(1, STATE_RUNNING);
    was(2, STATE_RUNNING);
    was(3, STATE_RUNNING);
    enforcement = "cgroup2";
    start_and_settle();
    assert_string_equal(fake_log(), "sweep 1; sweep 2; sweep 3; start 1; start 2; start 3; ");
    assert_int_equal(the(1)->restarts, 1);
}

static void test_fewer_more_and_ids_with_gaps(void **state)
{
    (void)state;
    struct group_settings *other = fixture_add_group(settings, "other", 2, 9001);
    was(1, STATE_RUNNING);
    was(2, STATE_RUNNING);
    struct state_server *of_other = was(3, STATE_RUNNING);
    snprintf(of_other->group, sizeof(of_other->group), "other");
    of_other->port = 9001;
    of_other->fingerprint = group_settings_fingerprint(other);
    struct state_server *late = was(7, STATE_RUNNING); /* the group was scaled later */
    late->port = 8003;
    settings->groups[0].count = 2; /* and is smaller now */
    start_and_settle();
    run_until(&fixture, fixture_count_events(&fixture, REASON_RELOADED, 0) == 1);
    assert_string_equal(fake_log(), "adopt 1; adopt 2; adopt 7; adopt 3; term 7; start 4; ");
    assert_int_equal(farm_server_count(fixture.farm), 4);
    assert_int_equal(the(4)->port, 9002);
    assert_string_equal(the(4)->group->name, "other");
    assert_int_equal(fixture.progress.ready, 4);
    assert_int_equal(fixture_count_events(&fixture, REASON_FARM_READY, 0), 1);
}

static void test_a_group_that_is_no_more(void **state)
{
    (void)state;
    snprintf(was(1, STATE_RUNNING)->group, STATE_NAME_MAX, "gone");
    was(2, STATE_RUNNING)->port = 8001;
    start_and_settle();
    assert_int_equal(fake_starts(2), 0);
    assert_null(farm_server(fixture.farm, 1));
    assert_int_equal(farm_server_count(fixture.farm), 3);
    assert_string_equal(fake_log(), "adopt 2; sweep 1; start 3; start 4; ");
}

static void test_other_settings_restart(void **state)
{
    (void)state;
    was(1, STATE_RUNNING)->fingerprint++;
    was(2, STATE_STOPPED)->fingerprint++;
    was(3, STATE_RUNNING);
    start_and_settle();
    assert_string_equal(fake_log(), "adopt 1; adopt 3; term 1; start 1; ");
    assert_int_equal(the(1)->restarts, 1);
    assert_int_equal(fixture_state(&fixture, 2), SERVER_STOPPED);
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_RELOADED, 0)->message, "1 restarted"));
}

/* Each one's new port is held by the next one until that is gone. A farmd that is killed meanwhile has not stopped them. */
static void test_other_ports_move(void **state)
{
    (void)state;
    for (int id = 1; id <= 3; id++) {
        was(id, STATE_RUNNING);
        fake_of(id)->ignores_sigterm = true;
    }
    settings->groups[0].base_port++;
    start();
    run_until(&fixture, strstr(read_state(), "server 1 default restarting") != NULL);
    assert_null(strstr(read_state(), " stopped "));
    for (int id = 1; id <= 3; id++) {
        assert_int_equal(fake_starts(id), 0);
        fake_exit(id, 0);
        fake_of(id)->ignores_sigterm = false;
    }
    run_until(&fixture, fixture.progress.settled == fixture.progress.total);
    assert_string_equal(fake_log(), "adopt 1; adopt 2; adopt 3; term 1; term 2; term 3; start 1; start 2; start 3; ");
    assert_string_equal(fake_environment(3, "PORT"), "8004");
    assert_int_equal(fixture.progress.ready, 3);
}

static void test_other_limits(void **state)
{
    (void)state;
    was(1, STATE_RUNNING)->limits.memory = 300 << 20;
    struct state_server *own = was(2, STATE_RUNNING);
    own->limits.memory = 400 << 20;
    own->limits_by_hand = 1;
    was(3, STATE_RUNNING);
    start_and_settle();
    assert_string_equal(fake_log(), "adopt 1; limits 1; adopt 2; adopt 3; ");
    assert_int_equal(the(1)->limits.memory, 256 << 20);
    assert_int_equal(the(2)->limits.memory, 400 << 20);
    assert_true(the(2)->limits_overridden);
    assert_int_equal(fake_limits(2)->memory, 400 << 20);
}

static void test_a_scaled_group(void **state)
{
    (void)state;
    for (int id = 1; id <= 5; id++)
        was(id, STATE_RUNNING);
    scaled = (struct state_group){.name = "default", .count = 5, .scaled_from = 3};
    start_and_settle();
    assert_int_equal(farm_server_count(fixture.farm), 5);
    assert_int_equal(fake_alive(), 5);
    run_until(&fixture, strstr(read_state(), "group default count=5 set=3\n") != NULL);
}

static void test_a_scaled_group_whose_count_is_set_anew(void **state)
{
    (void)state;
    for (int id = 1; id <= 5; id++)
        was(id, STATE_RUNNING);
    scaled = (struct state_group){.name = "default", .count = 5, .scaled_from = 4};
    start_and_settle();
    run_until(&fixture, farm_server_count(fixture.farm) == 3);
    assert_int_equal(fake_alive(), 3);
}

static void test_without_a_state_all_is_new(void **state)
{
    (void)state;
    fake_leave(2, 4711, false);
    fixture_make(&fixture, settings);
    farm_start(fixture.farm, on_progress, &fixture.progress);
    assert_string_equal(fake_log(), "sweep 2; ");
    fixture.progress.total = 3;
    run_until(&fixture, fixture.progress.settled == 3);
    assert_int_equal(fixture.progress.adopted, 0);
    assert_int_equal(fixture_count_events(&fixture, REASON_ADOPTED, 0), 0);
}

static void test_a_broken_state(void **state)
{
    (void)state;
    was(1, STATE_RUNNING);
    was(1, STATE_RUNNING); /* twice */
    start_and_settle();
    assert_string_equal(fake_log(), "sweep 1; start 1; start 2; start 3; ");
    assert_int_equal(fixture_count_events(&fixture, REASON_STATE_SET_ASIDE, 0), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_each_goes_on_as_it_was),
        TEST(test_nothing_starts_before_the_sweep_is_over),
        TEST(test_a_stop_waits_for_the_sweep),
        TEST(test_one_that_is_gone_ended_unknown),
        TEST(test_the_restart_policy_is_asked),
        TEST(test_what_was_down_stays_down),
        TEST(test_a_farm_that_was_being_stopped_begins_anew),
        TEST(test_other_means_of_enforcement),
        TEST(test_fewer_more_and_ids_with_gaps),
        TEST(test_a_group_that_is_no_more),
        TEST(test_other_settings_restart),
        TEST(test_other_ports_move),
        TEST(test_other_limits),
        TEST(test_a_scaled_group),
        TEST(test_a_scaled_group_whose_count_is_set_anew),
        TEST(test_without_a_state_all_is_new),
        TEST(test_a_broken_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
