/*
 * In what two runs were not asked the same: the more they differ, the less a comparison of their figures says.
 */
#ifndef SUPERVISOR_LOAD_COMPARE_PLANS_H
#define SUPERVISOR_LOAD_COMPARE_PLANS_H

#include "core/json.h"

struct cJSON;

/* Writes the member "plan_differences", a list of {"field", "before", "after", "matters"}. `matters`: the load itself was
 * another, not only its length. */
void compare_plans(const struct cJSON *before, const struct cJSON *after, struct json_writer *w);

#endif
