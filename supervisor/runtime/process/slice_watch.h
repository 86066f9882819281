/*
 * The cgroup of a process that somebody else has put there (a container's), to be read and never written: statistics, limits
 * in force, pressure.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_SLICE_WATCH_H
#define SUPERVISOR_RUNTIME_PROCESS_SLICE_WATCH_H

#include "supervisor/runtime/process/slice.h"

/* `name` is part of what the leaf is called, or the process is not the one that was meant: a number of another PID namespace.
 * A slice and a leaf as slice.h has them, for leaf_sample, leaf_limits, leaf_pressure and leaf_oom_kills. -ESRCH: the
 * process is gone; -ENOTSUP: its cgroups cannot be seen from here. Both go with watched_leaf_free. */
int watched_leaf_open(pid_t pid, const char *name, struct leaf **leaf, struct error *err);
void watched_leaf_free(struct leaf *leaf); /* NULL is fine */

#endif
