/*
 * The Engine's two output streams in one, taken apart.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_LOG_FRAMES_H
#define SUPERVISOR_RUNTIME_DOCKER_LOG_FRAMES_H

#include <stddef.h>

struct log_frames;

/* Appends to the file; one that cannot be opened loses what comes. */
struct log_frames *log_frames_open(const char *path);
/* Hands each frame on when it is whole, NUL-terminated; one that is longer than any of the Engine's is left out. */
struct log_frames *log_frames_new(void (*on_frame)(void *data, const char *frame, size_t length), void *data);
void log_frames_feed(struct log_frames *frames, const char *piece, size_t length);
void log_frames_free(struct log_frames *frames); /* NULL is fine */

#endif
