/*
 * Readiness lines; see ready_pipe.h.
 */
#include "supervisor/runtime/process/ready_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOTAL_MAX 4096

int ready_pipe_make(int *farmd_fd, int *server_fd, struct error *err)
{
    int ends[2];
    char path[40];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set_errno(err, errno, "cannot make the readiness pipe");
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
    int both = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (both < 0) {
        int code = errno;
        close(ends[0]);
        close(ends[1]);
        return error_set_errno(err, code, "cannot open the readiness pipe");
    }
    close(ends[1]);
    *farmd_fd = ends[0];
    *server_fd = both;
    return 0;
}

static bool take_line(struct ready_pipe *pipe)
{
    static const char error_word[] = "error ";
    if (strcmp(pipe->line, "ready") == 0) {
        return true;
    }
    if (strncmp(pipe->line, error_word, strlen(error_word)) == 0) {
        snprintf(pipe->detail, sizeof(pipe->detail), "%.*s", READY_DETAIL_MAX - 1, pipe->line);
        /* It ends in logs, events and on terminals. */
        for (char *c = pipe->detail; *c != '\0'; c++) {
            if ((unsigned char)*c < ' ' || *c == 0x7f) {
                *c = ' ';
            }
        }
    }
    return false;
}

bool ready_pipe_feed(struct ready_pipe *pipe, const char *bytes, size_t count)
{
    bool ready = false;
    pipe->total += count;
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            pipe->line[pipe->length] = '\0';
            ready |= take_line(pipe);
            pipe->length = 0;
        } else if (pipe->length < sizeof(pipe->line) - 1) {
            pipe->line[pipe->length++] = bytes[i];
        }
    }
    return ready;
}

bool ready_pipe_read(struct ready_pipe *pipe, bool *ended)
{
    bool ready = false;
    *ended = false;
    while (!*ended) {
        char bytes[512];
        ssize_t n = read(pipe->fd, bytes, sizeof(bytes));
        if (n > 0) {
            ready |= ready_pipe_feed(pipe, bytes, (size_t)n);
            *ended = pipe->total > TOTAL_MAX;
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            *ended = true;
        } else if (errno == EAGAIN) {
            break;
        }
    }
    return ready;
}
