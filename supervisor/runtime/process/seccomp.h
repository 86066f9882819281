/*
 * The system call filter of farm-worker, whose calls are known: built once as a BPF program, installed by each child right
 * before exec. User's programs get none, since nobody knows what they call.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_SECCOMP_H
#define SUPERVISOR_RUNTIME_PROCESS_SECCOMP_H

#include "core/error.h"

#include <linux/filter.h>

/* Builds the filter; the caller frees with seccomp_filter_free. *filter is NULL on success where this build of farmd has
 * none (sanitizers). */
int seccomp_filter_build(struct sock_fprog **filter, struct error *err);
void seccomp_filter_free(struct sock_fprog *filter); /* NULL is fine */

#endif
