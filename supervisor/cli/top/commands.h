/*
 * What keys do: the one place that turns them into changes of the state and questions to the farm.
 */
#ifndef SUPERVISOR_CLI_TOP_COMMANDS_H
#define SUPERVISOR_CLI_TOP_COMMANDS_H

#include "supervisor/cli/top/feed.h"
#include "supervisor/cli/top/scene.h"

#include <stdbool.h>

/* A key on a screen of that size. False: quit. */
bool commands_key(struct scene *scene, struct feed *feed, int key, int lines, int columns);

#endif
