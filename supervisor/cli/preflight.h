/*
 * Asks another farmd program, before it takes this one's place, whether it would have these settings: runs its `check`
 * with the flags, environment and directory of this one. In the loop, and bounded in time.
 */
#ifndef SUPERVISOR_CLI_PREFLIGHT_H
#define SUPERVISOR_CLI_PREFLIGHT_H

#include "core/error.h"
#include "supervisor/config/settings.h"

#include <uv.h>

/* Tells `farmd check` what the running farm is bound to, so that it refuses other values. */
#define PREFLIGHT_VARIABLE "FARMD_UPGRADE_OF"

struct preflight;

struct preflight_options {
    uv_loop_t *loop;
    int program; /* descriptor of the program */
    const struct settings *settings;
    int argc; /* the flags of this farmd */
    char **argv;
    void (*done)(const struct error *err, void *data); /* err NULL: fine. Not called when the start failed */
    void *data;
};

int preflight_start(const struct preflight_options *options, struct preflight **preflight, struct error *err);

/* Ends it without a word. Not after `done`. */
void preflight_cancel(struct preflight *preflight);

#endif
