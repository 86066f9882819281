/*
 * The body of `POST /api/load-tests`: a load plan in the words of the contract (docs/openapi.json describes them). The
 * targets are read apart, by targets.h.
 */
#ifndef SUPERVISOR_API_LOAD_BODY_H
#define SUPERVISOR_API_LOAD_BODY_H

#include "core/buffer.h"
#include "supervisor/api/body.h"
#include "supervisor/config/settings.h"
#include "supervisor/load/plan.h"

#define LOAD_TEST_NAME_MAX 100u

/* The plan points into the rest and into the body it was read from. */
struct load_body {
    struct load_plan plan;
    const char *name; /* NULL: it has none */
    bool has_connections;
    struct load_stage stages[SCHEDULE_MAX_STAGES];
    struct threshold thresholds[LOAD_MAX_THRESHOLDS];
    struct buffer headers;
};

/* All but the targets. What the plan may not ask for is found by load_plan_check, once it has them. To be done with
 * load_body_done even when it failed. */
int load_body_read(const struct body *body, const struct settings *settings, struct load_body *read, struct error *err);
void load_body_done(struct load_body *read);

#endif
