/*
 * The figures of the farm as a whole in a stream: members of one object, each with the tick at which it last changed.
 */
#ifndef SUPERVISOR_API_LIVE_FARM_H
#define SUPERVISOR_API_LIVE_FARM_H

#include "core/json.h"
#include "supervisor/farm/farm.h"

#include <stdint.h>

struct live_farm;

struct live_farm *live_farm_new(void);
void live_farm_free(struct live_farm *farm); /* NULL is fine */

void live_farm_refresh(struct live_farm *live, const struct farm *farm, unsigned load_tests, uint32_t tick);

/* The object with the members that changed after the tick `since`; 0: all. */
void live_farm_write(struct json_writer *w, const struct live_farm *live, uint32_t since);

#endif
