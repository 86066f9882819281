/*
 * Which servers a request means: in its body a list of ids or a selector ("1-10,20", "state:unhealthy"), in its query a
 * selector.
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
    bool given;     /* false: the field is absent or null */
    bool is_filter; /* a selector with conditions: none chosen is an answer, not a mistake */
};

/* False when the request was answered: 422 for what is no selection, 400 naming the ids that are not in the farm. */
bool targets_read(struct http_request *request, const struct farm *farm, const struct body *body, const char *field,
                  struct targets *targets);
/* From `select` in the query, which is all servers when it is absent. */
bool targets_read_query(struct http_request *request, const struct farm *farm, struct targets *targets);
/* Every server of the farm. */
void targets_all(const struct farm *farm, struct targets *targets);
void targets_done(struct targets *targets);

#endif
