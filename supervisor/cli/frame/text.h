/*
 * Text on a terminal: how many columns it takes, cut to fit, and without what would steer the terminal.
 */
#ifndef SUPERVISOR_CLI_FRAME_TEXT_H
#define SUPERVISOR_CLI_FRAME_TEXT_H

#include "core/buffer.h"

#include <stddef.h>
#include <stdint.h>

/* Columns that a text takes. Each code point is one; nothing that farmd itself prints is wider. */
size_t text_columns(const char *text);

/* Appends at most `columns` of a text, the last of them "…" if some is left out. Control characters become blanks. */
void text_append(struct buffer *out, const char *text, size_t columns);

/* "2026-11-23T08:30:00.123456+00:00" as microseconds since 1970; 0 for anything else. */
int64_t text_parse_time(const char *iso);

/* How long before `now_us` an instant was that a person writes: "14:05" or "14:05:30", the last one that was;
 * "2026-11-23", "2026-11-23 14:05" and the like, also with a T; all in the local zone; or as the API writes it. -EINVAL for
 * anything else and for what is still to come. */
int text_parse_ago(const char *text, int64_t now_us, int64_t *age_ms);

/* "08:30:00" of a time as the API writes it, in the local zone; with the date before it when that is not today's. */
void text_format_time(char out[24], int64_t at_us);

#endif
