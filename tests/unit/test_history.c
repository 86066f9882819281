/*
 * The history: what is written is read back by the next one, within its bounds; a file that is none is set aside; a disk
 * that cannot be written to holds nobody up.
 */
#include "supervisor/history/history.h"

#include "core/clock.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it */
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 30000

static char directory[64], path[96];
static uv_loop_t loop;
static struct history *history;
static struct events *events;

static struct {
    unsigned aside, reports, failures, closed, answers;
    struct error last; /* failure, or what was set aside */
} seen;

/* --- the loop --- */

static void on_aside(const struct error *err, void *data)
{
    (void)data;
    seen.aside++;
    seen.last = *err;
}

static void on_report(const struct error *err, void *data)
{
    (void)data;
    seen.reports++;
    if (err == NULL)
        return;
    seen.failures++;
    seen.last = *err;
}

static void on_closed(void *data)
{
    (void)data;
    seen.closed++;
}

#define run_until(condition)                                                                                           \
    for (int64_t end_ = clock_monotonic_ms() + DEADLINE_MS; !(condition);) {                                           \
        assert_true(clock_monotonic_ms() < end_);                                                                      \
        events_flush(events);                                                                                          \
        uv_run(&loop, UV_RUN_NOWAIT);                                                                                  \
        usleep(1000);                                                                                                  \
    }

static void open_one(void)
{
    static const struct history_calls CALLS = {.set_aside = on_aside, .report = on_report, .closed = on_closed};

    memset(&seen, 0, sizeof(seen));
    events = events_new();
    history = history_new(&loop, path, &CALLS, NULL);
}

static void close_one(void)
{
    history_close(history);
    run_until(seen.closed > 0);
    events_free(events);
}

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/farmd-history-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/history.db", directory);
    return uv_loop_init(&loop);
}

static int remove_entry(const char *entry, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(entry);
}

static int end(void **state)
{
    (void)state;
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- events --- */

static void add_events(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct event *event = events_add(events, i % 2 ? REASON_CRASHED : REASON_READY, (int)(i % 3), "event %u", i);
        event->next_try_us = (int64_t)i * 10;
        event->duration_ms = i % 2 ? -1 : (int64_t)i;
    }
}

static struct event *found;
static size_t found_count;
static struct event_span found_span;

static void on_events(const struct event *list, size_t count, const struct event_span *stored, const struct error *err,
                      void *data)
{
    (void)data;
    assert_null(err);
    free(found);
    found = xcalloc(count + 1, sizeof(*found));
    if (count > 0)
        memcpy(found, list, count * sizeof(*list));
    found_count = count;
    found_span = *stored;
    seen.answers++;
}

static void find(const struct event_query *query)
{
    unsigned before = seen.answers;
    struct error err = {0};

    assert_int_equal(history_find_events(history, query, on_events, NULL, &err), 0);
    run_until(seen.answers > before);
}

static void test_events_come_back(void **state)
{
    (void)state;
    open_one();
    history_follow(history, events);
    add_events(100);
    close_one();
    assert_int_equal(seen.failures, 0);

    open_one();
    assert_int_equal(seen.aside, 0);
    events_add(events, REASON_FARM_STARTED, 0, "of the next farmd");
    history_recall(history, events);
    const struct event *list[200];
    assert_int_equal(events_after(events, 0, list, 200, NULL), 101);
    for (unsigned i = 0; i < 100; i++) {
        char message[32];
        snprintf(message, sizeof(message), "event %u", i);
        assert_int_equal(list[i]->id, i + 1);
        assert_string_equal(list[i]->message, message);
        assert_int_equal(list[i]->reason, i % 2 ? REASON_CRASHED : REASON_READY);
        assert_int_equal(list[i]->server_id, i % 3);
        assert_int_equal(list[i]->next_try_us, i * 10);
        assert_int_equal(list[i]->duration_ms, i % 2 ? -1 : (int)i);
    }
    assert_int_equal(list[100]->id, 101);
    assert_string_equal(list[100]->message, "of the next farmd");
    history_follow(history, events);
    add_events(1);
    run_until(seen.reports > 0);
    find(&(struct event_query){.limit = 4096});
    assert_int_equal(found_count, 102);
    assert_int_equal(found_span.first_id, 1);
    assert_int_equal(found_span.last_id, 102);
    close_one();
}

/* Nobody waits for a database that is not there yet; who asks gets its answer. */
static void test_one_is_made_when_there_is_need(void **state)
{
    (void)state;
    open_one();
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(seen.failures, 0);
    find(&(struct event_query){.limit = 10});
    assert_int_equal(found_count, 0);
    assert_int_equal(access(path, F_OK), 0);
    close_one();
}

static void test_events_are_found_by_what_is_asked(void **state)
{
    (void)state;
    static const int servers[] = {1, 2};
    open_one();
    history_follow(history, events);
    add_events(90);
    run_until(seen.reports > 0);
    find(&(struct event_query){.limit = 5, .before = 50});
    assert_int_equal(found_count, 5);
    assert_int_equal(found[0].id, 45);
    assert_int_equal(found[4].id, 49);
    find(&(struct event_query){.limit = 5, .since = 50, .oldest_first = true});
    assert_int_equal(found[0].id, 51);
    assert_int_equal(found[4].id, 55);
    find(&(struct event_query){.limit = 100, .warnings = true});
    assert_int_equal(found_count, 45);
    find(&(struct event_query){.limit = 100, .by_server = true, .server_ids = servers, .server_count = 2});
    assert_int_equal(found_count, 60);
    find(&(struct event_query){.limit = 100, .by_server = true});
    assert_int_equal(found_count, 0);
    find(&(struct event_query){.limit = 100, .not_before_us = clock_realtime_us() + 1000000});
    assert_int_equal(found_count, 0);
    close_one();
}

static void test_events_are_bounded(void **state)
{
    (void)state;
    struct error err = {0}, aside = {0};
    struct database *db;
    struct event old = {.reason = REASON_READY}, *list = xcalloc(EVENT_STORE_MAX, sizeof(*list));
    struct event_span span;

    assert_int_equal(database_open(path, &db, &aside, &err), 0);
    for (uint64_t i = 0; i < EVENT_STORE_MAX; i++) {
        list[i] = old;
        list[i].id = i + 1;
        list[i].at_us = clock_realtime_us();
    }
    assert_int_equal(event_store_add(db, list, EVENT_STORE_MAX, &err), 0);
    list[0].id = EVENT_STORE_MAX + 1;
    assert_int_equal(event_store_add(db, list, 1, &err), 0);
    assert_int_equal(event_store_span(db, &span, &err), 0);
    assert_int_equal(span.first_id, 2);
    assert_int_equal(span.last_id, EVENT_STORE_MAX + 1);
    free(list);
    database_close(db);
}

static void test_old_events_go(void **state)
{
    (void)state;
    struct error err = {0}, aside = {0};
    struct database *db;
    struct event_span span;
    int64_t now = clock_realtime_us();
    const struct event list[] = {{.id = 1, .reason = REASON_READY, .at_us = now - EVENT_STORE_AGE_US - 1000000},
                                 {.id = 2, .reason = REASON_READY, .at_us = now}};

    assert_int_equal(database_open(path, &db, &aside, &err), 0);
    assert_int_equal(event_store_add(db, list, 2, &err), 0);
    assert_int_equal(event_store_span(db, &span, &err), 0);
    assert_int_equal(span.first_id, 2);
    database_close(db);
}

/* Numbers that have begun anew take the places of the earlier ones. */
static void test_numbers_that_begin_anew(void **state)
{
    (void)state;
    struct error err = {0}, aside = {0};
    struct database *db;
    struct event_span span;
    struct event event = {.reason = REASON_READY, .at_us = clock_realtime_us()};

    assert_int_equal(database_open(path, &db, &aside, &err), 0);
    for (event.id = 1; event.id <= 10; event.id++)
        assert_int_equal(event_store_add(db, &event, 1, &err), 0);
    event.id = 4;
    assert_int_equal(event_store_add(db, &event, 1, &err), 0);
    assert_int_equal(event_store_span(db, &span, &err), 0);
    assert_int_equal(span.last_id, 4);
    database_close(db);
}

/* --- runs --- */

static struct run_record run_of(const char *id, const char *status, int64_t started_us)
{
    struct run_record record = {.started_us = started_us, .status = status};

    snprintf(record.id, sizeof(record.id), "%s", id);
    record.summary = xasprintf("{\"id\":\"%s\",\"status\":\"%s\",\"n\":1.50}", id, status);
    record.report = xasprintf("{\"id\":\"%s\",\"status\":\"%s\",\"series\":[1,2]}", id, status);
    return record;
}

static void on_put(const struct error *err, void *data)
{
    (void)data;
    assert_null(err);
    seen.answers++;
}

static void put(const char *id, const char *status)
{
    struct run_record record = run_of(id, status, clock_realtime_us());
    unsigned before = seen.answers;
    struct error err = {0};

    assert_int_equal(history_put_run(history, &record, on_put, NULL, &err), 0);
    run_record_done(&record);
    run_until(seen.answers > before);
}

static char got[256];

static void on_got(struct run_record *record, const struct error *err, void *data)
{
    (void)data;
    assert_null(err);
    snprintf(got, sizeof(got), "%s %s", record ? record->summary : "-", record ? record->report : "-");
    if (record)
        run_record_done(record);
    seen.answers++;
}

static const char *get(const char *id)
{
    unsigned before = seen.answers;
    struct error err = {0};

    assert_int_equal(history_get_run(history, id, on_got, NULL, &err), 0);
    run_until(seen.answers > before);
    return got;
}

static void on_listed(const struct run_record *list, size_t count, const struct error *err, void *data)
{
    (void)data;
    assert_null(err);
    got[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", list[i].id);
    seen.answers++;
}

static const char *list(size_t limit)
{
    unsigned before = seen.answers;
    struct error err = {0};

    assert_int_equal(history_list_runs(history, limit, on_listed, NULL, &err), 0);
    run_until(seen.answers > before);
    return got;
}

static void test_runs_come_back(void **state)
{
    (void)state;
    open_one();
    put("a1", "running");
    put("a1", "completed");
    put("a2", "running");
    close_one();
    open_one();
    assert_string_equal(get("a1"), "{\"id\":\"a1\",\"status\":\"completed\",\"n\":1.50} "
                                   "{\"id\":\"a1\",\"status\":\"completed\",\"series\":[1,2]}");
    /* its farmd ended before it did */
    assert_string_equal(get("a2"), "{\"id\":\"a2\",\"status\":\"interrupted\",\"n\":1.50} "
                                   "{\"id\":\"a2\",\"status\":\"interrupted\",\"series\":[1,2]}");
    assert_string_equal(get("a3"), "- -");
    assert_string_equal(list(10), "a2 a1 ");
    assert_string_equal(list(1), "a2 ");
    close_one();
}

static void test_runs_are_bounded(void **state)
{
    (void)state;
    struct error err = {0}, aside = {0};
    struct database *db;
    struct run_record *records;
    size_t count;
    char id[16];

    assert_int_equal(database_open(path, &db, &aside, &err), 0);
    for (unsigned i = 0; i < RUN_STORE_MAX + 3; i++) {
        snprintf(id, sizeof(id), "r%04u", i);
        struct run_record record = run_of(id, "completed", clock_realtime_us());
        assert_int_equal(run_store_put(db, &record, &err), 0);
        run_record_done(&record);
    }
    assert_int_equal(run_store_list(db, RUN_STORE_MAX * 2, &records, &count, &err), 0);
    assert_int_equal(count, RUN_STORE_MAX);
    assert_string_equal(records[count - 1].id, "r0003");
    for (size_t i = 0; i < count; i++)
        run_record_done(&records[i]);
    free(records);

    /* one that is as large as all may be together leaves nothing but itself */
    struct run_record large = run_of("s", "completed", clock_realtime_us());
    free(large.report);
    large.report = xmalloc(RUN_STORE_BYTES + 2);
    memset(large.report, ' ', RUN_STORE_BYTES + 1);
    large.report[RUN_STORE_BYTES + 1] = '\0';
    assert_int_equal(run_store_put(db, &large, &err), 0);
    run_record_done(&large);
    assert_int_equal(run_store_list(db, 10, &records, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_string_equal(records[0].id, "s");
    run_record_done(&records[0]);
    free(records);

    struct run_record old = run_of("t", "completed", clock_realtime_us() - RUN_STORE_AGE_US - 1000000);
    assert_int_equal(run_store_put(db, &old, &err), 0);
    run_record_done(&old);
    assert_int_equal(run_store_get(db, "t", &old, &err), 0);
    database_close(db);
}

static void test_what_waits_is_bounded(void **state)
{
    (void)state;
    struct error err = {0};
    unsigned taken = 0;

    open_one();
    while (taken < 2 * HISTORY_WAITING_MAX && history_list_runs(history, 1, on_listed, NULL, &err) == 0)
        taken++;
    assert_int_equal(taken, HISTORY_WAITING_MAX);
    assert_int_equal(err.code, EAGAIN);
    run_until(seen.answers == taken);
    assert_string_equal(list(1), "");
    close_one();
}

/* --- files that are no use --- */

static void write_file(const char *text, size_t length)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

static void expect_set_aside(const char *why)
{
    char aside[112];

    open_one();
    snprintf(aside, sizeof(aside), "%s.broken", path);
    assert_int_equal(seen.aside, 1);
    assert_non_null(strstr(seen.last.message, why));
    assert_non_null(strstr(seen.last.message, aside));
    assert_int_equal(access(aside, F_OK), 0);
    put("a1", "completed");
    assert_string_equal(list(10), "a1 ");
    assert_int_equal(seen.failures, 0);
    close_one();
}

static void test_text_is_set_aside(void **state)
{
    (void)state;
    char text[8192];
    memset(text, 'x', sizeof(text));
    write_file(text, sizeof(text));
    expect_set_aside("not a database");
}

static void test_a_directory_is_set_aside(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path, 0755), 0);
    expect_set_aside("is no file");
}

static void test_a_pipe_is_set_aside(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_set_aside("is no file");
}

static void execute(const char *sql)
{
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}

static void test_another_programs_database_is_set_aside(void **state)
{
    (void)state;
    execute("CREATE TABLE theirs (x)");
    expect_set_aside("another program");
}

static void test_another_versions_database_is_set_aside(void **state)
{
    (void)state;
    open_one();
    assert_string_equal(list(10), "");
    close_one();
    execute("PRAGMA user_version=99");
    expect_set_aside("another version");
}

/* It was fine when it was opened, and its first pages still are. */
static void test_one_that_breaks_is_set_aside(void **state)
{
    (void)state;
    struct run_record record = run_of("a1", "completed", clock_realtime_us());
    struct error err = {0};
    char junk[4096];

    free(record.report);
    record.report = xcalloc(1, 200001);
    memset(record.report, ' ', 200000);
    open_one();
    assert_int_equal(history_put_run(history, &record, on_put, NULL, &err), 0);
    run_until(seen.answers > 0);
    run_record_done(&record);
    close_one();

    open_one();
    memset(junk, 0x5a, sizeof(junk));
    FILE *file = fopen(path, "r+e");
    assert_non_null(file);
    fseek(file, 5 * sizeof(junk), SEEK_SET);
    for (int i = 0; i < 40; i++)
        assert_int_equal(fwrite(junk, 1, sizeof(junk), file), sizeof(junk));
    fclose(file);
    assert_int_equal(seen.aside, 0);
    assert_string_equal(get("a1"), "- -");
    assert_int_equal(seen.aside, 1);
    assert_non_null(strstr(seen.last.message, "malformed"));
    history_follow(history, events);
    add_events(3);
    put("a2", "completed");
    assert_string_equal(list(10), "a2 ");
    find(&(struct event_query){.limit = 10});
    assert_int_equal(found_count, 3);
    assert_int_equal(seen.failures, 0);
    close_one();
}

/* --- a disk that is no use --- */

static void on_refused(const struct run_record *runs, size_t count, const struct error *err, void *data)
{
    (void)runs;
    (void)data;
    assert_non_null(err);
    assert_int_equal(count, 0);
    seen.answers++;
}

static void test_a_directory_that_is_not_there(void **state)
{
    (void)state;
    struct error err = {0};

    snprintf(path, sizeof(path), "%s/nowhere/history.db", directory);
    open_one();
    assert_int_equal(seen.failures, 1);
    assert_non_null(strstr(seen.last.message, path));
    history_recall(history, events);
    history_follow(history, events);
    add_events(2);
    assert_int_equal(history_list_runs(history, 1, on_refused, NULL, &err), 0);
    run_until(seen.answers == 1 && seen.failures >= 2);
    /* it comes, and so do the events that waited */
    char parent[80];
    snprintf(parent, sizeof(parent), "%s/nowhere", directory);
    assert_int_equal(mkdir(parent, 0755), 0);
    put("a1", "completed");
    find(&(struct event_query){.limit = 10});
    assert_int_equal(found_count, 2);
    close_one();
}

static void on_put_refused(const struct error *err, void *data)
{
    (void)data;
    assert_non_null(err);
    seen.answers++;
}

/* As on a full disk: no file may grow. */
static void test_a_disk_that_is_full(void **state)
{
    (void)state;
    struct rlimit before, none;
    struct error err = {0};
    struct run_record record = run_of("a2", "completed", clock_realtime_us());

    open_one();
    put("a1", "completed");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    unsigned answers = seen.answers;
    assert_int_equal(history_put_run(history, &record, on_put_refused, NULL, &err), 0);
    run_until(seen.answers > answers);
    assert_int_equal(seen.failures, 1);
    assert_int_equal(seen.aside, 0); /* what is full is not broken */
    assert_string_equal(list(10), "a1 ");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    put("a2", "completed");
    assert_string_equal(list(10), "a2 a1 ");
    run_record_done(&record);
    close_one();
}

#define history_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        history_test(test_events_come_back),
        history_test(test_one_is_made_when_there_is_need),
        history_test(test_events_are_found_by_what_is_asked),
        history_test(test_events_are_bounded),
        history_test(test_old_events_go),
        history_test(test_numbers_that_begin_anew),
        history_test(test_runs_come_back),
        history_test(test_runs_are_bounded),
        history_test(test_what_waits_is_bounded),
        history_test(test_text_is_set_aside),
        history_test(test_a_directory_is_set_aside),
        history_test(test_a_pipe_is_set_aside),
        history_test(test_another_programs_database_is_set_aside),
        history_test(test_another_versions_database_is_set_aside),
        history_test(test_one_that_breaks_is_set_aside),
        history_test(test_a_directory_that_is_not_there),
        history_test(test_a_disk_that_is_full),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(found);
    return failed;
}
