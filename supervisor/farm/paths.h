/*
 * Where the files of a farm are: all follow from the state and the runtime directory of its settings. Shared by the
 * farm and by the commands that look for one.
 */
#ifndef SUPERVISOR_FARM_PATHS_H
#define SUPERVISOR_FARM_PATHS_H

#include "core/error.h"
#include "supervisor/config/settings.h"

struct farm_paths {
    char *instance;    /* "farmd", or beside other farms "farmd-1a2b3c4d": names its cgroups and runtime directory */
    char *runtime_dir; /* this instance's own */
    char *state;       /* the state file */
    char *lock;
    char *history; /* the database of events and load tests */
    char *own_log; /* what a farmd in the background prints */
    char *control; /* the socket by which commands speak to the running farmd */
};

/* Nothing of it needs to exist. */
void farm_paths_init(struct farm_paths *paths, const struct settings *settings);
void farm_paths_done(struct farm_paths *paths);

/* The same, and makes the directories. On failure there is nothing to undo but what was made. */
int farm_paths_make(struct farm_paths *paths, const struct settings *settings, struct error *err);

#endif
