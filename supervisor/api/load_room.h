/*
 * What all load tests share: which servers a test loads, and how much may go on at once.
 */
#ifndef SUPERVISOR_API_LOAD_ROOM_H
#define SUPERVISOR_API_LOAD_ROOM_H

#include "http/server.h"
#include "supervisor/api/targets.h"
#include "supervisor/load/plan.h"

#include <stdbool.h>
#include <stddef.h>

struct api;

#define LOAD_ROOM_CONNECTIONS 10000u /* of all tests together */

/* The servers chosen; those that run are targets. One that does not is not asked: its port may meanwhile be another
 * program's. */
struct load_servers {
    int *ids; /* all, ascending */
    size_t count;
    struct load_target *targets; /* those that run, in the same order */
    size_t target_count;
};

void load_servers_of(const struct farm *farm, const struct targets *chosen, struct load_servers *servers);
void load_servers_done(struct load_servers *servers);

/* Connections that one test may open: all of the bound, or what this process may have open less what the farm needs. */
size_t load_room_connections(void);

/* Takes one of the bounded places and its connections; false when the request was answered with 503. */
bool load_room_take(struct http_request *request, struct api *api, size_t connections);
void load_room_give(struct api *api, size_t connections);

#endif
