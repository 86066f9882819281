/*
 * What a person types as "cpu=0.25 memory=128M", as members of the JSON that the API takes. Pure.
 */
#ifndef SUPERVISOR_CLI_TOP_WISH_H
#define SUPERVISOR_CLI_TOP_WISH_H

#include "core/error.h"
#include "core/json.h"

#define WISH_LIMITS_EXAMPLE "cpu=0.25 memory=128M"
#define WISH_LOAD_EXAMPLE "rate=1000 duration=10s connections=10"

/* Write members into an open object. -EINVAL says what is not understood; ranges are the farm's to check. */
int wish_limits(const char *text, struct json_writer *w, struct error *err); /* at least one */
int wish_load(const char *text, struct json_writer *w, struct error *err);   /* none: the farm's defaults */

#endif
