/*
 * What the two probe files share: sending one and judging its answer.
 */
#ifndef SUPERVISOR_FARM_PROBE_PRIVATE_H
#define SUPERVISOR_FARM_PROBE_PRIVATE_H

#include "http/client.h"
#include "supervisor/farm/probe.h"

void probe_judge(const struct http_client_response *response, struct probe_result *result);

/* As http_client_once. */
struct http_client *probe_send(uv_loop_t *loop, const struct server *server, const char *path, int64_t timeout_ms,
                               void (*on_done)(void *data, const struct http_client_response *response), void *data);

/* When, within an interval, a server has its turn: ids that follow one another are far apart. */
int64_t probe_phase_ms(int server_id, int64_t interval_ms);

#endif
