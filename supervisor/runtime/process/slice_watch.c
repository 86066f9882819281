/*
 * Where a process sits is read from /proc once; what the kernel calls its cgroup, cut at the last slash, is leaf and slice.
 */
#include "supervisor/runtime/process/slice_watch.h"

#include "core/memory.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 32768

/* The cgroup in one hierarchy, as a path that can be opened. */
static bool find_place(const char *cgroups, const char *mountinfo, const char *name, char path[CGROUP_PATH_MAX])
{
    char own[CGROUP_PATH_MAX], mount[CGROUP_PATH_MAX], root[CGROUP_PATH_MAX], relative[CGROUP_PATH_MAX];

    return cgroup_paths_mount(mountinfo, name, mount, root) && cgroup_paths_own(cgroups, name, own) &&
           cgroup_paths_relative(own, root, relative) && *relative &&
           (size_t)snprintf(path, CGROUP_PATH_MAX, "%s/%s", mount, relative) < CGROUP_PATH_MAX &&
           access(path, R_OK | X_OK) == 0;
}

/* The leaf is called the same in every hierarchy, or that hierarchy is left out. */
static bool split(struct leaf *leaf, struct slice_hierarchy *hierarchy, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = (size_t)(slash - path);

    if (*leaf->name == '\0' && strlen(slash + 1) < sizeof(leaf->name))
        snprintf(leaf->name, sizeof(leaf->name), "%s", slash + 1);
    if (strcmp(leaf->name, slash + 1) != 0)
        return false;
    memcpy(hierarchy->directory, path, length);
    hierarchy->directory[length] = '\0';
    return true;
}

static bool has_file(const char *directory, const char *file)
{
    char path[CGROUP_PATH_MAX + 64];

    snprintf(path, sizeof(path), "%s/%s", directory, file);
    return access(path, R_OK) == 0;
}

/* v2 with controllers, or v1: what the process is limited by. */
static void find_hierarchies(struct leaf *leaf, const char *cgroups, const char *mountinfo)
{
    static const char *const v2_files[CONTROLLER_COUNT] = {[CONTROLLER_CPU] = "cpu.max",
                                                           [CONTROLLER_MEMORY] = "memory.max",
                                                           [CONTROLLER_PIDS] = "pids.max",
                                                           [CONTROLLER_IO] = "io.stat"};
    struct slice *slice = leaf->slice;
    char path[CGROUP_PATH_MAX];

    bool unified = find_place(cgroups, mountinfo, NULL, path) && has_file(path, v2_files[CONTROLLER_MEMORY]);
    slice->version = unified ? CGROUP_VERSION_2 : CGROUP_VERSION_1;
    slice->ops = unified ? &slice_v2_ops : &slice_v1_ops;
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        struct slice_hierarchy *hierarchy = &slice->hierarchies[c];
        const char *name = controller_name((enum controller)c, slice->version);
        if (unified)
            hierarchy->usable = v2_files[c] && has_file(path, v2_files[c]) && split(leaf, hierarchy, path);
        else
            hierarchy->usable = name && find_place(cgroups, mountinfo, name, path) && split(leaf, hierarchy, path);
    }
}

int watched_leaf_open(pid_t pid, const char *name, struct leaf **result, struct error *err)
{
    cleanup_free char *cgroups = xmalloc(TEXT_MAX);
    cleanup_free char *mountinfo = xmalloc(TEXT_MAX);
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    if (kernel_file_read(path, cgroups, TEXT_MAX) <= 0)
        return error_set(err, ESRCH, "process %d is gone", (int)pid);
    if (kernel_file_read("/proc/self/mountinfo", mountinfo, TEXT_MAX) <= 0)
        return error_set(err, ENOTSUP, "the mounts of this machine cannot be read");
    struct leaf *leaf = xcalloc(1, sizeof(*leaf));
    leaf->slice = xcalloc(1, sizeof(*leaf->slice));
    leaf->pid = pid;
    leaf->pidfd = -1;
    find_hierarchies(leaf, cgroups, mountinfo);
    bool usable = leaf->slice->hierarchies[CONTROLLER_MEMORY].usable || leaf->slice->hierarchies[CONTROLLER_CPU].usable;
    if (!usable || !strstr(leaf->name, name)) {
        watched_leaf_free(leaf);
        return error_set(err, ENOTSUP, "the cgroups of process %d cannot be seen from here", (int)pid);
    }
    *result = leaf;
    return 0;
}

void watched_leaf_free(struct leaf *leaf)
{
    if (!leaf)
        return;
    leaf_close(leaf);
    free(leaf->slice);
    free(leaf);
}
