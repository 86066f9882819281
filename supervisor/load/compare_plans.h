/*
 * In what two runs were not asked the same: the more they differ, the less a comparison of their figures says.
 */
#ifndef SUPERVISOR_LOAD_COMPARE_PLANS_H
#define SUPERVISOR_LOAD_COMPARE_PLANS_H

#include "core/buffer.h"
#include "core/json.h"

struct cJSON;

/* Writes the member "plan_changes", a list of {"field", "a", "b"}. Appends to `matters` the names of those that made the
 * load itself another, not only its length or what it is judged by: "path, connections". */
void compare_plans(const struct cJSON *a, const struct cJSON *b, struct json_writer *w, struct buffer *matters);

#endif
