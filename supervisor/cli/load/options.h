/*
 * The flags of `farmd load` and the plan that they make, whoever carries it out.
 */
#ifndef SUPERVISOR_CLI_LOAD_OPTIONS_H
#define SUPERVISOR_CLI_LOAD_OPTIONS_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/cli/cli.h"
#include "supervisor/load/plan.h"

extern const struct cli_flag load_plan_flags[];
extern const struct cli_flag load_run_flags[]; /* --name, --allow-remote */

#define LOAD_DEFAULT_SECONDS 10 /* of a run that is given neither a duration nor a number of requests */

struct load_options {
    struct load_plan plan; /* without targets */
    struct load_stage stages[SCHEDULE_MAX_STAGES];
    struct threshold thresholds[LOAD_MAX_THRESHOLDS];
    struct buffer headers, body;
};

/* -EINVAL: the message names the flag. Free with load_options_done, also after a failure. */
int load_options_read(const struct cli_call *call, struct load_options *options, struct error *err);
void load_options_done(struct load_options *options);

#endif
