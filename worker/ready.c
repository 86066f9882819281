#include "worker/ready.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One write of less than PIPE_BUF: the reader sees the whole line or none. A reader that is gone is no trouble. */
static void tell(int fd, const char *line, size_t length)
{
    if (fd < 0)
        return;
    ssize_t written = write(fd, line, length);
    (void)written;
    close(fd);
}

void ready_announce(int fd)
{
    tell(fd, "ready\n", strlen("ready\n"));
}

void ready_fail(int fd, const struct error *err)
{
    char line[ERROR_MESSAGE_MAX + 32];
    const char *name = strerrorname_np(err->code);
    int length = snprintf(line, sizeof(line), "error %s %s\n", name ? name : "UNKNOWN", err->message);

    tell(fd, line, (size_t)length);
}
