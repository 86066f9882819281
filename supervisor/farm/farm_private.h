/*
 * What the files of the farm share: farm.c (making, starting, stopping, reading), farm_change.c (scale and reload),
 * farm_batch.c (one action on many servers).
 */
#ifndef SUPERVISOR_FARM_FARM_PRIVATE_H
#define SUPERVISOR_FARM_FARM_PRIVATE_H

#include "supervisor/farm/farm.h"
#include "supervisor/farm/paths.h"

struct farm_batch;
struct farm_change;
struct log_keeper;
struct sampler;
struct statefile;
struct troubles;

struct farm {
    uv_loop_t *loop;
    struct settings *settings;
    const struct runtime_ops *ops;
    struct runtime *runtime;
    struct farm_paths paths;
    int lock_fd;

    struct events *events;
    struct troubles *troubles;
    struct sampler *sampler;
    struct log_keeper *log_keeper;
    struct statefile *statefile;

    struct server **servers; /* ascending ids */
    size_t server_count;
    size_t server_capacity;

    uv_prepare_t flusher; /* tells the listener of new events, once a turn */
    uv_idle_t starter;    /* a batch of starts in each turn, so that others get theirs */
    uv_timer_t farewell;  /* on_stopped is never called from inside farm_stop */
    unsigned open_handles;
    struct server *start_first; /* references, linked by next_to_start */
    struct server *start_last;
    size_t start_count;

    int64_t started_at_us;
    int64_t start_began_ms;
    struct farm_progress progress;
    void (*on_progress)(const struct farm_progress *progress, void *data);
    void *progress_data;

    bool stopping;
    unsigned stops_pending;
    void (*on_stopped)(void *data);
    void *stopped_data;

    struct farm_change *change; /* a scale or reload under way */
    struct farm_batch *rolling; /* the one rolling restart */
};

/* Appends one to the farm with the next id; it is not started. */
struct server *farm_add_server(struct farm *farm, const struct group_settings *group, uint16_t port);
void farm_remove_server(struct farm *farm, struct server *server);

/* The queue of starts: EVENT_TURN comes to it when it is its turn, never in this turn of the loop. */
void farm_queue_start(struct farm *farm, struct server *server);
struct server *farm_take_queued(struct farm *farm); /* the next one, its reference with it; NULL: none */

#endif
