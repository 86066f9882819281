/*
 * The ring of events: numbers, the end of memory, who is told.
 */
#include "supervisor/farm/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <string.h>

static const struct event *found[EVENTS_CAPACITY + 1];

static void test_numbered_from_one(void **state)
{
    (void)state;
    struct events *events = events_new();
    bool lost = true;
    assert_int_equal(events_last_id(events), 0);
    assert_int_equal(events_after(events, 0, found, 10, &lost), 0);
    assert_false(lost);

    events_add(events, REASON_STARTED, 7, "%s is started", "server-7");
    events_add(events, REASON_READY, 7, "ready")->duration_ms = 21;
    assert_int_equal(events_after(events, 0, found, 10, &lost), 2);
    assert_false(lost);
    assert_int_equal(found[0]->id, 1);
    assert_string_equal(found[0]->message, "server-7 is started");
    assert_int_equal(found[0]->server_id, 7);
    assert_int_equal(found[0]->duration_ms, -1);
    assert_int_equal(found[1]->duration_ms, 21);
    assert_true(found[0]->at_us <= found[1]->at_us);

    assert_int_equal(events_after(events, 1, found, 10, NULL), 1);
    assert_int_equal(found[0]->id, 2);
    assert_int_equal(events_after(events, 2, found, 10, &lost), 0);
    assert_int_equal(events_after(events, UINT64_MAX, found, 10, &lost), 0);
    assert_false(lost);
    events_free(events);
}

static void test_the_oldest_go_first(void **state)
{
    (void)state;
    struct events *events = events_new();
    for (int i = 1; i <= EVENTS_CAPACITY + 100; i++)
        events_add(events, REASON_READY, i, "event %d", i);
    bool lost = false;
    assert_int_equal(events_after(events, 0, found, EVENTS_CAPACITY + 1, &lost), EVENTS_CAPACITY);
    assert_true(lost);
    assert_int_equal(found[0]->id, 101);
    assert_string_equal(found[0]->message, "event 101");
    assert_int_equal(found[EVENTS_CAPACITY - 1]->id, EVENTS_CAPACITY + 100);

    assert_int_equal(events_after(events, 100, found, 3, &lost), 3);
    assert_false(lost);
    assert_int_equal(found[0]->id, 101);
    assert_int_equal(events_after(events, 99, found, 3, &lost), 3);
    assert_true(lost);
    events_free(events);
}

struct listener_log {
    struct events *events;
    uint64_t ids[16];
    size_t count;
};

static void on_event(const struct event *event, void *data)
{
    struct listener_log *log = data;
    log->ids[log->count++] = event->id;
    if (event->reason == REASON_FARM_READY) /* adding from inside is told in the same flush */
        events_add(log->events, REASON_SCALED, 0, "more");
}

static void test_listener_is_told_on_flush(void **state)
{
    (void)state;
    struct listener_log log = {.events = events_new()};
    events_add(log.events, REASON_STARTED, 1, "before the listener");
    events_set_listener(log.events, on_event, &log);
    events_add(log.events, REASON_READY, 1, "one");
    events_add(log.events, REASON_FARM_READY, 0, "two");
    assert_int_equal(log.count, 0);
    events_flush(log.events);
    assert_int_equal(log.count, 3);
    assert_int_equal(log.ids[0], 2);
    assert_int_equal(log.ids[2], 4);
    events_flush(log.events);
    assert_int_equal(log.count, 3);
    events_free(log.events);
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    struct events *events = events_new();
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(strlen(events_add(events, REASON_CRASHED, 1, "%s", text)->message), EVENT_MESSAGE_MAX - 1);
    events_free(events);
}

static void test_every_reason_has_a_name(void **state)
{
    (void)state;
    for (int a = 0; a < REASON_COUNT; a++) {
        assert_string_not_equal(event_reason_name(a), "Unknown");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(event_reason_name(a), event_reason_name(b));
    }
    assert_string_equal(event_reason_name(REASON_OOM_KILLED), "OOMKilled");
    assert_true(event_reason_is_warning(REASON_OOM_KILLED));
    assert_false(event_reason_is_warning(REASON_READY));
}

/* What another ring makes of the text of this one, having `count` events of its own by then. */
static struct events *restored(const struct events *events, int count)
{
    struct buffer text = BUFFER_EMPTY;
    events_save(events, &text);
    struct events *next = events_new();
    for (int i = 0; i < count; i++)
        events_add(next, REASON_FARM_STARTED, 0, "of its own");
    events_restore(next, text.data, text.length);
    buffer_done(&text);
    return next;
}

static void test_restored_as_they_were(void **state)
{
    (void)state;
    struct events *events = events_new();
    struct event *first = events_add(events, REASON_BACKOFF, 7, "two lines\n  fix: \"this\"");
    first->next_try_us = 12345;
    struct event was = *first;
    events_add(events, REASON_READY, 8, "ready")->duration_ms = 21;
    struct events *next = restored(events, 1);
    assert_int_equal(events_after(next, 0, found, 10, NULL), 3);
    assert_memory_equal(found[0], &was, offsetof(struct event, message));
    assert_string_equal(found[0]->message, was.message);
    assert_int_equal(found[1]->duration_ms, 21);
    assert_int_equal(found[2]->id, 3);
    assert_string_equal(found[2]->message, "of its own");
    assert_int_equal(events_add(next, REASON_SCALED, 0, "next")->id, 4);
    events_free(events);
    events_free(next);
}

static void test_a_full_ring_is_restored(void **state)
{
    (void)state;
    struct events *events = events_new();
    for (int i = 1; i <= EVENTS_CAPACITY + 100; i++)
        events_add(events, REASON_READY, i, "event %d", i);
    struct events *next = restored(events, 2);
    bool lost = false;
    assert_int_equal(events_after(next, 0, found, EVENTS_CAPACITY + 1, &lost), EVENTS_CAPACITY);
    assert_true(lost);
    assert_int_equal(found[0]->id, 103);
    assert_string_equal(found[0]->message, "event 103");
    assert_int_equal(events_last_id(next), EVENTS_CAPACITY + 102);
    events_free(events);
    events_free(next);
}

static void test_an_empty_ring_is_restored(void **state)
{
    (void)state;
    struct events *events = events_new();
    struct events *next = restored(events, 1);
    assert_int_equal(events_after(next, 0, found, 10, NULL), 1);
    assert_int_equal(found[0]->id, 1);
    events_free(events);
    events_free(next);
}

/* Of a farmd that knows other reasons, or cut. */
static void test_ids_go_on_behind_what_cannot_be_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "last 70\n70 1 0 0 -1 Transmogrified it was\n",
        "last 70\n69 1 0 0 -1 Ready it was\n",
        "last 70\n70 1 0 0\n",
        "last 70",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct events *events = events_new();
        bool lost = false;
        events_add(events, REASON_FARM_STARTED, 0, "of its own");
        events_restore(events, texts[i], strlen(texts[i]));
        assert_int_equal(events_after(events, 0, found, 10, &lost), 1);
        assert_true(lost);
        assert_int_equal(found[0]->id, 71);
        events_free(events);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbered_from_one),
        cmocka_unit_test(test_the_oldest_go_first),
        cmocka_unit_test(test_listener_is_told_on_flush),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_every_reason_has_a_name),
        cmocka_unit_test(test_restored_as_they_were),
        cmocka_unit_test(test_a_full_ring_is_restored),
        cmocka_unit_test(test_an_empty_ring_is_restored),
        cmocka_unit_test(test_ids_go_on_behind_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
