/*
 * A stream of the farm's, followed for as long as it is wanted: cut off, it is asked for again where it came to.
 */
#ifndef SUPERVISOR_CLI_TOP_TAIL_H
#define SUPERVISOR_CLI_TOP_TAIL_H

#include "http/sse.h"
#include "supervisor/cli/top/asker.h"

#include <stdbool.h>
#include <stdint.h>

struct tail {
    struct asker asker;
    char *target; /* NULL: not wanted */
    char *last_id;
    struct sse_reader reader;
    int64_t heard_ms; /* monotonic, of the last sign of life */
    bool refused;
    void (*on_event)(const struct sse_event *event, void *data);
    void *data;
};

void tail_begin(struct tail *tail, const char *target); /* instead of what it followed before */
void tail_end(struct tail *tail);
void tail_tick(struct tail *tail); /* once a second: connects again where needed */

#endif
