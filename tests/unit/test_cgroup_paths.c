/* runtime/process: what is read from /proc and the cgroup files, from texts of hosts of several kinds. */
#include "supervisor/runtime/process/cgroup_paths.h"
#include "supervisor/runtime/process/delegation.h"
#include "supervisor/runtime/process/kernel_file.h"
#include "supervisor/runtime/process/ready_pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char hybrid_cgroup[] = "4:memory:/box/7\n"
                                    "2:cpu,cpuacct:/\n"
                                    "1:name=systemd:/user.slice\n"
                                    "0::/user.slice/session-1.scope\n";

static const char hybrid_mounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 master:1 - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 /box /sys/fs/cgroup/a\\040b rw,relatime - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

static void own_paths_are_found_per_controller(void **state)
{
    (void)state;
    char path[CGROUP_PATH_MAX];
    assert_true(cgroup_paths_own(hybrid_cgroup, "memory", path));
    assert_string_equal(path, "/box/7");
    assert_true(cgroup_paths_own(hybrid_cgroup, "cpuacct", path));
    assert_string_equal(path, "/");
    assert_true(cgroup_paths_own(hybrid_cgroup, NULL, path));
    assert_string_equal(path, "/user.slice/session-1.scope");
    assert_false(cgroup_paths_own(hybrid_cgroup, "cpua", path));
    assert_false(cgroup_paths_own(hybrid_cgroup, "pids", path));
    assert_false(cgroup_paths_own("", NULL, path));
    assert_false(cgroup_paths_own("garbage\n4:memory\n", "memory", path));
}

static void mounts_are_found_with_their_roots(void **state)
{
    (void)state;
    char mount[CGROUP_PATH_MAX], root[CGROUP_PATH_MAX];
    assert_true(cgroup_paths_mount(hybrid_mounts, "cpuacct", mount, root));
    assert_string_equal(mount, "/sys/fs/cgroup/cpu,cpuacct");
    assert_string_equal(root, "/");
    assert_true(cgroup_paths_mount(hybrid_mounts, "memory", mount, root));
    assert_string_equal(mount, "/sys/fs/cgroup/a b");
    assert_string_equal(root, "/box");
    assert_true(cgroup_paths_mount(hybrid_mounts, NULL, mount, root));
    assert_string_equal(mount, "/sys/fs/cgroup/unified");
    assert_false(cgroup_paths_mount(hybrid_mounts, "pids", mount, root));
    assert_false(cgroup_paths_mount("1 2 3\n", NULL, mount, root));
}

static void paths_are_taken_relative_to_the_mount(void **state)
{
    (void)state;
    char relative[CGROUP_PATH_MAX];
    assert_true(cgroup_paths_relative("/", "/", relative));
    assert_string_equal(relative, "");
    assert_true(cgroup_paths_relative("/a/b", "/", relative));
    assert_string_equal(relative, "a/b");
    assert_true(cgroup_paths_relative("/docker/x", "/docker/x", relative));
    assert_string_equal(relative, "");
    assert_true(cgroup_paths_relative("/docker/x/y/", "/docker/x", relative));
    assert_string_equal(relative, "y");
    assert_false(cgroup_paths_relative("/docker/xy", "/docker/x", relative));
    assert_false(cgroup_paths_relative("/../outside", "/", relative));
}

static void controllers_are_read_as_whole_words(void **state)
{
    (void)state;
    unsigned all = CONTROLLER_BIT(CONTROLLER_CPU) | CONTROLLER_BIT(CONTROLLER_IO) | CONTROLLER_BIT(CONTROLLER_MEMORY) |
                   CONTROLLER_BIT(CONTROLLER_PIDS);
    assert_int_equal(delegation_parse_controllers("cpuset cpu io memory hugetlb pids rdma misc\n"), all);
    assert_int_equal(delegation_parse_controllers("cpuset hugetlb\n"), 0);
    assert_int_equal(delegation_parse_controllers(""), 0);
    assert_int_equal(delegation_parse_controllers("\n"), 0);
}

static void the_leaf_of_an_earlier_farmd_is_cut_off(void **state)
{
    (void)state;
    char in_leaf[] = "user.slice/run-1.scope/farmd-8000/supervisor";
    char at_root[] = "farmd-8000/supervisor";
    char other[] = "user.slice/farmd-9000/supervisor";
    char longer[] = "user.slice/xfarmd-8000/supervisor";
    delegation_strip_leaf(in_leaf, "farmd-8000");
    assert_string_equal(in_leaf, "user.slice/run-1.scope");
    delegation_strip_leaf(at_root, "farmd-8000");
    assert_string_equal(at_root, "");
    delegation_strip_leaf(other, "farmd-8000");
    assert_string_equal(other, "user.slice/farmd-9000/supervisor");
    delegation_strip_leaf(longer, "farmd-8000");
    assert_string_equal(longer, "user.slice/xfarmd-8000/supervisor");
}

static void numbers_and_fields_are_picked_from_kernel_texts(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_int_equal(kernel_text_number("18446744073709551615\n", 0), UINT64_MAX);
    assert_int_equal(kernel_text_number("max\n", 5), 5);
    assert_int_equal(kernel_text_number("-1\n", 0), 0);
    static const char events[] = "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n";
    assert_true(kernel_text_field(events, "oom_kill", &value));
    assert_int_equal(value, 5);
    assert_true(kernel_text_field(events, "oom", &value));
    assert_int_equal(value, 4);
    assert_false(kernel_text_field(events, "kill", &value));
    assert_false(kernel_text_field("", "oom", &value));
}

static void a_group_killed_whole_is_one_oom_kill(void **state)
{
    (void)state;
    assert_int_equal(cgroup_oom_kills("max 3\noom 1\noom_kill 2\noom_group_kill 1\n"), 1);
    /* between the first victim and the rest of its group */
    assert_int_equal(cgroup_oom_kills("max 3\noom 1\noom_kill 1\noom_group_kill 0\n"), 1);
    assert_int_equal(cgroup_oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"), 3);
    assert_int_equal(cgroup_oom_kills(""), 0);
}

static void v2_statistics_are_summed_over_devices(void **state)
{
    (void)state;
    /* Through the real sampler, from files of the same form. */
    static const char *const texts[LEAF_STAT_COUNT] = {
        [LEAF_STAT_CPU] = "usage_usec 1500\nuser_usec 1\nnr_periods 10\nnr_throttled 4\nthrottled_usec 250\n",
        [LEAF_STAT_MEMORY] = "4096\n",
        [LEAF_STAT_OOM] = "oom 2\noom_kill 3\n",
        [LEAF_STAT_PIDS] = "6\n",
        [LEAF_STAT_IO] = "8:0 rbytes=100 wbytes=20 rios=1 wios=1\n8:16 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=9\n",
    };
    struct slice slice = {.ops = &slice_v2_ops};
    struct leaf leaf = {.slice = &slice};
    FILE *files[LEAF_STAT_COUNT] = {NULL};
    for (int i = 0; i < LEAF_STAT_COUNT; i++) {
        leaf.stats[i] = -1;
        if (texts[i] != NULL) {
            files[i] = tmpfile();
            assert_non_null(files[i]);
            fputs(texts[i], files[i]);
            fflush(files[i]);
            leaf.stats[i] = fileno(files[i]);
        }
    }
    struct runtime_sample sample;
    slice_v2_ops.sample(&leaf, &sample);
    assert_int_equal(sample.cpu_ns, 1500000);
    assert_int_equal(sample.throttled_ns, 250000);
    assert_int_equal(sample.periods, 10);
    assert_int_equal(sample.periods_throttled, 4);
    assert_int_equal(sample.memory, 4096);
    assert_int_equal(sample.oom_kills, 3);
    assert_int_equal(sample.pids, 6);
    assert_int_equal(sample.io_read, 101);
    assert_int_equal(sample.io_written, 22);
    assert_int_equal(sample.have, RUNTIME_HAVE_CPU | RUNTIME_HAVE_THROTTLED | RUNTIME_HAVE_MEMORY | RUNTIME_HAVE_OOM |
                                      RUNTIME_HAVE_PIDS | RUNTIME_HAVE_IO);
    for (int i = 0; i < LEAF_STAT_COUNT; i++) {
        if (files[i] != NULL) {
            fclose(files[i]);
        }
    }
}

static void readiness_comes_in_lines(void **state)
{
    (void)state;
    struct ready_pipe pipe = {.fd = -1};
    assert_false(ready_pipe_feed(&pipe, "rea", 3));
    assert_false(ready_pipe_feed(&pipe, "dy", 2));
    assert_true(ready_pipe_feed(&pipe, "\nrest", 5));
    assert_false(ready_pipe_feed(&pipe, "\nready now\n", 11));
    assert_string_equal(pipe.detail, "");
    static const char error_line[] = "error EADDRINUSE port \x1b[31m 8001\n";
    assert_false(ready_pipe_feed(&pipe, error_line, strlen(error_line)));
    assert_string_equal(pipe.detail, "error EADDRINUSE port  [31m 8001");
}

static void a_line_without_end_is_cut(void **state)
{
    (void)state;
    struct ready_pipe pipe = {.fd = -1};
    char long_text[2000];
    memset(long_text, 'x', sizeof(long_text));
    memcpy(long_text, "error ", 6);
    assert_false(ready_pipe_feed(&pipe, long_text, sizeof(long_text)));
    assert_false(ready_pipe_feed(&pipe, "\n", 1));
    assert_int_equal(strlen(pipe.detail), READY_DETAIL_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_paths_are_found_per_controller),
        cmocka_unit_test(mounts_are_found_with_their_roots),
        cmocka_unit_test(paths_are_taken_relative_to_the_mount),
        cmocka_unit_test(controllers_are_read_as_whole_words),
        cmocka_unit_test(the_leaf_of_an_earlier_farmd_is_cut_off),
        cmocka_unit_test(numbers_and_fields_are_picked_from_kernel_texts),
        cmocka_unit_test(a_group_killed_whole_is_one_oom_kill),
        cmocka_unit_test(v2_statistics_are_summed_over_devices),
        cmocka_unit_test(readiness_comes_in_lines),
        cmocka_unit_test(a_line_without_end_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
