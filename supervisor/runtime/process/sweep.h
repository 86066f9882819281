/*
 * What earlier runs left and nobody adopted: their processes ended, their cgroups and counter files removed. In a thread,
 * so that the servers that were adopted are watched, probed and measured meanwhile.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_SWEEP_H
#define SUPERVISOR_RUNTIME_PROCESS_SWEEP_H

#include "supervisor/runtime/runtime.h"

#include <stdbool.h>
#include <stddef.h>

/* Names of servers that a sweep leaves alone. */
struct spared {
    size_t count, capacity;
    char **names;
};

void spared_add(struct spared *spared, const char *name);
void spared_sort(struct spared *spared);                        /* before the first look */
bool spared_has(const struct spared *spared, const char *name); /* NULL spares nobody */
void spared_done(struct spared *spared);

/* See runtime_ops.sweep. */
void process_sweep(struct runtime *runtime, const struct runtime_sweep *what);

#endif
