/*
 * Where the control groups of this process are: from the lines of /proc/self/cgroup and /proc/self/mountinfo to
 * directories, for cgroup v1 (a hierarchy per controller), v2 (one for all) and both at once. Separate from vitals so
 * that it can be tested on text.
 */
#ifndef WORKER_CGROUP_H
#define WORKER_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_PATH_MAX 512

struct cgroup_place {
    int version;                     /* 1 or 2; 0: none found yet */
    char group[CGROUP_PATH_MAX];     /* the group's path as /proc/self/cgroup has it */
    char directory[CGROUP_PATH_MAX]; /* where it is mounted; empty until a mount was found */
};

/* Looks at one line of /proc/self/cgroup. A v1 hierarchy with the controller wins over the v2 one. */
void cgroup_place_scan_group(struct cgroup_place *place, const char *line, const char *controller);

/* Looks at one line of /proc/self/mountinfo, after all the groups were scanned. */
void cgroup_place_scan_mount(struct cgroup_place *place, const char *line, const char *controller);

/* Does both for the running process; false when the controller's group is not to be seen. */
bool cgroup_locate(struct cgroup_place *place, const char *controller);

#endif
