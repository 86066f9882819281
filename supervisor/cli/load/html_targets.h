/*
 * The targets of a run on its page: what stands out, in a sentence each, and a table of all.
 */
#ifndef SUPERVISOR_CLI_LOAD_HTML_TARGETS_H
#define SUPERVISOR_CLI_LOAD_HTML_TARGETS_H

#include "core/buffer.h"

#include <stdbool.h>

struct cJSON;

void html_targets(const struct cJSON *result, bool open, struct buffer *out);

#endif
