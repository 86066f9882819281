/*
 * Words of a command line, read by a verb's row.
 */
#ifndef SUPERVISOR_CLI_FRAME_ARGS_H
#define SUPERVISOR_CLI_FRAME_ARGS_H

#include "core/error.h"
#include "supervisor/cli/cli.h"

/* Reads what follows the verb. -EINVAL: `err` says what is wrong and what is allowed. The call points into argv. */
int args_parse(const struct cli_verb *verb, int argc, char **argv, struct cli_call *call, struct error *err);
void args_done(struct cli_call *call);

/* The flag of a verb with this name ("--tail") or letter; NULL when it has none. */
const struct cli_flag *args_flag(const struct cli_verb *verb, const char *name, size_t length);
const struct cli_flag *args_letter(const struct cli_verb *verb, char letter);

/* Calls visit for each flag of the verb's own, in order. */
void args_each_flag(const struct cli_verb *verb, void (*visit)(const struct cli_flag *flag, void *data), void *data);

/* Calls visit for each word of a list between blanks, until it returns true; says whether one did. */
bool args_each_word(const char *words, bool (*visit)(const char *word, void *data), void *data);

#endif
