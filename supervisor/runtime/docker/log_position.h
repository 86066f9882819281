/*
 * How far a container's log has been taken, so that over restarts of farmd and of the Engine no entry is lost and none taken
 * twice. The Engine gives entries in the order of its file, from a time on; it stamps them before it writes them, so their
 * times are in order but for a moment. Pure: nothing is read or written here.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_LOG_POSITION_H
#define SUPERVISOR_RUNTIME_DOCKER_LOG_POSITION_H

#include "supervisor/runtime/docker/container.h"

#include <stdbool.h>
#include <stdint.h>

/* So many entries with this time or a later one have been taken. */
struct log_mark {
    int64_t from_ns;
    uint64_t count;
};

struct log_position {
    char container[CONTAINER_ID_MAX];
    struct log_mark earlier, later; /* at least a second apart; what is asked for again begins with the earlier */
    int64_t last_ns;                /* the latest time of all */
    uint64_t skip;                  /* of those that come again, these have been taken */
};

/* Nothing has been taken; what is older than `since_ns` is not to be. */
struct log_position log_position_new(const char *container, int64_t since_ns);

/* Entries will come again; returns the time from which on they are to be asked for. */
int64_t log_position_resume(struct log_position *position);

/* The next entry has come: whether it is to be taken. */
bool log_position_take(struct log_position *position, int64_t at_ns);

#endif
