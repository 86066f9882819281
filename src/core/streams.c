/*
 * See streams.h.
 */
#include "core/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void streams_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* The lowest free number is the one wanted, since those below it are taken. */
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
            abort();
    }
}

bool streams_steer(int fd)
{
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && strcmp(kind, "dumb") != 0;
}

bool streams_colour(int fd)
{
    const char *unwanted = getenv("NO_COLOR");
    return streams_steer(fd) && (!unwanted || unwanted[0] == '\0');
}
