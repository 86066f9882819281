/*
 * The lock of a state directory: one farmd at a time works in it. The file carries the holder's pid.
 */
#ifndef SUPERVISOR_FARM_LOCK_H
#define SUPERVISOR_FARM_LOCK_H

#include "core/error.h"

#include <sys/types.h>

/* Returns a descriptor to keep, or -EBUSY naming the holder, or another negative code. */
int lock_take(const char *path, struct error *err);

/* The same lock, taken by what this process was before it became another program by exec. Returns fd; it stays open on
 * failure. */
int lock_inherit(const char *path, int fd, struct error *err);

/* Finds the process that holds it: returns a pidfd of it, which the caller closes, and sets *pid. -ESRCH when there is
 * none (or none that this user may look at), another negative code when the file cannot be read. */
int lock_holder(const char *path, pid_t *pid, struct error *err);

/* Removes the file while it is still held, so that nobody's new lock is removed. */
void lock_release(const char *path, int fd);

#endif
