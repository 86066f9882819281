/*
 * A load run in this process: no farm needed.
 */
#ifndef SUPERVISOR_CLI_LOAD_LOCAL_H
#define SUPERVISOR_CLI_LOAD_LOCAL_H

#include "core/error.h"
#include "supervisor/load/plan.h"

#include <stdbool.h>

struct cJSON;

/* Whether the plan can be carried out here; raises this process's limit of descriptors as far as it may. */
int load_local_check(const struct load_plan *plan, struct error *err);

/* Carries out a plan that was checked, tells how it goes, and sets `run` to the report {"plan", "result"}, the caller's to delete. The
 * exit code: CLI_DONE, CLI_INTERRUPTED (with a report of what was done), or CLI_FAILED with a sentence said and no report.
 * A second Ctrl-C ends the process. `quiet`: nothing but the report is wanted. */
int load_local_run(const struct load_plan *plan, bool quiet, struct cJSON **run);

#endif
