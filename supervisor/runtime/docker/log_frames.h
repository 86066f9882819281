/*
 * The Engine's two output streams in one, taken apart into the server's log.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_LOG_FRAMES_H
#define SUPERVISOR_RUNTIME_DOCKER_LOG_FRAMES_H

#include <stddef.h>

struct log_frames;

/* Appends to the file; one that cannot be opened loses what comes. */
struct log_frames *log_frames_open(const char *path);
void log_frames_feed(struct log_frames *frames, const char *piece, size_t length);
void log_frames_free(struct log_frames *frames); /* NULL is fine */

#endif
