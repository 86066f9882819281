/* farm/paths: the directories of a farm are made, wherever the disk has room for their files. */
#include "core/memory.h"
#include "supervisor/farm/paths.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned marks(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned flags = 0;
    assert_true(fd >= 0);
    return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 ? flags : 0;
}

static void directories_are_made_and_bear_no_mark(void **state)
{
    (void)state;
    char base[] = "/tmp/farmd-paths-XXXXXX", state_dir[64], runtime_dir[64], logs[80];
    assert_non_null(mkdtemp(base));
    snprintf(state_dir, sizeof(state_dir), "%s/a/state", base);
    snprintf(runtime_dir, sizeof(runtime_dir), "%s/run", base);
    snprintf(logs, sizeof(logs), "%s/logs", state_dir);
    struct settings settings = {.state_dir = state_dir, .runtime_dir = runtime_dir};
    for (int i = 0; i < 2; i++) { /* the second time they are there */
        struct farm_paths paths;
        struct error err = {0};
        assert_int_equal(farm_paths_make(&paths, &settings, &err), 0);
        struct stat status;
        assert_int_equal(stat(logs, &status), 0);
        assert_true(S_ISDIR(status.st_mode));
        assert_int_equal(status.st_mode & 0777, 0755);
        assert_int_equal(marks(state_dir) & FS_TOPDIR_FL, 0);
        assert_int_equal(marks(logs) & FS_TOPDIR_FL, 0);
        rmdir(paths.runtime_dir);
        farm_paths_done(&paths);
    }
    char parent[64];
    snprintf(parent, sizeof(parent), "%s/a", base);
    const char *const made[] = {logs, state_dir, parent, runtime_dir, base};
    for (size_t i = 0; i < ARRAY_SIZE(made); i++)
        assert_int_equal(rmdir(made[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(directories_are_made_and_bear_no_mark)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
