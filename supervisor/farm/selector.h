/*
 * Which servers a person means: "7", "server-7", "1-10,20", "all". One parser for the API and the command line.
 */
#ifndef SUPERVISOR_FARM_SELECTOR_H
#define SUPERVISOR_FARM_SELECTOR_H

#include "core/error.h"

#include <stddef.h>

/* Fills ids (room for `max`), ascending, each once. Every id named must be one of `known` (ascending): -ENOENT names
 * those that are not; -EINVAL says what is not understood. Returns the count or a negative code. */
int selector_parse(const char *text, const int *known, size_t known_count, int *ids, size_t max, struct error *err);

#endif
