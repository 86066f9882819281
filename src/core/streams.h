/*
 * The three standard streams, before anything else is opened.
 */
#ifndef CORE_STREAMS_H
#define CORE_STREAMS_H

/* Opens /dev/null in the place of each standard stream that whoever started this program has closed. Without it the
 * next file or socket gets that number, and messages are written into it. To be called first in main. */
void streams_hold(void);

#endif
