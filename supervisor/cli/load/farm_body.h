/*
 * The flags of `farmd load` in the words of `POST /api/load-tests`.
 */
#ifndef SUPERVISOR_CLI_LOAD_FARM_BODY_H
#define SUPERVISOR_CLI_LOAD_FARM_BODY_H

#include "core/error.h"
#include "supervisor/cli/load/options.h"

struct cJSON;

/* The body, the caller's to delete; only what was given is in it, the rest is the farm's to know. `select` NULL: all
 * servers. NULL with -EINVAL in `err`: it cannot be told in JSON, the message names the flag. */
struct cJSON *load_farm_body(const struct cli_call *call, const struct load_options *options, const char *select,
                             struct error *err);

#endif
