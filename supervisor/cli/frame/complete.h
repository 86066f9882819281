/*
 * What a half-written command line may go on with, by the table of verbs. The shells' own scripts only ask and show.
 */
#ifndef SUPERVISOR_CLI_FRAME_COMPLETE_H
#define SUPERVISOR_CLI_FRAME_COMPLETE_H

#include "core/buffer.h"

/* Appends a line for each word that could stand in the place of the last one of `line` (which begins with the program's
 * name): the word, a tab, what it is. `each_server` (may be NULL) is called where servers are wanted and calls `offer`
 * with the name of each. */
typedef void complete_offer_fn(const char *word, const char *what, void *to);
void complete_line(const char *line, void (*each_server)(complete_offer_fn *offer, void *to, void *data), void *data,
                   struct buffer *out);

#endif
