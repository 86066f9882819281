/*
 * What `farmd top` does to servers: which, whether one is sure, what came of it.
 */
#ifndef SUPERVISOR_CLI_TOP_ACTS_H
#define SUPERVISOR_CLI_TOP_ACTS_H

#include "supervisor/cli/top/feed.h"
#include "supervisor/cli/top/scene.h"

#include <stdbool.h>

struct cJSON;

/* Does it to the selected servers, the one at the cursor or the open one; or asks first. */
void acts_begin(struct scene *scene, struct feed *feed, enum command command);

void acts_ask_to_end_load(struct scene *scene);

/* The answer to such a question is yes, or is the text of the prompt, in which a mistake keeps it open. */
void acts_confirm(struct scene *scene, struct feed *feed);

/* Says what came of it; see feed_listener. */
void acts_tell(struct scene *scene, const struct cJSON *answer, int64_t ms, const char *sentence);

#endif
