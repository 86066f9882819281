/*
 * `farmd top` while it runs: a loop that waits for keys, the farm, signals and the clock at once.
 */
#ifndef SUPERVISOR_CLI_TOP_APP_H
#define SUPERVISOR_CLI_TOP_APP_H

#include "core/error.h"
#include "supervisor/cli/frame/reach.h"
#include "supervisor/cli/top/model.h"

struct app_options {
    const struct reach *reach;
    const char *filter; /* NULL: all */
    enum model_sort sort;
    struct snapshot *first; /* what the farm answered already; taken over */
};

/* Shows it until somebody quits; the terminal is as before then. An exit code; `err` says why when it could not be
 * opened. After SIGTERM and SIGHUP this process ends by that signal. */
int app_run(const struct app_options *options, struct error *err);

#endif
