/*
 * What the next farmd needs to know of this one: the processes that run, as pid and start time, in a small text file
 * that is replaced whole. Written from the thread pool, some time after the last change.
 */
#ifndef SUPERVISOR_FARM_STATEFILE_H
#define SUPERVISOR_FARM_STATEFILE_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/runtime/runtime.h"

#include <stddef.h>
#include <uv.h>

/* The processes of this boot that an earlier run recorded; *leftovers is malloc'd. A missing file gives none; one that
 * is not whole is set aside as "<path>.broken" and -EBADMSG returned. */
int statefile_load(const char *path, struct runtime_leftover **leftovers, size_t *count, struct error *err);

struct statefile;

struct statefile_calls {
    void (*compose)(struct buffer *out, void *data); /* appends a line for each process (statefile_add) */
    /* After each try to write it; `err` NULL: it is written. One that failed is tried again after a while. */
    void (*report)(const struct error *err, void *data);
};

struct statefile *statefile_new(uv_loop_t *loop, const char *path, const struct statefile_calls *calls, void *data);
void statefile_add(struct buffer *out, int server_id, pid_t pid, uint64_t start_time);
void statefile_touch(struct statefile *file); /* something changed */
void statefile_hold(struct statefile *file);  /* no more writing: what the file says stays true enough until removal */
void statefile_free(struct statefile *file);  /* removes the file; NULL is fine */

#endif
