/*
 * The farm as columns of integers, one row a server, with the tick at which each cell last changed: so what changed since
 * any earlier tick can be told at any time, to however many readers. docs/stream.md describes what is written.
 */
#ifndef SUPERVISOR_API_LIVE_TABLE_H
#define SUPERVISOR_API_LIVE_TABLE_H

#include "core/json.h"
#include "supervisor/farm/farm.h"

#include <stdbool.h>
#include <stdint.h>

struct live_table;

struct live_table *live_table_new(void);
void live_table_free(struct live_table *table); /* NULL is fine */

/* Looks at the farm. `tick` is larger than at the last call. */
void live_table_refresh(struct live_table *table, const struct farm *farm, uint32_t tick);

/* The first tick from which changes can be told: since then the rows are the same servers. */
uint32_t live_table_base(const struct live_table *table);

/* The members `strings` and `columns`, inside an object: of everything, or of what changed after the tick `since`, which
 * must not be before the base. */
void live_table_write_all(struct json_writer *w, const struct live_table *table);
void live_table_write_changes(struct json_writer *w, const struct live_table *table, uint32_t since);

#endif
