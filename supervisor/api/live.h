/*
 * `GET /api/stream`: the whole farm live, for dashboards. A snapshot, then what changed, once a second; what is sent is
 * made once a tick and shared by all who are at the same point. docs/stream.md is the protocol.
 */
#ifndef SUPERVISOR_API_LIVE_H
#define SUPERVISOR_API_LIVE_H

struct api;
struct live;

struct live *live_new(struct api *api);

/* Its viewers are gone by then. The loop must run once more. NULL is fine. */
void live_free(struct live *live);

#endif
