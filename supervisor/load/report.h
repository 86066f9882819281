/*
 * Plans, results and progress as JSON: the one form in which a run leaves the engine, over the API, into the history and
 * to the command line.
 */
#ifndef SUPERVISOR_LOAD_REPORT_H
#define SUPERVISOR_LOAD_REPORT_H

#include "core/json.h"
#include "supervisor/load/result.h"

/* Each writes one object. Times are microseconds with 2 decimals: a hundredth of a millisecond would be coarser than the
 * distributions are. */
void report_plan(struct json_writer *w, const struct load_plan *plan);
void report_point(struct json_writer *w, const struct load_point *point);

/* Facts about the target at `index` that only the caller knows, as members of its object. */
typedef void report_more_fn(struct json_writer *w, size_t index, void *data);

/* `more` may be NULL. */
void report_result(struct json_writer *w, const struct load_result *result, report_more_fn *more, void *data);

#endif
