/*
 * What one farmd leaves to the one that takes its place in the same process, by exec: its descriptors and what is known
 * of them, written to a memory file whose number stands in the environment. The servers are in the state file.
 */
#ifndef SUPERVISOR_CLI_HANDOVER_H
#define SUPERVISOR_CLI_HANDOVER_H

#include "core/error.h"
#include "supervisor/api/api.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raised when a farmd of before could not read what one of today writes; farmd upgrade compares it first. */
#define HANDOVER_PROTOCOL 1

struct handover {
    char version[32];  /* of the farmd that gives */
    int64_t paused_ns; /* monotonic: since when no request has been begun */
    int lock_fd;       /* the farm's lock */
    int reply_fd;      /* where `farmd upgrade` waits; -1: nowhere */
    struct api_socket *sockets;
    size_t socket_count;
    const char *events; /* as events_save writes them */
    size_t events_length;
    char *text; /* as read; events and the input of the sockets lie in it */
};

void handover_init(struct handover *handover);
void handover_done(struct handover *handover); /* frees; closes nothing */

/* --- giving --- */

void handover_add(struct handover *handover, const struct api_socket *socket);

/* Writes all of it to a memory file and opens every descriptor for the next program: returns the file's descriptor, or a
 * negative code with nothing changed. handover_withdraw undoes it when the exec failed. */
int handover_give(const struct handover *handover, struct error *err);
void handover_withdraw(const struct handover *handover, int fd);

/* --- taking --- */

/* What this process left to itself: 1, or 0 when there is nothing, or a negative code. The variable of the environment is
 * gone after, and all descriptors are closed on exec again. */
int handover_take(struct handover *handover, struct error *err);

#endif
