/*
 * The control plane: everything that docs/openapi.json describes, over HTTP, on the API's port and again on the
 * dashboard's port, where `GET /` is the page. Reads the farm's memory on the farm's loop; whatever takes time
 * (workers, disk, load tests) goes on beside it.
 */
#ifndef SUPERVISOR_API_API_H
#define SUPERVISOR_API_API_H

#include "core/error.h"
#include "http/server.h"
#include "supervisor/farm/farm.h"

#include <stddef.h>
#include <stdint.h>

struct api;
struct history;

/* A socket of one of the two listeners, on its way from a farmd to the one that takes its place. */
struct api_socket {
    bool dashboard;
    struct http_socket socket;
};

/* Listens where the farm's settings say. A taken API port is an error whose message names the holder; a taken dashboard
 * port is one warning in the log, and the rest goes on. `sockets` (none: NULL, 0) come from an earlier farmd: a listener
 * that has some listens nowhere else. The history (NULL: there is none) must outlive the API. */
int api_new(struct farm *farm, struct history *history, const struct api_socket *sockets, size_t count,
            struct api **api, struct error *err);

uint16_t api_port(const struct api *api);
uint16_t api_dashboard_port(const struct api *api); /* 0: there is no dashboard listener */

/* When the farm begins to stop: ends the load tests, so that each answers with what it has counted by then. */
void api_farm_stopping(struct api *api);

/* Refuses new connections and lets requests in flight end; `on_drained` (may be NULL) once none is left, or after
 * timeout_ms, when the rest is cut. */
void api_drain(struct api *api, unsigned timeout_ms, void (*on_drained)(void *data), void *data);

/* --- handing over to another farmd: see http/server.h --- */

void api_pause(struct api *api);
void api_resume(struct api *api);
void api_under_way(const struct api *api, struct http_under_way *under_way);
void api_hand_over(const struct api *api, void (*visit)(const struct api_socket *socket, void *data), void *data);

/* Cuts what is left. NULL is fine. The loop must run until it is out of handles, before the farm's loop is closed. */
void api_free(struct api *api);

#endif
