/*
 * Where a slice may lie in cgroup v2, and how it gets its controllers: the rules of delegation. A cgroup with controllers
 * for its children may hold no process itself, so farmd moves to a leaf of the slice when it sits in the cgroup that the
 * slice lies in, and moves back at the end.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_DELEGATION_H
#define SUPERVISOR_RUNTIME_PROCESS_DELEGATION_H

#include "supervisor/runtime/process/slice.h"

#define DELEGATION_LEAF "supervisor"

/* Undoes slice_v2_open: farmd back to where it was, the slice removed. Not while there are servers in it. */
void delegation_close(struct slice *slice);

/* The controllers that a text as in cgroup.controllers or cgroup.subtree_control names, as CONTROLLER_BITs. */
unsigned delegation_parse_controllers(const char *text);

/* Cuts "farmd-8000/supervisor" from the end of farmd's own path: an earlier farmd was killed and its terminal still sits
 * in the leaf. Whether it was there. */
bool delegation_strip_leaf(char *own, const char *slice);

#endif
