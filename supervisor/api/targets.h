/*
 * Which servers a request's body means: a list of ids, or a text such as "1-10,20" or "all".
 */
#ifndef SUPERVISOR_API_TARGETS_H
#define SUPERVISOR_API_TARGETS_H

#include "http/server.h"
#include "supervisor/api/body.h"
#include "supervisor/farm/farm.h"

#include <stdbool.h>
#include <stddef.h>

struct targets {
    int *ids; /* ascending, each once; free with targets_done */
    size_t count;
    bool given; /* false: the field is absent or null */
};

/* False when the request was answered: 422 for what is no selection, 400 naming the ids that are not in the farm. */
bool targets_read(struct http_request *request, const struct farm *farm, const struct body *body, const char *field,
                  struct targets *targets);
/* Every server of the farm. */
void targets_all(const struct farm *farm, struct targets *targets);
void targets_done(struct targets *targets);

#endif
