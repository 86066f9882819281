/*
 * The state file: written whole, read back, set aside when it is not what it should be.
 */
#include "supervisor/farm/statefile.h"

#include "core/clock.h"

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

static int end(void **state)
{
    (void)state;
    unlink(path);
    unlink(broken);
    return rmdir(directory); /* fails when anything else was left there */
}

static void write_text(const char *text, size_t length)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
}

static char *boot_id(void)
{
    static char id[64];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    assert_non_null(fgets(id, sizeof(id), file));
    fclose(file);
    id[strcspn(id, "\n")] = '\0';
    return id;
}

static unsigned written, failed; /* as reported */
static int failure;

static void compose(struct buffer *out, void *data)
{
    int *count = data;
    for (int i = 1; i <= *count; i++)
        statefile_add(out, i, 1000 + i, 5000000000u + (unsigned)i);
}

static void report(const struct error *result, void *data)
{
    (void)data;
    written += result == NULL;
    failed += result != NULL;
    failure = result ? result->code : failure;
}

static const struct statefile_calls calls = {.compose = compose, .report = report};

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

static void test_written_and_read_back(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    int count = 3;
    struct statefile *file = statefile_new(&loop, path, &calls, &count);
    write_and_wait(&loop, file);
    struct runtime_leftover *leftovers = NULL;
    size_t found = 0;
    assert_int_equal(statefile_load(path, &leftovers, &found, &err), 0);
    assert_int_equal(found, 3);
    assert_int_equal(leftovers[2].pid, 1003);
    assert_int_equal(leftovers[2].start_time, 5000000003u);
    free(leftovers);

    count = 0;
    write_and_wait(&loop, file);
    leftovers = NULL;
    assert_int_equal(statefile_load(path, &leftovers, &found, &err), 0);
    assert_int_equal(found, 0);

    statefile_touch(file); /* a write under way must not bring the file back */
    uv_run(&loop, UV_RUN_NOWAIT);
    statefile_free(file);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(uv_loop_close(&loop), 0);
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
    statefile_free(file);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
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
    statefile_free(file);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void expect_load(const char *text, int code, size_t count)
{
    struct runtime_leftover *leftovers = NULL;
    size_t found = 0;
    write_text(text, strlen(text));
    int got = statefile_load(path, &leftovers, &found, &err);
    if (got != -code || found != count)
        fail_msg("%d and %zu processes from: %s", got, found, text);
    assert_int_equal(access(broken, F_OK) == 0, code != 0);
    unlink(broken);
    free(leftovers);
}

static void test_what_is_not_whole(void **state)
{
    (void)state;
    char text[512];
    const char *id = boot_id();
    snprintf(text, sizeof(text), "farmd-state 1\nboot %s\nserver 1 pid 77 start 5\nend\n", id);
    expect_load(text, 0, 1);
    for (size_t length = strlen(text) - 1; length > 0; length--) { /* cut off anywhere */
        text[length] = '\0';
        expect_load(text, EBADMSG, 0);
    }
    expect_load("", EBADMSG, 0);
    expect_load("something else\n", EBADMSG, 0);
    expect_load("farmd-state 2\nboot x\nend\n", EBADMSG, 0);
    snprintf(text, sizeof(text), "farmd-state 1\nboot %s\nserver 1 pid 1 start 5\nend\n", id);
    expect_load(text, EBADMSG, 0); /* never pid 1 */
    snprintf(text, sizeof(text), "farmd-state 1\nboot %s\nserver 1 pid 77 start 5 x\nend\n", id);
    expect_load(text, EBADMSG, 0);
}

static void test_another_boot(void **state)
{
    (void)state;
    expect_load("farmd-state 1\nboot 00000000-0000-0000-0000-000000000000\nserver 1 pid 77 start 5\nend\n", 0, 0);
}

static void test_no_file(void **state)
{
    (void)state;
    struct runtime_leftover *leftovers = NULL;
    size_t found = 0;
    assert_int_equal(statefile_load(path, &leftovers, &found, &err), 0);
    assert_int_equal(found, 0);
    assert_null(leftovers);
}

static void test_bytes_of_any_kind(void **state)
{
    (void)state;
    char noise[4096];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * 31 + (i >> 3));
    write_text(noise, sizeof(noise));
    struct runtime_leftover *leftovers = NULL;
    size_t found = 0;
    assert_int_equal(statefile_load(path, &leftovers, &found, &err), -EBADMSG);
    assert_non_null(strstr(err.message, broken));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_written_and_read_back),
        TEST(test_tried_again_after_a_failure),
        TEST(test_held_back),
        TEST(test_what_is_not_whole),
        TEST(test_another_boot),
        TEST(test_no_file),
        TEST(test_bytes_of_any_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
