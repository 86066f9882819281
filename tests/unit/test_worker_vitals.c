/* worker/vitals and worker/cgroup: the texts of the kernel's files. */
#include "worker/cgroup.h"
#include "worker/vitals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void reads_cpu_max(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool limited;
        double cores;
    } rows[] = {
        {"50000 100000\n", true, 0.5},
        {"250000 100000\n", true, 2.5},
        {"max 100000\n", false, 0},
        {"-1 100000\n", false, 0},
        {"", false, 0},
        {"50000\n", false, 0},
        {"0 100000\n", false, 0},
        {"50000 0\n", false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        double cores = -1;
        assert_int_equal(vitals_parse_cpu_max(rows[i].text, &cores), rows[i].limited);
        assert_true(cores == (rows[i].limited ? rows[i].cores : -1));
    }
}

static void reads_bytes(void **state)
{
    (void)state;
    uint64_t bytes = 7;

    assert_true(vitals_parse_bytes("268435456\n", &bytes));
    assert_true(bytes == 268435456);
    assert_true(vitals_parse_bytes("0", &bytes));
    assert_true(bytes == 0);
    bytes = 7;
    assert_false(vitals_parse_bytes("max\n", &bytes));
    assert_false(vitals_parse_bytes("", &bytes));
    assert_false(vitals_parse_bytes("-1\n", &bytes));
    assert_false(vitals_parse_bytes("12x\n", &bytes));
    assert_false(vitals_parse_bytes("99999999999999999999999\n", &bytes));
    assert_true(bytes == 7);
}

static void reads_stat_lines(void **state)
{
    (void)state;
    static const char memory_stat[] = "anon 1000\nfile 2000\ninactive_file 300\ntotal_inactive_file 4000\n";
    static const char meminfo[] =
        "MemTotal:        8039396 kB\nMemFree:          123456 kB\nMemAvailable:    7654321 kB\n";
    uint64_t value = 0;

    assert_true(vitals_parse_stat(memory_stat, "inactive_file", &value));
    assert_true(value == 300);
    assert_true(vitals_parse_stat(memory_stat, "total_inactive_file", &value));
    assert_true(value == 4000);
    assert_true(vitals_parse_stat(memory_stat, "anon", &value));
    assert_true(value == 1000);
    assert_false(vitals_parse_stat(memory_stat, "active_file", &value));
    assert_false(vitals_parse_stat("usage_usec x\n", "usage_usec", &value));
    assert_false(vitals_parse_stat("", "anon", &value));
    assert_true(vitals_parse_stat(meminfo, "MemTotal", &value));
    assert_true(value == 8039396);
    assert_true(vitals_parse_stat(meminfo, "MemAvailable", &value));
    assert_true(value == 7654321);
}

static void adds_busy_ticks(void **state)
{
    (void)state;
    uint64_t ticks = 0;

    /* all but idle (4th) and iowait (5th); guest time is part of user time */
    assert_true(vitals_parse_busy_ticks("cpu  100 20 3 4000 500 6 7 8 90 0\ncpu0 1 2 3 4\n", &ticks));
    assert_true(ticks == 100 + 20 + 3 + 6 + 7 + 8);
    assert_false(vitals_parse_busy_ticks("cpu  100 20\n", &ticks));
    assert_false(vitals_parse_busy_ticks("", &ticks));
}

static void scan(struct cgroup_place *place, const char *controller, const char *const *groups,
                 const char *const *mounts)
{
    *place = (struct cgroup_place){0};
    for (; *groups; groups++)
        cgroup_place_scan_group(place, *groups, controller);
    for (; *mounts; mounts++)
        cgroup_place_scan_mount(place, *mounts, controller);
}

static const char *const HYBRID_MOUNTS[] = {
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct",
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
    NULL,
};

static void finds_v1_groups(void **state)
{
    (void)state;
    static const char *const groups[] = {"4:memory:/farm/server-7", "2:cpu,cpuacct:/farm/server-7", "1:name=systemd:/x",
                                         "0::/other", NULL};
    struct cgroup_place place;

    scan(&place, "memory", groups, HYBRID_MOUNTS);
    assert_int_equal(place.version, 1);
    assert_string_equal(place.directory, "/sys/fs/cgroup/memory/farm/server-7");
    scan(&place, "cpuacct", groups, HYBRID_MOUNTS);
    assert_string_equal(place.directory, "/sys/fs/cgroup/cpu,cpuacct/farm/server-7");
    scan(&place, "pids", groups, HYBRID_MOUNTS); /* no v1 hierarchy has it: v2 must */
    assert_int_equal(place.version, 2);
    assert_string_equal(place.directory, "/sys/fs/cgroup/unified/other");
}

static void finds_v2_group(void **state)
{
    (void)state;
    static const char *const groups[] = {"0::/user.slice/farm/server-7", NULL};
    static const char *const mounts[] = {
        "24 1 0:21 / / rw - ext4 /dev/sda1 rw",
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
        NULL,
    };
    struct cgroup_place place;

    scan(&place, "memory", groups, mounts);
    assert_int_equal(place.version, 2);
    assert_string_equal(place.directory, "/sys/fs/cgroup/user.slice/farm/server-7");
}

/* In a container the mount's root is the container's own group. */
static void strips_the_mounts_root(void **state)
{
    (void)state;
    static const char *const groups[] = {"4:memory:/docker/abc/inner", NULL};
    static const char *const at_root[] = {"4:memory:/docker/abc", NULL};
    static const char *const elsewhere[] = {"4:memory:/docker/abcdef", NULL};
    static const char *const mounts[] = {
        "35 31 0:32 /docker/abc /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory", NULL};
    struct cgroup_place place;

    scan(&place, "memory", groups, mounts);
    assert_string_equal(place.directory, "/sys/fs/cgroup/my memory/inner");
    scan(&place, "memory", at_root, mounts);
    assert_string_equal(place.directory, "/sys/fs/cgroup/my memory");
    scan(&place, "memory", elsewhere, mounts);
    assert_string_equal(place.directory, "");
}

static void survives_other_lines(void **state)
{
    (void)state;
    static const char *const groups[] = {"", "4", "4:memory", "0::/../../outside", NULL};
    static const char *const mounts[] = {"", "1 2 3", "30 23 0:26 / /sys/fs/cgroup rw -", " - cgroup2 x", NULL};
    struct cgroup_place place;

    scan(&place, "memory", groups, mounts);
    assert_int_equal(place.version, 0);
    assert_string_equal(place.directory, "");
}

/* On whatever machine the tests run. */
static void figures_are_plausible(void **state)
{
    (void)state;
    struct vitals_memory memory = vitals_memory();
    struct vitals_disk disk = vitals_disk();
    struct vitals_cpu cpu = vitals_cpu();

    assert_true(memory.total > 0 && memory.percent > 0);
    assert_true(memory.available <= memory.total);
    assert_true(disk.total > 0 && disk.percent >= 0 && disk.percent <= 100);
    assert_true(cpu.cores > 0 && cpu.used_ns > 0);
    assert_true(vitals_cpu_count() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_cpu_max),          cmocka_unit_test(reads_bytes),
        cmocka_unit_test(reads_stat_lines),       cmocka_unit_test(adds_busy_ticks),
        cmocka_unit_test(finds_v1_groups),        cmocka_unit_test(finds_v2_group),
        cmocka_unit_test(strips_the_mounts_root), cmocka_unit_test(survives_other_lines),
        cmocka_unit_test(figures_are_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
