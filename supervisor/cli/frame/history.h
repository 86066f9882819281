/*
 * A server's last seconds as the API tells them, on one line of a terminal: bars and the most there was.
 */
#ifndef SUPERVISOR_CLI_FRAME_HISTORY_H
#define SUPERVISOR_CLI_FRAME_HISTORY_H

#include "core/buffer.h"

#include <stddef.h>

struct cJSON;

#define HISTORY_WIDTH 30 /* seconds shown, one a column */

/* Appends a bar for each of the last `width` points of a column, `full` being the highest; blanks for what is missing. */
void history_append_bars(struct buffer *out, const struct cJSON *points, const char *column, double full, size_t width);

/* The most of the same points; NaN when there is none. */
double history_most(const struct cJSON *points, const char *column, size_t width);

#endif
