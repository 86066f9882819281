/*
 * Readiness: whoever started this worker may have left a pipe open (FARMD_READY_FD) and learns over it, without
 * polling, that the worker listens, or why it can't.
 */
#ifndef WORKER_READY_H
#define WORKER_READY_H

#include "core/error.h"

/* Writes "ready" and closes `fd`; nothing for a negative one. */
void ready_announce(int fd);

/* Writes "error <ERRNO NAME> <message>" and closes `fd`; nothing for a negative one. */
void ready_fail(int fd, const struct error *err);

#endif
