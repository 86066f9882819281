/*
 * Why a server restarted: what ended it last, and what its restart policy does next and when.
 */
#ifndef SUPERVISOR_CLI_FRAME_ENDING_H
#define SUPERVISOR_CLI_FRAME_ENDING_H

#include "core/buffer.h"

#include <stdint.h>

struct cJSON;

/* "OOMKilled 20 s ago (signal 9); 4 restarts, 4 OOM kills". Of a server's entry; `now_us` is the farm's time. */
void ending_append_last(const struct cJSON *server, int64_t now_us, struct buffer *out);

/* "next try in 3.2 s (profile farm); farmd start 7 tries at once". Of what GET /api/servers/{id} answers. */
void ending_append_next(const struct cJSON *server, int64_t now_us, struct buffer *out);

#endif
