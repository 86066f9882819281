/*
 * The pages of `farmd help`, from the table of verbs and the topics.
 */
#ifndef SUPERVISOR_CLI_FRAME_HELP_H
#define SUPERVISOR_CLI_FRAME_HELP_H

#include "core/buffer.h"
#include "supervisor/cli/cli.h"

/* The page of the verb or the topic that these words name, none: of all; an exit code. */
int help_show(char *const *words, int count);
int help_show_verb(const struct cli_verb *verb);

/* "-o, --output FORMAT", as help writes a flag. */
void help_flag_words(const struct cli_flag *flag, char *out, size_t size);

/* A flag's help with what it may be and its default behind it; without them where the text says it already. */
void help_flag_text(const struct cli_flag *flag, struct buffer *out);

/* "farmd ps [SERVERS] [flags]" */
void help_usage(const struct cli_verb *verb, struct buffer *out);

const char *help_section_title(enum cli_section section);

#endif
