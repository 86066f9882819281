/*
 * A load run handed to whoever asked for it: on the standard output in the format wanted, and as a page.
 */
#ifndef SUPERVISOR_CLI_LOAD_DELIVER_H
#define SUPERVISOR_CLI_LOAD_DELIVER_H

#include "supervisor/cli/cli.h"
#include "supervisor/cli/load/page_file.h"

#include <stdbool.h>

struct cJSON;

extern const struct cli_flag load_output_flags[]; /* -o, --html */

/* Whether -o says a format for people: then, and only then, may a headline stand before the report. */
bool load_is_for_people(const struct cli_call *call);

/* "10 servers · open, 5,000/s constant · 10 s", a line of the standard output. */
int load_print_headline(const struct cJSON *plan);

/* CLI_DONE, or CLI_FAILED with a sentence said. `run` has the members "plan" and "result". */
int load_deliver(const struct cli_call *call, struct page_file *page, const struct cJSON *run);

/* The exit code that a run deserves: CLI_FAILED when a threshold does not hold or nothing answered. */
int load_verdict(const struct cJSON *run);

#endif
