/*
 * Removes what a farm leaves behind when it is down: logs, history and what was set aside. Only files that farmd itself
 * makes; others in its directories stay, and the directories with them.
 */
#ifndef SUPERVISOR_CLI_PURGE_H
#define SUPERVISOR_CLI_PURGE_H

#include "core/error.h"

#include <stdint.h>

struct purged {
    unsigned files;
    uint64_t bytes; /* that they took on the disk */
};

/* The caller holds the lock of the state directory. On failure some files may be gone; `err` names the first that is
 * not. */
int purge_state(const char *state_dir, struct purged *purged, struct error *err);

#endif
