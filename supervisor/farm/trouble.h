/*
 * What farmd itself is in want of: descriptors, processes, memory, room on a disk. Such a want strikes again with every
 * try for as long as it lasts, so it becomes one event when it begins, saying what to do, and one when it is over.
 */
#ifndef SUPERVISOR_FARM_TROUBLE_H
#define SUPERVISOR_FARM_TROUBLE_H

#include "core/error.h"
#include "supervisor/farm/events.h"

#include <stdbool.h>
#include <uv.h>

/* One row each in trouble.c. */
enum trouble {
    TROUBLE_ACCEPT,     /* connections to the API */
    TROUBLE_PROBES,     /* of servers that run */
    TROUBLE_STARTS,     /* of servers */
    TROUBLE_STATE,      /* writing the state file */
    TROUBLE_LOGS,       /* bounding the servers' logs, or room for them */
    TROUBLE_STATISTICS, /* reading them */
    TROUBLE_LIMITS,     /* putting them in force */
    TROUBLE_CGROUPS,    /* removing those of ended servers */
    TROUBLE_HISTORY,    /* writing down events and load tests */
    TROUBLE_COUNT
};

struct troubles;

struct troubles *troubles_new(uv_loop_t *loop, struct events *events);
void troubles_free(struct troubles *troubles); /* NULL is fine; run the loop once more after it */

/* A try failed with `err`, whose message is the event's. */
void trouble_struck(struct troubles *troubles, enum trouble trouble, const struct error *err);
/* A try went well. When none has failed for a while the trouble is over. */
void trouble_passed(struct troubles *troubles, enum trouble trouble);

bool trouble_is_on(const struct troubles *troubles, enum trouble trouble);

/* Whether an errno tells of a want of this machine or of farmd, rather than of a mistake. */
bool trouble_is_want(int code);

#endif
