/*
 * The three standard streams: that they are there, and what may be written to them.
 */
#ifndef CORE_STREAMS_H
#define CORE_STREAMS_H

#include <stdbool.h>

/* Opens /dev/null in the place of each standard stream that whoever started this program has closed. Without it the
 * next file or socket gets that number, and messages are written into it. To be called first in main. */
void streams_hold(void);

/* Whether a terminal shows what is written there and takes control sequences; one of the kind "dumb" (TERM) doesn't. */
bool streams_steer(int fd);

/* … and colours are wanted there: https://no-color.org */
bool streams_colour(int fd);

#endif
