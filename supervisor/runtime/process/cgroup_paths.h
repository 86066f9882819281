/*
 * Where this process stands in the cgroup hierarchies: pure parsing of /proc/self/cgroup and /proc/self/mountinfo, apart
 * from the rest so that hosts of other kinds can be tested from text.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_CGROUP_PATHS_H
#define SUPERVISOR_RUNTIME_PROCESS_CGROUP_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_PATH_MAX 1024

/* The path of a v1 controller's cgroup in the text of /proc/self/cgroup, of the v2 cgroup for a NULL controller. */
bool cgroup_paths_own(const char *text, const char *controller, char path[CGROUP_PATH_MAX]);

/* Mount point and the cgroup that is mounted there (the root, except inside some containers) of a v1 controller, or of
 * v2 for a NULL controller, from the text of /proc/self/mountinfo. The first mount counts. */
bool cgroup_paths_mount(const char *text, const char *controller, char mount[CGROUP_PATH_MAX],
                        char root[CGROUP_PATH_MAX]);

/* `own` as seen below a mount of `root`: "" for the mount itself, else "a/b" without a slash at either end. False when
 * the mount does not show it. */
bool cgroup_paths_relative(const char *own, const char *root, char relative[CGROUP_PATH_MAX]);

#endif
