/*
 * Two load runs side by side: what was asked of them, what came out, and whether a difference is more than noise. Pure:
 * from two reports, as report.h writes them and the API, the history and files keep them. docs/load-testing.md says on what
 * its verdicts rest.
 */
#ifndef SUPERVISOR_LOAD_COMPARE_H
#define SUPERVISOR_LOAD_COMPARE_H

#include "core/error.h"
#include "core/json.h"

struct cJSON;

#define COMPARE_MIN_SECONDS 8u /* whole seconds of each run, below which nothing is said about noise */
#define COMPARE_P_VALUE 0.01   /* how rarely mere noise may pass for a change */

/* Writes one object; "better" and "worse" are of b against a. Each run is an object with `plan` and `result` (others are
 * ignored); -EINVAL, with a message that says which of them it is ("a", "b"), for one that is none or has no result. */
int load_compare(const struct cJSON *a, const struct cJSON *b, struct json_writer *w, struct error *err);

#endif
