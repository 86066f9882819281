/*
 * What libcgroup does for farmd, and the only file that includes it: find the hierarchies, create the slice, change
 * settings. Apart so that the rest neither knows its types nor its error numbers.
 *
 * Not left to libcgroup, because it cannot or takes too long: reading statistics (its iterators open a file by path for
 * every value), reading limits back (cgroup_get_cgroup reads every file of a controller, and gives up at the first that
 * is write-only), making a leaf with its first values (it reads all of /proc/mounts again for each controller and each value:
 * more than half of the time that starting a server took), removing cgroups (it tells success where the kernel has refused
 * because one is busy), birth in a cgroup (clone3), cgroup.kill, cgroup.freeze, and v1's freezer. Those work on the files
 * below the paths that are found here.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_CGROUP_H
#define SUPERVISOR_RUNTIME_PROCESS_CGROUP_H

#include "core/error.h"

#include <stddef.h>

/* The controllers that matter here. CPUACCT and FREEZER are v1 only: part of cpu and of the core in v2. IO is v1's blkio
 * and v2's io. */
enum controller {
    CONTROLLER_CPU,
    CONTROLLER_CPUACCT,
    CONTROLLER_MEMORY,
    CONTROLLER_PIDS,
    CONTROLLER_FREEZER,
    CONTROLLER_IO,
    CONTROLLER_COUNT
};

enum cgroup_version { CGROUP_VERSION_1, CGROUP_VERSION_2 };

/* NULL for a controller that the version does not have. */
const char *controller_name(enum controller controller, enum cgroup_version version);

#define CONTROLLER_BIT(controller) (1U << (controller))

/* One setting: a file of a controller and what is written to it. */
struct cgroup_value {
    enum controller controller;
    const char *file;
    char text[32];
};

/* A cgroup of one name below the mount points of some controllers. */
struct cgroup_place {
    enum cgroup_version version;
    unsigned controllers; /* CONTROLLER_BITs */
    const char *name;     /* "farmd-8000/server-7": relative to the mount points */
};

/* Reads the mounts; once, before anything else here. Fails with -ENOTSUP where no hierarchy is mounted. */
int cgroup_library_open(struct error *err);

/* Where a controller is mounted; -ENOENT when it is not. `size` should be CGROUP_PATH_MAX. */
int cgroup_mount_point(enum controller controller, enum cgroup_version version, char *path, size_t size);

/* Creates the cgroup for all its controllers, parents included. It is no error when the cgroup is there already. */
int cgroup_place_create(const struct cgroup_place *place, struct error *err);

/* Writes one value to a cgroup that exists. */
int cgroup_place_set(const struct cgroup_place *place, const struct cgroup_value *value, struct error *err);

#endif
