/*
 * The servers that a command line means: operands and -l, as one selector for the API to evaluate.
 */
#ifndef SUPERVISOR_CLI_FRAME_SELECTION_H
#define SUPERVISOR_CLI_FRAME_SELECTION_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/cli/cli.h"

struct client;

extern const struct cli_flag selection_flags[]; /* -l */

#define SELECTION_HELP                                                                                                 \
    "SERVERS are 7, server-7, 1-10,20 or all; conditions narrow them: state:unhealthy, 'cpu>80', zone=a.\n"            \
    "`farmd help selectors` tells all of it."

/* The operands from `first` on and the labels, joined; *text is NULL when there are none, which means all. Refuses (-EINVAL)
 * what no farm would understand. The caller frees it. */
int selection_read(const struct cli_call *call, size_t first, char **text, struct error *err);

/* Appends "?select=…" (or with '&' when `target` has a query already); nothing for NULL. */
void selection_append(struct buffer *target, const char *text);

/* "no server is cpu>80", on the standard error. NULL is everybody. */
void selection_tell_nobody(const char *text);

/* Asks the farm whether nobody is meant: of an answer that is as empty when servers have nothing to tell. */
bool selection_is_nobody(struct client *client, const char *text);

#endif
