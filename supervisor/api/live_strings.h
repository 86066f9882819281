/*
 * The dictionary of a stream: each text once, named by its place. It only grows, until it is begun anew.
 */
#ifndef SUPERVISOR_API_LIVE_STRINGS_H
#define SUPERVISOR_API_LIVE_STRINGS_H

#include "core/json.h"

#include <stddef.h>
#include <stdint.h>

struct live_strings {
    struct live_string *list; /* in order of their places */
    size_t count, capacity;
};

/* The place of a text, which is added at `tick` when it is new. */
size_t live_strings_place(struct live_strings *strings, const char *text, uint32_t tick);
void live_strings_clear(struct live_strings *strings);

/* How many were added after the tick `since`, and an array of them. */
size_t live_strings_count_after(const struct live_strings *strings, uint32_t since);
void live_strings_write(struct json_writer *w, const struct live_strings *strings, uint32_t since);

#endif
