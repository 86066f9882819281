/*
 * The state file: written whole and soon, read back, set aside when it is not what it should be.
 */
#include "supervisor/farm/statefile.h"

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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64], path[80], broken[96];
static struct error err;

static int begin(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/farmd-state-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/state", directory);
    snprintf(broken, sizeof(broken), "%s.broken", path);
    return 0;
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
    return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_text(const char *text, size_t length)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

static struct state_server a_server(int id)
{
    struct state_server server = state_server_empty();
    server.id = id;
    strcpy(server.group, "default");
    server.port = 8000 + id;
    server.pid = 1000 + id;
    server.start_time = INT64_C(5000000000) + id;
    server.limits = (struct limits){.cpu = 0.1, .memory = 256 << 20, .pids = 64};
    return server;
}

static void compose(struct buffer *out, void *data)
{
    int *count = data;
    state_begin(out, 77, false, "cgroup2");
    for (int i = 1; i <= *count; i++) {
        struct state_server server = a_server(i);
        state_add_server(out, &server);
    }
    state_end(out);
}

static unsigned written, failed, closed; /* as reported */
static int failure;

static void report(const struct error *result, void *data)
{
    (void)data;
    written += result == NULL;
    failed += result != NULL;
    failure = result ? result->code : failure;
}

static void on_closed(void *data)
{
    (void)data;
    closed++;
}

static const struct statefile_calls calls = {.compose = compose, .report = report, .closed = on_closed};

/* Runs the loop until the file has been written anew. */
static void write_and_wait(uv_loop_t *loop, struct statefile *file)
{
    unlink(path);
    statefile_touch(file);
    statefile_touch(file);
    int64_t deadline = clock_monotonic_ms() + 10000;
    while (access(path, F_OK) != 0 && clock_monotonic_ms() < deadline)
        uv_run(loop, UV_RUN_ONCE);
}

static void close_and_wait(uv_loop_t *loop, struct statefile *file, bool leave)
{
    closed = 0;
    statefile_close(file, leave);
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(closed, 1);
    assert_int_equal(uv_loop_close(loop), 0);
}

static void test_written_and_read_back(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int count = 3;
    struct statefile *file = statefile_new(&loop, path, &calls, &count);
    write_and_wait(&loop, file);
    struct state *found = NULL;
    assert_int_equal(statefile_load(path, &found, &err), 0);
    assert_int_equal(found->server_count, 3);
    assert_int_equal(found->servers[2].pid, 1003);
    assert_int_equal(found->servers[2].start_time, 5000000003u);
    state_free(found);

    count = 0;
    write_and_wait(&loop, file);
    assert_int_equal(statefile_load(path, &found, &err), 0);
    assert_int_equal(found->server_count, 0);
    state_free(found);

    statefile_touch(file); /* a write under way must not bring the file back */
    uv_run(&loop, UV_RUN_NOWAIT);
    close_and_wait(&loop, file, false);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_left_to_the_next(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int count = 1;
    write_text("x", 1);
    close_and_wait(&loop, statefile_new(&loop, path, &calls, &count), true);
    assert_int_equal(access(path, F_OK), 0);
}

/* What cannot be written is tried again by itself. */
static void test_tried_again_after_a_failure(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int count = 1;
    char temporary[96];
    struct statefile *file = statefile_new(&loop, path, &calls, &count);
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    assert_int_equal(mkdir(temporary, 0700), 0);
    written = failed = 0;
    statefile_touch(file);
    int64_t deadline = clock_monotonic_ms() + 10000;
    while (failed == 0 && clock_monotonic_ms() < deadline)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(failed, 1);
    assert_int_equal(failure, EISDIR);
    assert_int_equal(rmdir(temporary), 0);
    while (written == 0 && clock_monotonic_ms() < deadline)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(written, 1);
    assert_int_equal(access(path, F_OK), 0);
    close_and_wait(&loop, file, false);
}

static void test_held_back(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int count = 1;
    struct statefile *file = statefile_new(&loop, path, &calls, &count);
    statefile_touch(file);
    statefile_hold(file);
    statefile_touch(file);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(access(path, F_OK), -1);
    statefile_release(file, 0);
    int64_t deadline = clock_monotonic_ms() + 10000;
    while (access(path, F_OK) != 0 && clock_monotonic_ms() < deadline)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(access(path, F_OK), 0);
    close_and_wait(&loop, file, false);
}

/* A write that is far off is made at once when asked for. */
static void test_hurried(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int count = 1;
    struct statefile *file = statefile_new(&loop, path, &calls, &count);
    statefile_hold(file);
    statefile_touch(file);
    statefile_hurry(file); /* not while it is held */
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(access(path, F_OK), -1);
    const int64_t hour_ms = 3600 * 1000;
    statefile_release(file, (uint64_t)hour_ms);
    statefile_touch(file);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(uv_backend_timeout(&loop) > hour_ms / 2);
    statefile_hurry(file);
    int64_t deadline = clock_monotonic_ms() + 10000;
    while (access(path, F_OK) != 0 && clock_monotonic_ms() < deadline) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(access(path, F_OK), 0);
    close_and_wait(&loop, file, false);
}

/* What cannot be used is set aside whole, whatever it is, and nothing that was set aside before is lost. */
static void test_set_aside(void **state)
{
    (void)state;
    struct state *found = NULL;
    char second[112], text[32];
    snprintf(second, sizeof(second), "%s.2", broken);
    write_text("something else\n", 15);
    assert_int_equal(statefile_load(path, &found, &err), -EBADMSG);
    assert_non_null(strstr(err.message, broken));
    write_text("", 0);
    assert_int_equal(statefile_load(path, &found, &err), -EBADMSG);
    assert_non_null(strstr(err.message, second));
    assert_int_equal(access(path, F_OK), -1);
    FILE *file = fopen(broken, "re");
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_string_equal(text, "something else\n");
    assert_null(found);
}

static void test_a_directory_is_set_aside(void **state)
{
    (void)state;
    struct state *found = NULL;
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(statefile_load(path, &found, &err), -EISDIR);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(broken, F_OK), 0);
}

static void test_too_many_set_aside(void **state)
{
    (void)state;
    struct state *found = NULL;
    for (int i = 0; i < 12; i++) {
        write_text("", 0);
        assert_int_equal(statefile_load(path, &found, &err), -EBADMSG);
    }
    assert_non_null(strstr(err.message, "remove"));
}

static void test_no_file(void **state)
{
    (void)state;
    struct state *found = NULL;
    assert_int_equal(statefile_load(path, &found, &err), 0);
    assert_null(found);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_written_and_read_back),
        TEST(test_tried_again_after_a_failure),
        TEST(test_left_to_the_next),
        TEST(test_held_back),
        TEST(test_hurried),
        TEST(test_set_aside),
        TEST(test_a_directory_is_set_aside),
        TEST(test_too_many_set_aside),
        TEST(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
