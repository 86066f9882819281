/*
 * A load run in words and figures, from its JSON: the same whether the farm or this command carried it out.
 */
#ifndef SUPERVISOR_CLI_LOAD_TEXT_H
#define SUPERVISOR_CLI_LOAD_TEXT_H

#include "core/buffer.h"
#include "supervisor/cli/frame/output.h"

#include <stdbool.h>

struct cJSON;

#define LOAD_TEXT 64 /* room that the functions below want */

/* "10 servers · open, 5,000/s constant · 10 s", a line. */
void load_text_headline(const struct cJSON *plan, struct buffer *out);

/* The report; `run` has the members "plan" and "result". */
void load_text_report(const struct output *output, bool wide, const struct cJSON *run, struct buffer *out);

/* What the farm knows of a target that stands out, behind the sentence: ": throttled 61% of the time", or nothing. */
void load_text_circumstances(const struct cJSON *target, struct buffer *out);

/* "50,000" */
const char *load_text_count(double value, char text[LOAD_TEXT]);
/* Of microseconds, in milliseconds with three figures: "0.213", "14.2", "203" */
const char *load_text_ms(double us, char text[LOAD_TEXT]);

#endif
