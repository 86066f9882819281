/*
 * The comparison of two load runs in words and figures.
 */
#ifndef SUPERVISOR_CLI_LOAD_COMPARE_TEXT_H
#define SUPERVISOR_CLI_LOAD_COMPARE_TEXT_H

#include "core/buffer.h"
#include "supervisor/cli/frame/output.h"

struct cJSON;

/* `comparison` is what load_compare writes; `names` are what the two runs are called. */
void load_compare_text(const struct output *output, const struct cJSON *comparison, const struct cJSON *const runs[2],
                       const char *const names[2], struct buffer *out);

#endif
