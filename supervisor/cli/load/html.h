/*
 * A load run as one HTML file that carries all it needs: no script, nothing fetched, light and dark by the reader's theme.
 */
#ifndef SUPERVISOR_CLI_LOAD_HTML_H
#define SUPERVISOR_CLI_LOAD_HTML_H

#include "core/buffer.h"

struct cJSON;

/* `run` has the members "plan" and "result", and may have "id" and "name". */
void load_html_report(const struct cJSON *run, struct buffer *out);

#endif
