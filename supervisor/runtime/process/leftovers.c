/*
 * What an earlier run left in a cgroup: killed, waited for within a deadline, removed. Separate from the kinds because a
 * leftover may have lost some of its hierarchies and may have cgroups of its own inside, so it is walked as directories
 * (libcgroup's recursive removal moves processes to the parent instead, where they would live on without limits). All
 * leaves are killed before any is waited for.
 */
#include "supervisor/runtime/process/slice.h"

#include "core/clock.h"
#include "supervisor/runtime/process/delegation.h"
#include "supervisor/runtime/process/kernel_file.h"
#include "supervisor/runtime/process/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LEFTOVER_DEPTH_MAX 16
#define LEFTOVER_POLL_MS 2
#define CLEAN_DEADLINE_NS (3 * NS_PER_SECOND)

/* A frozen leftover takes no SIGKILL on v1 and must be thawed; on a kind that has no such file nothing happens. */
static void thaw(const char *directory)
{
    char path[CGROUP_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/freezer.state", directory);
    kernel_file_write(path, "THAWED");
    snprintf(path, sizeof(path), "%s/cgroup.freeze", directory);
    kernel_file_write(path, "0");
}

/* One pass, children first. Returns 0 when the directory is gone. */
static int clean_once(const char *directory, int depth)
{
    DIR *dir = opendir(directory);
    if (dir == NULL) {
        return errno == ENOENT ? 0 : -errno;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[CGROUP_PATH_MAX];
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && depth < LEFTOVER_DEPTH_MAX &&
            snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) < (int)sizeof(path)) {
            clean_once(path, depth + 1);
        }
    }
    closedir(dir);
    if (rmdir(directory) == 0 || errno == ENOENT) {
        return 0;
    }
    int code = errno;
    cgroup_kill_listed(directory);
    thaw(directory);
    return -code;
}

/* One pass over all leaves in one hierarchy. */
static int clean_leaves(const char *directory, const struct spared *spared, const char *keep, char *stuck, size_t size)
{
    int rc = 0;
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char path[CGROUP_PATH_MAX * 2];
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || (keep != NULL && strcmp(entry->d_name, keep) == 0) ||
            spared_has(spared, entry->d_name)) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        int one = clean_once(path, 0);
        if (one != 0) {
            rc = one;
            snprintf(stuck, size, "%s", path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return rc;
}

static void set_stuck(const char *path, int code, struct error *err)
{
    error_set_errno(err, -code, "cannot remove the leftover cgroup %s; end what is in it, then rmdir it", path);
}

int cgroup_clean(const struct slice *slice, const enum controller *controllers, size_t count,
                 const struct spared *spared, const char *keep, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + CLEAN_DEADLINE_NS;
    for (;;) {
        char stuck[ERROR_MESSAGE_MAX / 2];
        int rc = 0;
        for (size_t i = 0; i < count; i++) {
            if (slice->hierarchies[controllers[i]].usable) {
                int one =
                    clean_leaves(slice->hierarchies[controllers[i]].directory, spared, keep, stuck, sizeof(stuck));
                rc = one != 0 ? one : rc;
            }
        }
        if (rc == 0) {
            return 0;
        }
        if (clock_monotonic_ns() >= deadline_ns) {
            set_stuck(stuck, rc, err);
            return rc;
        }
        poll(NULL, 0, LEFTOVER_POLL_MS);
    }
}

/* Only what is a cgroup and has the name of the slice: the path comes from a file. */
static bool is_slice(const char *directory, const char *name)
{
    struct statfs fs;
    const char *slash = strrchr(directory, '/');
    return slash != NULL && strcmp(slash + 1, name) == 0 && statfs(directory, &fs) == 0 &&
           (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

void cgroup_remove_slice(const char *directory, const char *name, struct error *err)
{
    int64_t deadline_ns = clock_monotonic_ns() + CLEAN_DEADLINE_NS;
    char stuck[ERROR_MESSAGE_MAX / 2];
    int rc;
    if (!is_slice(directory, name)) {
        return;
    }
    while ((rc = clean_leaves(directory, NULL, DELEGATION_LEAF, stuck, sizeof(stuck))) != 0) {
        if (clock_monotonic_ns() >= deadline_ns) {
            set_stuck(stuck, rc, err);
            return;
        }
        poll(NULL, 0, LEFTOVER_POLL_MS);
    }
    /* The supervisor's leaf may hold the shell that starts farmd anew: then both stay. */
    char supervisor[CGROUP_PATH_MAX * 2];
    snprintf(supervisor, sizeof(supervisor), "%s/" DELEGATION_LEAF, directory);
    rmdir(supervisor);
    rmdir(directory);
}
