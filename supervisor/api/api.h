/*
 * The control plane: everything that docs/openapi.json describes, over HTTP, on the API's port and again on the
 * dashboard's port, where `GET /` is the page. Reads the farm's memory on the farm's loop; whatever takes time
 * (workers, disk, load tests) goes on beside it.
 */
#ifndef SUPERVISOR_API_API_H
#define SUPERVISOR_API_API_H

#include "core/error.h"
#include "supervisor/farm/farm.h"

#include <stdint.h>

struct api;

/* Listens where the farm's settings say. A taken API port is an error whose message names the holder; a taken dashboard
 * port is one warning in the log, and the rest goes on. */
int api_new(struct farm *farm, struct api **api, struct error *err);

uint16_t api_port(const struct api *api);
uint16_t api_dashboard_port(const struct api *api); /* 0: there is no dashboard listener */

/* When the farm begins to stop: ends the load tests, so that each answers with what it has counted by then. */
void api_farm_stopping(struct api *api);

/* Refuses new connections and lets requests in flight end; `on_drained` (may be NULL) once none is left, or after
 * timeout_ms, when the rest is cut. */
void api_drain(struct api *api, unsigned timeout_ms, void (*on_drained)(void *data), void *data);

/* Cuts what is left. NULL is fine. The loop must run until it is out of handles, before the farm's loop is closed. */
void api_free(struct api *api);

#endif
