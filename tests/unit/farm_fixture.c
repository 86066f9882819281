/*
 * Making, driving and ending a farm on the fake runtime.
 */
#include "tests/unit/farm_fixture.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_MS 10000

static void fill_group(struct group_settings *group, const char *name, unsigned count, uint16_t base_port)
{
    *group = (struct group_settings){
        .name = xstrdup(name),
        .count = count,
        .base_port = base_port,
        .limits =
            {.cpu = 0.5, .memory = 256 << 20, .cpu_reservation = 0.1, .memory_reservation = 128 << 20, .pids = 64},
        .restart = RESTART_ALWAYS,
        .restart_profile = RESTART_PROFILE_FARM,
        .start_timeout_ms = 5000,
        .stop_grace_ms = 5000,
    };
    for (size_t kind = 0; kind < PROBE_KIND_COUNT; kind++)
        group->probes[kind] =
            (struct probe_settings){.path = xstrdup("/health"), .interval_ms = 30000, .timeout_ms = 3000, .retries = 3};
}

struct group_settings *fixture_add_group(struct settings *settings, const char *name, unsigned count,
                                         uint16_t base_port)
{
    settings->groups = xrealloc(settings->groups, (settings->group_count + 1) * sizeof(*settings->groups));
    struct group_settings *group = &settings->groups[settings->group_count++];
    fill_group(group, name, count, base_port);
    return group;
}

struct settings *fixture_settings(const struct farm_fixture *fixture, unsigned servers)
{
    struct settings *settings = xcalloc(1, sizeof(*settings));
    settings->state_dir = xasprintf("%s/state", fixture->directory);
    settings->runtime_dir = xasprintf("%s/run", fixture->directory);
    fixture_add_group(settings, "default", servers, 8001);
    return settings;
}

void fixture_begin(struct farm_fixture *fixture)
{
    *fixture = (struct farm_fixture){.directory = "/tmp/farmd-test-XXXXXX"};
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    fake_reset();
}

void fixture_make(struct farm_fixture *fixture, struct settings *settings)
{
    struct error err = {0};
    if (farm_new(&fixture->loop, settings, &fake_runtime_ops, -1, &fixture->farm, &err) < 0)
        fail_msg("farm_new: %s", err.message);
}

static void on_progress(const struct farm_progress *progress, void *data)
{
    *(struct farm_progress *)data = *progress;
}

void fixture_start(struct farm_fixture *fixture)
{
    fixture->progress = (struct farm_progress){.total = 1};
    farm_start(fixture->farm, on_progress, &fixture->progress);
    run_until(fixture, fixture->progress.settled == fixture->progress.total);
    assert_int_equal(fixture->progress.ready, farm_server_count(fixture->farm));
}

static void on_stopped(void *data)
{
    ((struct farm_fixture *)data)->stopped = true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fixture_end(struct farm_fixture *fixture)
{
    if (fixture->farm) {
        if (!fixture->stopped)
            farm_stop(fixture->farm, on_stopped, fixture);
        run_until(fixture, fixture->stopped);
        assert_int_equal(fake_alive(), 0);
        farm_free(fixture->farm);
    }
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    fake_reset();
    nftw(fixture->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int64_t fixture_deadline(void)
{
    return clock_monotonic_ms() + DEADLINE_MS;
}

static void on_wake(uv_timer_t *timer)
{
    (void)timer;
}

/* One turn of the loop, 20 ms at most. */
void fixture_turn(struct farm_fixture *fixture, int64_t deadline_ms, const char *what, const char *file, int line)
{
    if (clock_monotonic_ms() > deadline_ms) {
        print_error("%s:%d: waited in vain for: %s\n", file, line, what);
        fail();
    }
    uv_timer_t timer;
    uv_timer_init(&fixture->loop, &timer);
    uv_timer_start(&timer, on_wake, 20, 0);
    uv_run(&fixture->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&fixture->loop, UV_RUN_NOWAIT);
}

enum server_state fixture_state(const struct farm_fixture *fixture, int id)
{
    const struct server *server = farm_server(fixture->farm, id);
    assert_non_null(server);
    return server->lifecycle.state;
}

static unsigned find_events(const struct farm_fixture *fixture, enum event_reason reason, int server_id,
                            const struct event **last)
{
    static const struct event *all[EVENTS_CAPACITY];
    size_t count = events_after(farm_events(fixture->farm), 0, all, EVENTS_CAPACITY, NULL);
    unsigned found = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i]->reason != reason || all[i]->server_id != server_id)
            continue;
        found++;
        if (last)
            *last = all[i];
    }
    return found;
}

unsigned fixture_count_events(const struct farm_fixture *fixture, enum event_reason reason, int server_id)
{
    return find_events(fixture, reason, server_id, NULL);
}

const struct event *fixture_last_event(const struct farm_fixture *fixture, enum event_reason reason, int server_id)
{
    const struct event *last = NULL;
    find_events(fixture, reason, server_id, &last);
    assert_non_null(last);
    return last;
}

static void note_outcome(struct outcome *outcome, const struct error *err)
{
    outcome->calls++;
    outcome->code = err ? err->code : 0;
    snprintf(outcome->message, sizeof(outcome->message), "%s", err ? err->message : "");
}

void fixture_on_server(struct server *server, const struct error *err, void *outcome)
{
    (void)server;
    note_outcome(outcome, err);
}

void fixture_on_done(const struct error *err, void *outcome)
{
    note_outcome(outcome, err);
}
