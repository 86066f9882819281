/*
 * Health probes: startup, liveness and readiness of one server over HTTP, spread over the interval so that a farm's
 * probes never come in a burst; and single probes on request. A frozen server costs its own slot only.
 */
#ifndef SUPERVISOR_FARM_PROBE_H
#define SUPERVISOR_FARM_PROBE_H

#include "supervisor/farm/server.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum probe_status { PROBE_STATUS_HEALTHY, PROBE_STATUS_DEGRADED, PROBE_STATUS_ERROR };

struct probe_result {
    enum probe_status status;
    char error[96]; /* "timeout", "refused", "HTTP 503", … ; "" unless PROBE_STATUS_ERROR */
    uint64_t duration_ns;
};

/* One probe now, apart from the schedule. `on_done` exactly once, never from inside the call. A server that does not
 * run gives an error at once ("stopped"). The server may be freed meanwhile; it is known to the callback by its id. */
void probe_once(uv_loop_t *loop, const struct server *server, int64_t timeout_ms,
                void (*on_done)(int server_id, const struct probe_result *result, void *data), void *data);

/* The schedule of one server. Started when its process starts; stopped when it ends or is paused. */
struct prober *prober_new(struct server *server);
void prober_start(struct prober *prober, bool ready_by_pipe);
void prober_adopted(struct prober *prober); /* it may say so no more: it is asked until it answers */
void prober_running(struct prober *prober); /* it became ready: liveness and readiness begin */
void prober_resumed(struct prober *prober); /* the same, and the first one at once: what it was is known no more */
/* Whether a running server is probed the same way by both. */
bool prober_same_schedule(const struct group_settings *a, const struct group_settings *b);
void prober_stop(struct prober *prober);
void prober_free(struct prober *prober); /* NULL is fine */

#endif
