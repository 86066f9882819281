/*
 * Two load runs compared: what changed, and whether it is more than noise. Pure: from the JSON of the runs to that of
 * their comparison, for the API and the command line alike. docs/load-testing.md says on what it rests.
 */
#ifndef SUPERVISOR_LOAD_COMPARE_H
#define SUPERVISOR_LOAD_COMPARE_H

#include "core/error.h"
#include "core/json.h"

struct cJSON;

#define COMPARE_MIN_SECONDS 8u /* whole seconds of each run, below which nothing is said about noise */
#define COMPARE_P_VALUE 0.01   /* how rarely mere noise may pass for a difference */

/* Writes one object that says how `after` differs from `before` (docs/openapi.json: LoadComparison). Both are runs as the
 * API shows them, with the members "plan" and "result". -EINVAL: one is none; the message says which and why, and nothing
 * is written. */
int compare_runs(const struct cJSON *before, const struct cJSON *after, struct json_writer *w, struct error *err);

#endif
