/*
 * Troubles: told once when they begin and once when they are over, however often they strike.
 */
#include "supervisor/farm/trouble.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static uv_loop_t loop;
static struct events *events;
static struct troubles *troubles;
static const struct event *found[64];

static int begin(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    events = events_new();
    troubles = troubles_new(&loop, events);
    return 0;
}

static int end(void **state)
{
    (void)state;
    troubles_free(troubles);
    uv_run(&loop, UV_RUN_DEFAULT);
    events_free(events);
    return uv_loop_close(&loop);
}

static void strike(enum trouble trouble, int code)
{
    struct error err;
    error_set_errno(&err, code, "doing this");
    trouble_struck(troubles, trouble, &err);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop, which the troubles' own timer does not keep running, until an event with this id is there. */
static void run_until_event(uint64_t id)
{
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    uv_timer_t tick;
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, on_tick, 10, 10);
    while (events_last_id(events) < id) {
        assert_true(clock_monotonic_ms() < deadline_ms);
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void test_told_once_and_over_once(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++)
        strike(TROUBLE_STATE, ENOSPC);
    assert_int_equal(events_last_id(events), 1);
    assert_true(trouble_is_on(troubles, TROUBLE_STATE));
    assert_false(trouble_is_on(troubles, TROUBLE_LOGS));
    events_after(events, 0, found, 64, NULL);
    assert_string_equal(event_reason_name(found[0]->reason), "StateNotSaved");
    assert_string_equal(found[0]->message, "the state is not saved: doing this: No space left on device");

    trouble_passed(troubles, TROUBLE_LOGS); /* was none */
    trouble_passed(troubles, TROUBLE_STATE);
    assert_int_equal(events_last_id(events), 1);
    run_until_event(2);
    assert_false(trouble_is_on(troubles, TROUBLE_STATE));
    events_after(events, 1, found, 64, NULL);
    assert_string_equal(event_reason_name(found[0]->reason), "Recovered");
    assert_non_null(strstr(found[0]->message, "the state is saved again"));
    assert_non_null(strstr(found[0]->message, "and 100 failures"));

    strike(TROUBLE_STATE, EIO);
    assert_int_equal(events_last_id(events), 3);
}

/* One that comes and goes is one trouble until it has stayed away. */
static void test_coming_and_going_is_one(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        strike(TROUBLE_ACCEPT, EMFILE);
        trouble_passed(troubles, TROUBLE_ACCEPT);
    }
    strike(TROUBLE_PROBES, EMFILE);
    assert_int_equal(events_last_id(events), 2);
    run_until_event(3);
    assert_false(trouble_is_on(troubles, TROUBLE_ACCEPT));
    assert_true(trouble_is_on(troubles, TROUBLE_PROBES)); /* no try has gone well */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_told_once_and_over_once, begin, end),
        cmocka_unit_test_setup_teardown(test_coming_and_going_is_one, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
