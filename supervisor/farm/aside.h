/*
 * What cannot be used is not thrown away: it is renamed, for whoever wants to look at it.
 */
#ifndef SUPERVISOR_FARM_ASIDE_H
#define SUPERVISOR_FARM_ASIDE_H

#include "core/error.h"

/* Renames it to "<path>.broken", or the first free of "<path>.broken.2" … ".9". Fills `err` with a sentence that begins
 * with `what`, says `why` and where it is now, or that it could not be moved; returns the new name (the caller frees it),
 * NULL when there is none. */
char *aside_rename(const char *path, const char *what, const struct error *why, struct error *err);

#endif
