/*
 * The plots of the page: how latency spreads, and how requests and latency went second by second.
 */
#ifndef SUPERVISOR_CLI_LOAD_HTML_PLOTS_H
#define SUPERVISOR_CLI_LOAD_HTML_PLOTS_H

#include "core/buffer.h"
#include "supervisor/cli/load/plot.h"

#include <stdbool.h>

struct cJSON;

/* Each a <figure>, or nothing where there is nothing to draw. */
void html_plot_percentiles(const struct cJSON *result, bool open, struct buffer *out);
void html_plot_rates(const struct cJSON *plan, const struct cJSON *result, struct buffer *out);
void html_plot_latency(const struct cJSON *result, struct buffer *out);

/* Of microseconds: "0.213 ms", "14.2 ms", "1.01 s". */
const char *html_time(double us, char text[PLOT_TEXT]);

#endif
