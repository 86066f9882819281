/* core/counters: one writes, another process reads; what is not a counters file is refused. */
#include "core/counters.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[96];

static int set_up(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%.40s/counters-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/file", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void reader_sees_what_the_writer_adds(void **state)
{
    (void)state;
    struct error err;
    cleanup_close int fd = counters_create(path, &err);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);

    const struct counters *seen;
    assert_int_equal(counters_map_reader(fd, &seen, &err), 0);
    assert_int_equal(seen->magic, 0); /* not begun */

    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct counters *mine;
        if (counters_map_writer(fd, &mine, NULL) < 0)
            _exit(1);
        counters_add(&mine->requests, 41);
        counters_add(&mine->requests, 1);
        counters_add(&mine->latency[HISTOGRAM_BUCKETS - 1], 5);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);

    assert_int_equal(seen->magic, COUNTERS_MAGIC);
    assert_int_equal(seen->version, COUNTERS_VERSION);
    assert_int_equal(atomic_load(&seen->requests), 42);
    assert_int_equal(atomic_load(&seen->latency[HISTOGRAM_BUCKETS - 1]), 5);
    counters_unmap(seen);
}

static void creating_again_starts_from_zero(void **state)
{
    (void)state;
    struct error err;
    struct counters *mine;
    cleanup_close int fd = counters_create(path, &err);
    assert_int_equal(counters_map_writer(fd, &mine, &err), 0);
    counters_add(&mine->requests, 7);
    counters_unmap(mine);

    cleanup_close int again = counters_create(path, &err);
    const struct counters *seen;
    assert_int_equal(counters_map_reader(again, &seen, &err), 0);
    assert_int_equal(seen->magic, 0);
    assert_int_equal(atomic_load(&seen->requests), 0);
    counters_unmap(seen);
}

/* A hole would take its page when somebody touches the mapping, and a full file system answers that with SIGBUS. */
static void a_new_file_has_its_blocks(void **state)
{
    (void)state;
    struct error err;
    cleanup_close int fd = counters_create(path, &err);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_blocks * 512 >= COUNTERS_FILE_SIZE);
}

static void refuses_another_size(void **state)
{
    (void)state;
    struct error err = {0};
    const struct counters *seen = NULL;
    struct counters *mine = NULL;
    cleanup_close int fd = counters_create(path, &err);
    for (int size = 0; size <= 2 * COUNTERS_FILE_SIZE; size += COUNTERS_FILE_SIZE / 2) {
        if (size == COUNTERS_FILE_SIZE)
            continue;
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(counters_map_reader(fd, &seen, &err), -EINVAL);
        assert_int_equal(counters_map_writer(fd, &mine, &err), -EINVAL);
    }
    assert_null(seen);
    assert_null(mine);
    assert_non_null(strstr(err.message, "4096"));
}

static void refuses_another_layout(void **state)
{
    (void)state;
    struct error err;
    const struct counters *seen = NULL;
    cleanup_close int fd = counters_create(path, &err);

    uint32_t wrong_magic[2] = {1, COUNTERS_VERSION};
    assert_int_equal(pwrite(fd, wrong_magic, sizeof(wrong_magic), 0), sizeof(wrong_magic));
    assert_int_equal(counters_map_reader(fd, &seen, &err), -EINVAL);

    uint32_t wrong_version[2] = {COUNTERS_MAGIC, COUNTERS_VERSION + 1};
    assert_int_equal(pwrite(fd, wrong_version, sizeof(wrong_version), 0), sizeof(wrong_version));
    assert_int_equal(counters_map_reader(fd, &seen, &err), -EINVAL);
    assert_null(seen);
}

static void says_why_it_cannot_create(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(counters_create("/nonexistent/counters", &err), -ENOENT);
    assert_non_null(strstr(err.message, "/nonexistent/counters"));
    assert_int_equal(symlink("elsewhere", path), 0); /* nobody's link is followed */
    assert_int_equal(counters_create(path, &err), -ELOOP);
}

static void private_counters_count(void **state)
{
    (void)state;
    struct counters *mine = counters_map_private();
    counters_add(&mine->bytes_sent, 3);
    assert_int_equal(mine->magic, COUNTERS_MAGIC);
    assert_int_equal(atomic_load(&mine->bytes_sent), 3);
    counters_unmap(mine);
    counters_unmap(NULL);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(reader_sees_what_the_writer_adds), WITH_FOLDER(creating_again_starts_from_zero),
        WITH_FOLDER(a_new_file_has_its_blocks),        WITH_FOLDER(refuses_another_size),
        WITH_FOLDER(refuses_another_layout),           WITH_FOLDER(says_why_it_cannot_create),
        cmocka_unit_test(private_counters_count),
    };
    return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
