/*
 * The farm on the fake runtime: starting and stopping all, actions on many, scale, reload, rolling restart, and what is
 * left behind.
 */
#include "core/memory.h"
#include "supervisor/farm/lock.h"
#include "tests/unit/farm_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct farm_fixture fixture;
static struct error err;

static int begin(void **state)
{
    (void)state;
    fixture_begin(&fixture);
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end(&fixture);
    return 0;
}

static void make_running(unsigned servers)
{
    fixture_make(&fixture, fixture_settings(&fixture, servers));
    fixture_start(&fixture);
    fake_log_clear();
}

static unsigned in_state(enum server_state state)
{
    struct farm_totals totals;
    farm_totals(fixture.farm, &totals);
    return totals.by_state[state];
}

static bool exists(const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture.directory, name);
    return access(path, F_OK) == 0;
}

static void on_stopped(void *data)
{
    *(bool *)data = true;
}

static void test_fifty_start_and_stop(void **state)
{
    (void)state;
    make_running(50);
    assert_int_equal(in_state(SERVER_RUNNING), 50);
    assert_int_equal(fixture.progress.ready, 50);
    assert_int_equal(fixture_count_events(&fixture, REASON_FARM_READY, 0), 1);
    struct farm_totals totals;
    farm_totals(fixture.farm, &totals);
    assert_true(totals.cpu_limit == 25.0);
    assert_int_equal(totals.memory_limit, (uint64_t)50 * 256 << 20);
    fake_limits(50)->cpu = 0; /* not in force */
    farm_totals(fixture.farm, &totals);
    assert_true(totals.cpu_limit == 24.5);
    assert_int_equal(farm_server(fixture.farm, 50)->port, 8050);
    assert_string_equal(farm_server(fixture.farm, 50)->url, "http://localhost:8050");
    assert_null(farm_server(fixture.farm, 0));
    assert_null(farm_server(fixture.farm, 51));
    assert_null(farm_server(fixture.farm, -1));
    assert_true(exists("state/lock"));
    run_until(&fixture, exists("state/state"));
}

static void test_nothing_is_left_behind(void **state)
{
    (void)state;
    make_running(3);
    run_until(&fixture, exists("state/state"));
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    run_until(&fixture, fixture.stopped);
    assert_int_equal(fake_alive(), 0);
    farm_free(fixture.farm);
    fixture.farm = NULL;
    uv_run(&fixture.loop, UV_RUN_DEFAULT);
    assert_false(exists("state/lock"));
    assert_false(exists("state/state"));
    assert_false(exists("state/state.new"));
    assert_false(exists("run"));
    assert_true(exists("state/logs")); /* logs stay */
}

static void test_a_thousand(void **state)
{
    (void)state;
    make_running(1000);
    assert_int_equal(in_state(SERVER_RUNNING), 1000);
    assert_int_equal(farm_server(fixture.farm, 1000)->port, 9000);
}

/* Many that end at once are started again a few in each turn of the loop, which has requests to answer too. */
static void test_restarts_leave_time_for_others(void **state)
{
    (void)state;
    enum { SERVERS = 60, MOST = 8 };
    make_running(SERVERS);
    for (int id = 1; id <= SERVERS; id++)
        fake_exit(id, 1);
    run_until(&fixture, fake_alive() < SERVERS);
    unsigned before = fake_alive();
    while (fake_alive() < SERVERS) {
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
        assert_true(fake_alive() - before <= MOST);
        before = fake_alive();
    }
    run_until(&fixture, in_state(SERVER_RUNNING) == SERVERS);
}

static void test_some_do_not_start(void **state)
{
    (void)state;
    fake_of(2)->start_code = EADDRINUSE;
    fixture_make(&fixture, fixture_settings(&fixture, 4));
    farm_start(fixture.farm, NULL, NULL);
    run_until(&fixture, fixture_count_events(&fixture, REASON_FARM_READY, 0) == 1);
    assert_int_equal(in_state(SERVER_RUNNING), 3);
    assert_int_equal(fixture_state(&fixture, 2), SERVER_BACKOFF);
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_FARM_READY, 0)->message, "3 of 4"));
}

static void test_stop_while_starting(void **state)
{
    (void)state;
    for (int id = 1; id <= 40; id++)
        fake_of(id)->stays_unready = true;
    fixture_make(&fixture, fixture_settings(&fixture, 40));
    farm_start(fixture.farm, NULL, NULL);
    run_until(&fixture, fake_alive() >= 8);
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    assert_true(farm_is_stopping(fixture.farm));
    run_until(&fixture, fixture.stopped);
    assert_int_equal(in_state(SERVER_STOPPED), 40);

    struct outcome outcome = {0};
    server_act(farm_server(fixture.farm, 1), SERVER_ACTION_START, fixture_on_server, &outcome);
    assert_int_equal(outcome.code, EBUSY);
}

static void test_the_second_stop_forces(void **state)
{
    (void)state;
    make_running(3);
    for (int id = 1; id <= 3; id++)
        fake_of(id)->ignores_sigterm = true;
    bool first = false;
    farm_stop(fixture.farm, on_stopped, &first);
    uv_run(&fixture.loop, UV_RUN_NOWAIT);
    assert_int_equal(fake_alive(), 3);
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    run_until(&fixture, fixture.stopped);
    assert_false(first); /* told once, to the last who asked */
    assert_string_equal(fake_log(), "term 1; term 2; term 3; kill 1; kill 2; kill 3; ");
}

static void test_a_locked_state_directory(void **state)
{
    (void)state;
    make_running(1);
    struct settings *settings = fixture_settings(&fixture, 1);
    struct farm *second = NULL;
    assert_int_equal(farm_new(&fixture.loop, settings, &fake_runtime_ops, -1, &second, &err), -EBUSY);
    char pid[32];
    snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
    assert_non_null(strstr(err.message, pid));
    settings_free(settings); /* still ours */
}

static void test_a_lock_file_without_a_holder(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/lock", fixture.directory);
    FILE *file = fopen(path, "we");
    fputs("1\n", file); /* left by a farmd that was killed */
    fclose(file);
    int fd = lock_take(path, &err);
    assert_true(fd >= 0);
    assert_int_equal(lock_take(path, &err), -EBUSY);
    lock_release(path, fd);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_a_directory_that_cannot_be_made(void **state)
{
    (void)state;
    struct settings *settings = fixture_settings(&fixture, 1);
    free(settings->state_dir);
    settings->state_dir = xstrdup("/dev/null/farmd");
    struct farm *farm = NULL;
    assert_true(farm_new(&fixture.loop, settings, &fake_runtime_ops, -1, &farm, &err) < 0);
    assert_non_null(strstr(err.message, "/dev/null"));
    assert_non_null(strstr(err.message, "--state-dir"));
    settings_free(settings);
}

/* --- actions on many --- */

struct many {
    unsigned servers, failed, cancelled;
    struct outcome done;
};

static void on_one_of_many(struct server *server, const struct error *error, void *data)
{
    (void)server;
    struct many *many = data;
    many->servers++;
    many->failed += error && error->code != ECANCELED;
    many->cancelled += error && error->code == ECANCELED;
}

static void on_many(const struct error *error, void *data)
{
    struct many *many = data;
    fixture_on_done(error, &many->done);
}

static void test_an_action_on_many(void **state)
{
    (void)state;
    make_running(200);
    int ids[200];
    int count = farm_select(fixture.farm, "all", ids, NULL, &err);
    assert_int_equal(count, 200);
    struct many many = {0};
    farm_act_many(fixture.farm, ids, 200, SERVER_ACTION_RESTART, on_one_of_many, on_many, &many);
    assert_true(in_state(SERVER_STOPPING) <= 64);
    run_until(&fixture, many.done.calls);
    assert_int_equal(many.servers, 200);
    assert_int_equal(many.failed + many.cancelled, 0);
    for (int id = 1; id <= 200; id++)
        assert_int_equal(fake_starts(id), 2);

    struct many none = {0};
    farm_act_many(fixture.farm, ids, 0, SERVER_ACTION_STOP, on_one_of_many, on_many, &none);
    assert_int_equal(none.done.calls, 1);

    struct many refused = {0};
    farm_act_many(fixture.farm, ids, 200, SERVER_ACTION_STOP, NULL, on_many, &refused);
    run_until(&fixture, refused.done.calls);
    farm_act_many(fixture.farm, ids, 200, SERVER_ACTION_PAUSE, on_one_of_many, on_many, &refused);
    assert_int_equal(refused.failed, 200); /* all at once, not one inside another */
    assert_int_equal(refused.done.calls, 2);
}

static void test_servers_that_leave_while_acted_on(void **state)
{
    (void)state;
    make_running(100);
    int ids[100];
    farm_select(fixture.farm, "all", ids, NULL, &err);
    struct many many = {0};
    struct outcome scaled = {0};
    farm_act_many(fixture.farm, ids, 100, SERVER_ACTION_RESTART, on_one_of_many, on_many, &many);
    assert_int_equal(farm_scale(fixture.farm, NULL, 1, fixture_on_done, &scaled, &err), 0);
    run_until(&fixture, many.done.calls && scaled.calls);
    assert_int_equal(many.servers, 100);
    assert_int_equal(many.cancelled, 99);
    assert_int_equal(farm_server_count(fixture.farm), 1);
}

/* --- rolling restart --- */

static void test_rolling_restart(void **state)
{
    (void)state;
    make_running(10);
    int ids[10];
    farm_select(fixture.farm, "all", ids, NULL, &err);
    struct many many = {0};
    assert_int_equal(farm_rolling_restart(fixture.farm, ids, 10, 2, on_one_of_many, on_many, &many, &err), 0);
    assert_int_equal(farm_rolling_restart(fixture.farm, ids, 10, 2, NULL, NULL, NULL, &err), -EBUSY);
    while (!many.done.calls) {
        assert_true(in_state(SERVER_RUNNING) >= 8);
        uv_run(&fixture.loop, UV_RUN_ONCE);
    }
    assert_int_equal(many.servers, 10);
    assert_int_equal(many.done.code, 0);
    for (int id = 1; id <= 10; id++)
        assert_int_equal(fake_starts(id), 2);
    assert_int_equal(farm_rolling_restart(fixture.farm, ids, 10, 0, NULL, NULL, NULL, &err), -EINVAL);
    ids[0] = 77;
    assert_int_equal(farm_rolling_restart(fixture.farm, ids, 10, 1, NULL, NULL, NULL, &err), -ENOENT);
}

static void test_rolling_restart_stops_on_failure(void **state)
{
    (void)state;
    make_running(10);
    int ids[10];
    farm_select(fixture.farm, "all", ids, NULL, &err);
    *fake_of(4) = (struct fake_behaviour){.exits_at_start = true, .exit_code = 1};
    struct many many = {0};
    assert_int_equal(farm_rolling_restart(fixture.farm, ids, 10, 1, on_one_of_many, on_many, &many, &err), 0);
    run_until(&fixture, many.done.calls);
    assert_int_equal(many.servers, 10);
    assert_int_equal(many.failed, 1);
    assert_int_equal(many.cancelled, 6);
    assert_non_null(strstr(many.done.message, "server-4 crashed"));
    assert_int_equal(fake_starts(3), 2);
    assert_int_equal(fake_starts(5), 1);
}

static struct many left_alone;

static void on_one_left_alone(struct server *server, const struct error *error, void *data)
{
    (void)data;
    left_alone.servers++;
    if (!error)
        return;
    assert_int_equal(error->code, EALREADY);
    assert_int_equal(server->id, 2);
    assert_string_equal(error->message, "stopped on request");
    left_alone.cancelled++;
}

static void test_rolling_restart_leaves_stopped_ones_alone(void **state)
{
    (void)state;
    make_running(3);
    struct outcome stop = {0};
    server_act(farm_server(fixture.farm, 2), SERVER_ACTION_STOP, fixture_on_server, &stop);
    run_until(&fixture, stop.calls);
    int ids[] = {1, 2, 3};
    struct outcome done = {0};
    left_alone = (struct many){0};
    assert_int_equal(farm_rolling_restart(fixture.farm, ids, 3, 1, on_one_left_alone, fixture_on_done, &done, &err), 0);
    run_until(&fixture, done.calls);
    assert_int_equal(done.code, 0);
    assert_int_equal(left_alone.servers, 3);
    assert_int_equal(left_alone.cancelled, 1);
    assert_int_equal(fixture_state(&fixture, 2), SERVER_STOPPED);
    assert_int_equal(fake_starts(1), 2);
    assert_int_equal(fake_starts(2), 1);
    assert_int_equal(fake_starts(3), 2);
    assert_string_equal(fixture_last_event(&fixture, REASON_ROLLING_RESTART, 0)->message,
                        "the rolling restart of 2 servers is done; stopped ones stay stopped");
}

static void test_stopping_the_farm_ends_a_rolling_restart(void **state)
{
    (void)state;
    make_running(10);
    int ids[10];
    farm_select(fixture.farm, "all", ids, NULL, &err);
    struct many many = {0};
    assert_int_equal(farm_rolling_restart(fixture.farm, ids, 10, 3, on_one_of_many, on_many, &many, &err), 0);
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    run_until(&fixture, fixture.stopped);
    assert_int_equal(many.servers, 10);
    assert_int_equal(many.done.calls, 1);
}

/* --- scale --- */

static void scale(const char *group, unsigned count)
{
    struct outcome outcome = {0};
    assert_int_equal(farm_scale(fixture.farm, group, count, fixture_on_done, &outcome, &err), 0);
    run_until(&fixture, outcome.calls);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.code, 0);
}

static void test_scale(void **state)
{
    (void)state;
    make_running(5);
    scale(NULL, 8);
    assert_string_equal(fake_log(), "start 6; start 7; start 8; ");
    assert_int_equal(in_state(SERVER_RUNNING), 8);
    assert_int_equal(farm_server(fixture.farm, 8)->port, 8008);
    assert_int_equal(settings_total_servers(farm_settings(fixture.farm)), 8);
    fake_log_clear();
    scale(NULL, 3);
    assert_int_equal(farm_server_count(fixture.farm), 3);
    assert_null(strstr(fake_log(), "term 3"));
    assert_int_equal(fake_starts(1), 1);
    fake_log_clear();
    unsigned told = fixture_count_events(&fixture, REASON_SCALED, 0);
    scale(NULL, 3); /* nothing to do, nothing to tell */
    assert_string_equal(fake_log(), "");
    assert_int_equal(fixture_count_events(&fixture, REASON_SCALED, 0), told);
    scale(NULL, 4);
    assert_string_equal(fake_log(), "start 4; ");
}

static void test_scale_of_groups(void **state)
{
    (void)state;
    struct settings *settings = fixture_settings(&fixture, 2);
    fixture_add_group(settings, "web", 2, 9001);
    fixture_make(&fixture, settings);
    fixture_start(&fixture);
    fake_log_clear();
    scale("default", 4); /* its new ones come behind all others */
    assert_string_equal(fake_log(), "start 5; start 6; ");
    assert_int_equal(farm_server(fixture.farm, 5)->port, 8003);
    assert_string_equal(farm_server(fixture.farm, 6)->group->name, "default");
    scale(NULL, 7); /* by the last group */
    assert_int_equal(farm_server(fixture.farm, 7)->port, 9003);
    scale("default", 1);
    assert_null(farm_server(fixture.farm, 2));
    assert_null(farm_server(fixture.farm, 5));
    assert_non_null(farm_server(fixture.farm, 1));
    assert_int_equal(farm_server(fixture.farm, 7)->id, 7);
    assert_int_equal(farm_server_count(fixture.farm), 4);
}

static void expect_no_scale(const char *group, unsigned count, int code, const char *words)
{
    assert_int_equal(farm_scale(fixture.farm, group, count, fixture_on_done, NULL, &err), -code);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
}

static void test_scale_refused(void **state)
{
    (void)state;
    struct settings *settings = fixture_settings(&fixture, 2);
    settings->api.port = 8100;
    fixture_add_group(settings, "web", 2, 9001);
    fixture_make(&fixture, settings);
    fixture_start(&fixture);
    expect_no_scale(NULL, 1, EINVAL, "the other groups have 2 servers");
    expect_no_scale("nobody", 1, EINVAL, "no group \"nobody\"");
    expect_no_scale(NULL, SETTINGS_MAX_SERVERS + 1, EINVAL, "from 1 to 10000");
    expect_no_scale("web", UINT32_MAX, EINVAL, "from 1 to 10000");
    expect_no_scale("default", 100, EINVAL, "farmd's own");
    settings->api.port = 0;
    expect_no_scale("default", 1001, EINVAL, "clash with group web (9001 to 9002)");
    settings->groups[1].base_port = 65000;
    expect_no_scale("web", 1000, EINVAL, "65535");
    settings->groups[1].base_port = 9001;

    struct outcome outcome = {0};
    assert_int_equal(farm_scale(fixture.farm, NULL, 3, fixture_on_done, &outcome, &err), 0);
    run_until(&fixture, outcome.calls);
    fake_of(6)->stays_unready = true;
    fake_of(5)->stays_unready = true;
    outcome = (struct outcome){0};
    assert_int_equal(farm_scale(fixture.farm, NULL, 6, fixture_on_done, &outcome, &err), 0);
    expect_no_scale(NULL, 7, EBUSY, "under way");
    run_until(&fixture, fake_alive() == 6);
    fake_ready(5);
    fake_ready(6);
    run_until(&fixture, outcome.calls);
}

static void test_scale_tells_what_does_not_start(void **state)
{
    (void)state;
    make_running(2);
    fake_of(3)->start_code = EADDRINUSE;
    struct outcome outcome = {0};
    assert_int_equal(farm_scale(fixture.farm, NULL, 4, fixture_on_done, &outcome, &err), 0);
    run_until(&fixture, outcome.calls);
    assert_int_equal(outcome.code, EADDRINUSE);
    assert_int_equal(farm_server_count(fixture.farm), 4);
    assert_int_equal(fixture_state(&fixture, 4), SERVER_RUNNING);
}

static void test_stopping_the_farm_during_a_scale(void **state)
{
    (void)state;
    make_running(4);
    struct outcome outcome = {0};
    assert_int_equal(farm_scale(fixture.farm, NULL, 2, fixture_on_done, &outcome, &err), 0);
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    run_until(&fixture, fixture.stopped);
    assert_int_equal(outcome.calls, 1);
}

static void test_stopping_the_farm_while_it_grows(void **state)
{
    (void)state;
    make_running(4);
    struct outcome outcome = {0};
    assert_int_equal(farm_scale(fixture.farm, NULL, 40, fixture_on_done, &outcome, &err), 0);
    farm_stop(fixture.farm, on_stopped, &fixture.stopped);
    run_until(&fixture, fixture.stopped);
    assert_int_equal(outcome.calls, 1);
    assert_int_not_equal(outcome.code, 0);
}

/* --- reload --- */

static struct outcome reload(struct settings *settings)
{
    struct outcome outcome = {0};
    farm_reload(fixture.farm, settings, fixture_on_done, &outcome);
    run_until(&fixture, outcome.calls);
    return outcome;
}

static void test_reload_of_the_same(void **state)
{
    (void)state;
    make_running(5);
    assert_int_equal(reload(fixture_settings(&fixture, 5)).code, 0);
    assert_string_equal(fake_log(), "");
    assert_int_equal(fixture_count_events(&fixture, REASON_RELOADED, 0), 1);
}

static void test_reload_of_limits_and_count(void **state)
{
    (void)state;
    make_running(3);
    struct server *second = farm_server(fixture.farm, 2);
    struct limits own = second->limits;
    own.cpu = 1;
    assert_int_equal(server_set_limits(second, &own, &err), 0);
    fake_log_clear();

    struct settings *settings = fixture_settings(&fixture, 4);
    settings->groups[0].limits.memory = 512 << 20;
    assert_int_equal(reload(settings).code, 0);
    assert_string_equal(fake_log(), "limits 1; limits 3; start 4; "); /* 2 has limits of its own */
    assert_true(second->limits.cpu == 1);
    assert_int_equal(farm_server(fixture.farm, 1)->limits.memory, 512 << 20);
}

static void test_reload_restarts_what_must(void **state)
{
    (void)state;
    struct settings *first = fixture_settings(&fixture, 2);
    fixture_add_group(first, "web", 2, 9001);
    fixture_add_group(first, "old", 2, 9101);
    fixture_make(&fixture, first);
    fixture_start(&fixture);
    struct outcome stop = {0};
    server_act(farm_server(fixture.farm, 4), SERVER_ACTION_STOP, fixture_on_server, &stop);
    run_until(&fixture, stop.calls);
    fake_log_clear();

    struct settings *settings = fixture_settings(&fixture, 2);
    struct group_settings *web = fixture_add_group(settings, "web", 2, 9001);
    web->access_log = true;
    fixture_add_group(settings, "new", 1, 9101); /* the port of one that goes */
    assert_int_equal(reload(settings).code, 0);
    assert_string_equal(fake_environment(3, "ACCESS_LOG"), "1");
    assert_int_equal(fake_starts(1), 1);
    assert_int_equal(fake_starts(3), 2);
    assert_int_equal(fixture_state(&fixture, 4), SERVER_STOPPED); /* was stopped on purpose */
    assert_int_equal(farm_server_count(fixture.farm), 5);
    assert_int_equal(farm_server_at(fixture.farm, 4)->port, 9101);
    assert_string_equal(farm_server_at(fixture.farm, 4)->group->name, "new");
    const char *gone = strstr(fake_log(), "term 5"), *come = strstr(fake_log(), "start 5");
    assert_non_null(gone);
    assert_true(come > gone);
}

static void test_reload_moves_ports(void **state)
{
    (void)state;
    make_running(2);
    struct settings *settings = fixture_settings(&fixture, 2);
    settings->groups[0].base_port = 8501;
    assert_int_equal(reload(settings).code, 0);
    assert_int_equal(farm_server(fixture.farm, 2)->port, 8502);
    assert_string_equal(fake_environment(2, "PORT"), "8502");
    assert_int_equal(fake_starts(2), 2);
}

static void test_reload_keeps_a_scaled_count(void **state)
{
    (void)state;
    struct settings *first = fixture_settings(&fixture, 2);
    fixture_add_group(first, "web", 3, 9001);
    fixture_make(&fixture, first);
    fixture_start(&fixture);
    scale("web", 5);
    scale("default", 1);
    fake_log_clear();
    for (int i = 0; i < 2; i++) { /* and once more: what was set is not forgotten */
        struct settings *same = fixture_settings(&fixture, 2);
        fixture_add_group(same, "web", 3, 9001);
        assert_int_equal(reload(same).code, 0);
        assert_string_equal(fake_log(), "");
        assert_int_equal(farm_server_count(fixture.farm), 6);
    }
    struct settings *changed = fixture_settings(&fixture, 2);
    fixture_add_group(changed, "web", 4, 9001);
    assert_int_equal(reload(changed).code, 0);
    assert_int_equal(farm_server_count(fixture.farm), 5); /* 1 as scaled, 4 as set */
    struct settings *again = fixture_settings(&fixture, 2);
    fixture_add_group(again, "web", 3, 9001);
    assert_int_equal(reload(again).code, 0);
    assert_int_equal(farm_server_count(fixture.farm), 4);
}

static void test_reload_gives_up_a_scaled_count_without_ports(void **state)
{
    (void)state;
    make_running(2);
    scale(NULL, 5);
    struct settings *settings = fixture_settings(&fixture, 2);
    fixture_add_group(settings, "web", 1, 8004);
    assert_int_equal(reload(settings).code, 0);
    assert_int_equal(farm_server_count(fixture.farm), 3);
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_RELOADED, 0)->message,
                           "group default has 2 servers again, since 5 have no place"));
}

static void test_reload_tells_what_waits_for_the_next_start(void **state)
{
    (void)state;
    struct settings *first = fixture_settings(&fixture, 1);
    first->api = (struct listen_settings){.host = xstrdup("0.0.0.0"), .port = 8900};
    first->dashboard = (struct listen_settings){.host = xstrdup("localhost"), .port = 8901};
    first->token = xstrdup("a token of old");
    fixture_make(&fixture, first);
    fixture_start(&fixture);

    struct settings *settings = fixture_settings(&fixture, 1);
    settings->api = (struct listen_settings){.host = xstrdup("localhost"), .port = 8902};
    settings->dashboard = (struct listen_settings){.host = xstrdup("localhost"), .port = 8901};
    settings->enforce = ENFORCE_REQUIRED;
    assert_int_equal(reload(settings).code, 0);
    assert_non_null(strstr(fixture_last_event(&fixture, REASON_RELOADED, 0)->message,
                           "; api.host, api.port, enforce take effect at the next start"));
    const struct settings *now = farm_settings(fixture.farm);
    assert_string_equal(now->api.host, "0.0.0.0");
    assert_int_equal(now->api.port, 8900);
    assert_int_equal(now->enforce, ENFORCE_AUTO);
    assert_string_equal(now->token, "a token of old"); /* it still listens to everybody */
}

/* Each one's new port is held by the next one until that is gone. */
static void test_reload_shifts_ports_by_one(void **state)
{
    (void)state;
    make_running(3);
    for (int id = 1; id <= 3; id++)
        fake_of(id)->ignores_sigterm = true;
    struct settings *settings = fixture_settings(&fixture, 3);
    settings->groups[0].base_port = 8002;
    struct outcome outcome = {0}, start = {0};
    farm_reload(fixture.farm, settings, fixture_on_done, &outcome);
    struct server *first = farm_server(fixture.farm, 1);
    assert_int_equal(first->port, 8001); /* where it still listens */
    server_act(first, SERVER_ACTION_START, fixture_on_server, &start);
    fake_exit(1, 0);
    run_until(&fixture, !fake_runs(1));
    assert_int_equal(first->port, 8002);
    assert_string_equal(first->url, "http://localhost:8002");
    assert_int_equal(fake_starts(1), 1); /* not before the others are gone */
    assert_int_equal(start.code, ECANCELED);
    fake_exit(2, 0);
    fake_exit(3, 0);
    run_until(&fixture, outcome.calls);
    assert_int_equal(outcome.code, 0);
    assert_string_equal(fake_log(), "term 1; term 2; term 3; start 1; start 2; start 3; ");
    assert_string_equal(fake_environment(1, "PORT"), "8002");
    assert_string_equal(fake_environment(3, "PORT"), "8004");
    for (int id = 1; id <= 3; id++)
        fake_of(id)->ignores_sigterm = false;
}

static void test_reload_moves_ports_down(void **state)
{
    (void)state;
    make_running(3);
    struct outcome stop = {0};
    server_act(farm_server(fixture.farm, 2), SERVER_ACTION_STOP, fixture_on_server, &stop);
    run_until(&fixture, stop.calls);
    struct settings *settings = fixture_settings(&fixture, 3);
    settings->groups[0].base_port = 7001;
    assert_int_equal(reload(settings).code, 0);
    assert_int_equal(farm_server_count(fixture.farm), 3);
    assert_int_equal(fixture_state(&fixture, 2), SERVER_STOPPED); /* was stopped on purpose */
    assert_int_equal(farm_server(fixture.farm, 2)->port, 7002);
    assert_int_equal(farm_server(fixture.farm, 3)->port, 7003);
    assert_string_equal(fake_environment(3, "PORT"), "7003");
}

static void test_reload_during_a_scale(void **state)
{
    (void)state;
    make_running(2);
    struct outcome outcome = {0};
    assert_int_equal(farm_scale(fixture.farm, NULL, 3, fixture_on_done, &outcome, &err), 0);
    assert_int_equal(reload(fixture_settings(&fixture, 9)).code, EBUSY);
    run_until(&fixture, outcome.calls);
    assert_int_equal(farm_server_count(fixture.farm), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_fifty_start_and_stop),
        TEST(test_nothing_is_left_behind),
        TEST(test_a_thousand),
        TEST(test_restarts_leave_time_for_others),
        TEST(test_some_do_not_start),
        TEST(test_stop_while_starting),
        TEST(test_the_second_stop_forces),
        TEST(test_a_locked_state_directory),
        TEST(test_a_lock_file_without_a_holder),
        TEST(test_a_directory_that_cannot_be_made),
        TEST(test_an_action_on_many),
        TEST(test_servers_that_leave_while_acted_on),
        TEST(test_rolling_restart),
        TEST(test_rolling_restart_stops_on_failure),
        TEST(test_rolling_restart_leaves_stopped_ones_alone),
        TEST(test_stopping_the_farm_ends_a_rolling_restart),
        TEST(test_scale),
        TEST(test_scale_of_groups),
        TEST(test_scale_refused),
        TEST(test_scale_tells_what_does_not_start),
        TEST(test_stopping_the_farm_during_a_scale),
        TEST(test_stopping_the_farm_while_it_grows),
        TEST(test_reload_of_the_same),
        TEST(test_reload_of_limits_and_count),
        TEST(test_reload_restarts_what_must),
        TEST(test_reload_moves_ports),
        TEST(test_reload_keeps_a_scaled_count),
        TEST(test_reload_gives_up_a_scaled_count_without_ports),
        TEST(test_reload_tells_what_waits_for_the_next_start),
        TEST(test_reload_shifts_ports_by_one),
        TEST(test_reload_moves_ports_down),
        TEST(test_reload_during_a_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
