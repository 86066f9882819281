/*
 * The lock of a state directory: one farmd at a time works in it. The file carries the holder's pid.
 */
#ifndef SUPERVISOR_FARM_LOCK_H
#define SUPERVISOR_FARM_LOCK_H

#include "core/error.h"

/* Returns a descriptor to keep, or -EBUSY naming the holder, or another negative code. */
int lock_take(const char *path, struct error *err);

/* Removes the file while it is still held, so that nobody's new lock is removed. */
void lock_release(const char *path, int fd);

#endif
