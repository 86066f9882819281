/*
 * Which servers a person means: ids ("7", "server-7", "1-10,20", "all") and conditions ("state:unhealthy", "cpu>80",
 * "zone=a"). One parser for the API and the command line. Ids add up, conditions narrow them (alone: all servers); several
 * words for one name ("state:failed,state:backoff", "zone=a,zone=b") are alternatives.
 */
#ifndef SUPERVISOR_FARM_SELECTOR_H
#define SUPERVISOR_FARM_SELECTOR_H

#include "core/error.h"
#include "supervisor/farm/server.h"

#include <stdbool.h>
#include <stddef.h>

#define SELECTOR_TEXT_MAX 4000 /* bytes of a selector; a longer one is refused */

struct selector;

/* -EINVAL says what is not understood and how it is written. */
int selector_parse(const char *text, struct selector **selector, struct error *err);
void selector_free(struct selector *selector); /* NULL is fine */

/* Whether it has conditions, so that nothing chosen is an answer and no mistake. */
bool selector_is_filter(const struct selector *selector);

/* Fills ids (room for `count`), ascending, each once, from `servers` (ascending). Every id named must be one of them:
 * -ENOENT names those that are not, and says which there are. Returns how many were chosen or a negative code. */
int selector_choose(const struct selector *selector, struct server *const *servers, size_t count, int *ids,
                    struct error *err);

/* What completion and help offer: "state:running", …, "cpu>"; NULL behind the last one. */
const char *selector_word(size_t index);

#endif
