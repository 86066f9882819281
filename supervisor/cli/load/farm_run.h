/*
 * A load test that the farm carries out, begun, watched and ended by its API.
 */
#ifndef SUPERVISOR_CLI_LOAD_FARM_RUN_H
#define SUPERVISOR_CLI_LOAD_FARM_RUN_H

#include "core/buffer.h"
#include "core/error.h"
#include "supervisor/cli/frame/client.h"

#include <stdbool.h>

struct cJSON;

#define LOAD_TESTS "/api/load-tests"

/* Begins what `body` asks for. CLI_DONE with the test in `test`, the caller's to delete, or an exit code and the sentence. */
int farm_run_begin(struct client *client, const struct cJSON *body, struct cJSON **test, struct error *err);

/* Watches one that runs until it ends; `quiet` without a line that tells how far it is. `cancels`: Ctrl-C ends the test,
 * too, whose report then comes with CLI_INTERRUPTED; a second Ctrl-C waits for none. `ended` is set with the report (the
 * caller's to delete), or to NULL with an exit code and the sentence said. */
int farm_run_watch(struct client *client, const struct cJSON *test, bool quiet, bool cancels, struct cJSON **ended);

/* Ends one before its time; CLI_DONE with its report. */
int farm_run_cancel(struct client *client, const char *id, struct cJSON **ended, struct error *err);

/* One by its id, which is what a user wrote. */
int farm_run_get(struct client *client, const char *id, struct cJSON **test, struct error *err);

#endif
