/*
 * Cgroups of ended runs that could not be removed yet: the kernel is still busy with one, or a process in it does not die.
 * Nobody waits for them; they are tried again from time to time until they are gone, or their server starts anew in one.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_LINGERING_H
#define SUPERVISOR_RUNTIME_PROCESS_LINGERING_H

#include "core/error.h"
#include "supervisor/runtime/process/slice.h"

#include <uv.h>

struct lingering;

struct lingering *lingering_new(uv_loop_t *loop, struct slice *slice);
/* Tries a last time and says what is left behind. Before the slice is closed; run the loop once more after it. */
void lingering_free(struct lingering *lingering);

/* `code`: why it is still there, negative. The leaf is copied. */
void lingering_add(struct lingering *lingering, const struct leaf *leaf, int code);

/* Before a new run: 0 when no cgroup of that name lingers or it is empty, and from then on the new run's; -EBUSY while
 * something lives in it. */
int lingering_reuse(struct lingering *lingering, const char *name, struct error *err);

#endif
