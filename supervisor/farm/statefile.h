/*
 * The file of a state (state.h): read once at the start, then replaced whole soon after each change, from the thread pool.
 */
#ifndef SUPERVISOR_FARM_STATEFILE_H
#define SUPERVISOR_FARM_STATEFILE_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/farm/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* What an earlier run left behind; *state is NULL when it left none. A file that cannot be used is set aside as
 * "<path>.broken", and a negative code and a sentence about it are returned. */
int statefile_load(const char *path, struct state **state, struct error *err);

/* The same for one that only looks while a farmd may be at work: the file stays where it is, and no sentence is made. */
int statefile_look(const char *path, struct state **state);

struct statefile;

struct statefile_calls {
    void (*compose)(struct buffer *out, void *data); /* appends the whole text */
    /* After each try to write it; `err` NULL: it is written. One that failed is tried again after a while. */
    void (*report)(const struct error *err, void *data);
    void (*closed)(void *data); /* after statefile_close: no write is under way any more */
};

struct statefile *statefile_new(uv_loop_t *loop, const char *path, const struct statefile_calls *calls, void *data);
void statefile_touch(struct statefile *file); /* something changed */
void statefile_hold(struct statefile *file);  /* no writing from now on: the file stays as it is, or is removed */
void statefile_release(struct statefile *file,
                       uint64_t delay_ms);                     /* again; what waits then is written after this time */
void statefile_hurry(struct statefile *file);                  /* what waits is written at once */
int statefile_save(struct statefile *file, struct error *err); /* at once; -EBUSY while it is held or being written */
/* Frees; the file is removed, or left to the next farmd. Until `closed` the state directory must stay locked. */
void statefile_close(struct statefile *file, bool leave);

#endif
