/*
 * The readiness pipe of one server: the server writes lines, farmd reads them from the loop. "ready" says that it listens;
 * "error ENAME text" says why it is about to give up, and is kept for the exit's detail. Anything else is ignored, and a
 * server that writes too much is not listened to any longer.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_READY_PIPE_H
#define SUPERVISOR_RUNTIME_PROCESS_READY_PIPE_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define READY_DETAIL_MAX 160

struct ready_pipe {
    uv_poll_t poll; /* data belongs to the owner */
    int fd;         /* read end, -1 once it was closed */
    char line[512]; /* what came without its newline yet */
    size_t length;
    size_t total;
    char detail[READY_DETAIL_MAX]; /* the error line, or "" */
};

/* Both ends, O_CLOEXEC. The server's can be read as well, so that writing to it neither raises SIGPIPE nor waits once farmd is
 * gone; farmd's still sees the end when all copies of the server's are closed. */
int ready_pipe_make(int *farmd_fd, int *server_fd, struct error *err);

/* Reads what is there. True when a "ready" line was among it. *ended: the writers are gone or too loud; stop polling. */
bool ready_pipe_read(struct ready_pipe *pipe, bool *ended);

/* The line handling by itself, for bytes from anywhere. */
bool ready_pipe_feed(struct ready_pipe *pipe, const char *bytes, size_t count);

#endif
