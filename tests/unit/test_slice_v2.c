/*
 * runtime/process: what cgroup v2 does without any controller, on every host that has its tree mounted somewhere: birth
 * in the cgroup, freezing, killing whole. Limits need a host whose controllers are in v2.
 */
#include "core/memory.h"
#include "supervisor/runtime/process/kernel_file.h"
#include "supervisor/runtime/process/slice.h"
#include "supervisor/runtime/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
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

#define TRIES 2000
#define TRY_MS 5

static struct slice slice;
static struct leaf leaf;
static char leaf_directory[CGROUP_PATH_MAX];
static const char *unavailable;

/* A slice as slice_v2_open makes it, without controllers, in the tree of this host. */
static int set_up(void **state)
{
    (void)state;
    char mount[CGROUP_PATH_MAX], root[CGROUP_PATH_MAX];
    cleanup_free char *mountinfo = kernel_file_read_all("/proc/self/mountinfo", NULL);
    slice = (struct slice){.ops = &slice_v2_ops, .version = CGROUP_VERSION_2};
    snprintf(slice.name, sizeof(slice.name), "farmd-test-%d", (int)getpid());
    if (mountinfo == NULL || !cgroup_paths_mount(mountinfo, NULL, mount, root)) {
        unavailable = "cgroup v2 is not mounted";
        return 0;
    }
    char *directory = slice.hierarchies[CONTROLLER_CPU].directory;
    snprintf(directory, CGROUP_PATH_MAX, "%.500s/%s", mount, slice.name);
    leaf = (struct leaf){.slice = &slice, .name = "server-7"};
    leaf_path(&leaf, CONTROLLER_CPU, "", leaf_directory);
    if (mkdir(directory, 0755) != 0 || mkdir(leaf_directory, 0755) != 0) {
        unavailable = "cgroup v2 cannot be written";
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (unavailable == NULL) {
        slice.hierarchies[CONTROLLER_CPU].usable = true;
        struct error err;
        slice.ops->clean(&slice, NULL, &err);
        rmdir(slice.hierarchies[CONTROLLER_CPU].directory);
    }
    return 0;
}

static struct spawn_result spawn(const char *script)
{
    char shell[] = "sh", option[] = "-c", path[] = "PATH=/usr/bin:/bin";
    cleanup_free char *text = xstrdup(script);
    char *argv[] = {shell, option, text, NULL};
    char *envp[] = {path, NULL};
    cleanup_close int log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct leaf_entry entry;
    struct error err = {0};
    assert_int_equal(slice.ops->entry(&leaf, &entry, &err), 0);
    assert_true(entry.cgroup_fd >= 0);
    struct spawn_request request = {
        .path = "/bin/sh",
        .argv = argv,
        .envp = envp,
        .log_fd = log_fd,
        .ready_fd = ends[1],
        .counters_fd = -1,
        .executable_fd = -1,
        .entry = &entry,
    };
    struct spawn_result result;
    assert_int_equal(spawn_start(&request, &result, &err), 0);
    close(entry.cgroup_fd);
    close(ends[1]);
    /* "ready" comes from the script, behind exec. */
    struct pollfd wait = {.fd = ends[0], .events = POLLIN};
    char line[16];
    assert_int_equal(poll(&wait, 1, TRIES * TRY_MS), 1);
    assert_int_equal(read(ends[0], line, sizeof(line)), 6);
    close(ends[0]);
    return result;
}

static void expect_killed(const struct spawn_result *result)
{
    struct pollfd ended = {.fd = result->pidfd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, TRIES * TRY_MS), 1);
    int status;
    assert_int_equal(waitpid(result->pid, &status, 0), result->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(result->pidfd);
}

static void a_server_is_born_in_its_cgroup_and_killed_whole(void **state)
{
    (void)state;
    if (unavailable != NULL) {
        fprintf(stderr, "skipped: %s\n", unavailable);
        skip();
    }
    struct spawn_result result = spawn("setsid sh -c 'trap \"\" TERM; while :; do sleep 1000; done' & echo ready >&3;"
                                       "while :; do sleep 1000; done");
    char path[64], wanted[160], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)result.pid);
    snprintf(wanted, sizeof(wanted), "%s/server-7\n", slice.name);
    assert_true(kernel_file_read(path, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, wanted));

    char events[CGROUP_PATH_MAX];
    uint64_t frozen = 0, populated = 1;
    leaf_path(&leaf, CONTROLLER_CPU, "cgroup.events", events);
    assert_int_equal(slice.ops->freeze(&leaf, true, NULL), 0);
    for (int i = 0; i < TRIES && frozen == 0; i++) {
        assert_true(kernel_file_read(events, text, sizeof(text)) > 0);
        assert_true(kernel_text_field(text, "frozen", &frozen));
        poll(NULL, 0, frozen == 0 ? TRY_MS : 0);
    }
    assert_int_equal(frozen, 1);

    assert_int_equal(slice.ops->kill(&leaf), -EBUSY); /* frozen as it is */
    expect_killed(&result);
    for (int i = 0; i < TRIES && populated != 0; i++) {
        assert_true(kernel_file_read(events, text, sizeof(text)) > 0);
        assert_true(kernel_text_field(text, "populated", &populated));
        poll(NULL, 0, populated != 0 ? TRY_MS : 0);
    }
    assert_int_equal(populated, 0);
    assert_int_equal(slice.ops->kill(&leaf), 0);
}

static void leftovers_are_cleared_but_for_the_supervisor(void **state)
{
    (void)state;
    if (unavailable != NULL) {
        skip();
    }
    char nested[CGROUP_PATH_MAX * 2], supervisor[CGROUP_PATH_MAX * 2];
    snprintf(nested, sizeof(nested), "%s/nested", leaf_directory);
    snprintf(supervisor, sizeof(supervisor), "%s/supervisor", slice.hierarchies[CONTROLLER_CPU].directory);
    struct spawn_result result = spawn("echo ready >&3; while :; do sleep 1000; done");
    assert_int_equal(mkdir(nested, 0755), 0);
    assert_int_equal(mkdir(supervisor, 0755), 0);
    slice.hierarchies[CONTROLLER_CPU].usable = true;
    struct error err = {0};
    assert_int_equal(slice.ops->clean(&slice, NULL, &err), 0);
    assert_int_equal(access(leaf_directory, F_OK), -1);
    assert_int_equal(access(supervisor, F_OK), 0);
    assert_int_equal(rmdir(supervisor), 0);
    expect_killed(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_is_born_in_its_cgroup_and_killed_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leftovers_are_cleared_but_for_the_supervisor, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
