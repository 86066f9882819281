/*
 * `farmd down --purge`: what a stopped farm leaves on purpose.
 */
#ifndef SUPERVISOR_CLI_PURGE_H
#define SUPERVISOR_CLI_PURGE_H

#include "core/error.h"
#include "supervisor/config/settings.h"
#include "supervisor/farm/paths.h"

/* Removes the logs, the history and what was set aside of a farm that nobody runs, and the state directory when nothing
 * else is in it. Returns the number of files; -EBUSY when a farmd has just started. Files of others stay. */
int purge(const struct settings *settings, const struct farm_paths *paths, struct error *err);

#endif
