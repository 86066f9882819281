/*
 * One JSON line per request to stdout, for those who asked for it. Lines are collected during a turn of the loop and
 * leave together before it sleeps; a reader that doesn't keep up, or a full disk, loses lines rather than holding the server
 * up, and the next line says how many.
 */
#ifndef WORKER_ACCESS_LOG_H
#define WORKER_ACCESS_LOG_H

#include "core/buffer.h"
#include "http/server.h"

#include <stdbool.h>
#include <uv.h>

struct access_log {
    bool enabled;
    uv_prepare_t flush;
    struct buffer lines;
    uint64_t dropped; /* lines lost since the last that was written */
    uint64_t told;    /* of these, as the first line of `lines` says, … */
    size_t told_end;  /* … up to where */
    bool torn;        /* the last one that was written has lost its end */
};

void access_log_init(struct access_log *log, uv_loop_t *loop, bool enabled);
void access_log_request(struct access_log *log, const struct http_request *request, const struct http_done *done);
void access_log_flush(struct access_log *log);

#endif
