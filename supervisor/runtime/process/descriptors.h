/*
 * How many more descriptors farmd may open, so that what it can do without is given up before what it needs: first the
 * statistics, then further servers; probes and the API's peers keep the rest.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_DESCRIPTORS_H
#define SUPERVISOR_RUNTIME_PROCESS_DESCRIPTORS_H

#include "core/error.h"

#include <stdint.h>

#define DESCRIPTORS_KEPT_BY_STATS 64  /* statistics are opened while more than this is left */
#define DESCRIPTORS_KEPT_BY_STARTS 32 /* servers are started while more than this is left */

/* How many a farm of so many servers has open in the end. */
uint64_t descriptors_needed(unsigned servers);

/* Raises farmd's own limit to what so many servers need, or as far as it may, and returns it. */
uint64_t descriptors_raise(unsigned servers);

/* 0 while more than `kept` descriptors are left, else -EMFILE with the limit and how to raise it. */
int descriptors_check(unsigned kept, struct error *err);

#endif
