/*
 * The farm as JSON: the only place where its structs become an answer, but for the columns of live_table.h. Written straight from memory, so that a list of
 * thousands of servers costs no tree.
 */
#ifndef SUPERVISOR_API_VIEW_H
#define SUPERVISOR_API_VIEW_H

#include "core/json.h"
#include "supervisor/farm/farm.h"
#include "supervisor/farm/sampler.h"

#include <stddef.h>

/* The members of a server's entry, inside an object that the caller begins and ends. */
void view_server_members(struct json_writer *w, const struct server *server);

/* One object each, or null. */
void view_pressure(struct json_writer *w, const struct server *server);
void view_limits_in_force(struct json_writer *w, const struct server *server);
void view_limits(struct json_writer *w, const struct limits *limits);
void view_event(struct json_writer *w, const struct event *event);

/* `enforcement`, `limits_in_force`, `enforcement_warning` (when there is one) and `runtime`, inside an object. */
void view_farm_members(struct json_writer *w, const struct farm *farm);
void view_totals(struct json_writer *w, const struct farm *farm);

/* Columns: one array for each figure. */
void view_points(struct json_writer *w, const struct sample_point *points, size_t count);

/* Why a server that is not running is not, in a few words; never empty. */
const char *view_server_error(const struct server *server);

/* `timestamp`: now. */
void view_timestamp(struct json_writer *w);

#endif
