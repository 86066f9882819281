/*
 * What the files of the farm share: farm.c (making, starting, stopping, reading), farm_change.c (scale and reload),
 * farm_batch.c (one action on many servers).
 */
#ifndef SUPERVISOR_FARM_FARM_PRIVATE_H
#define SUPERVISOR_FARM_FARM_PRIVATE_H

#include "supervisor/farm/farm.h"

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
    struct state *earlier; /* what an earlier farmd left, until the farm starts */
    bool started;
    bool sweeping; /* what nobody adopted is being ended; it may hold a port, or a cgroup: no start meanwhile */

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
    int64_t clock_offset_us; /* of the time of day from the time since boot; 0: not looked at yet */
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

/* Appends one to the farm with the next id, or a given one above all others; it is not started. */
struct server *farm_add_server(struct farm *farm, const struct group_settings *group, uint16_t port);
struct server *farm_add_server_as(struct farm *farm, int id, const struct group_settings *group, uint16_t port);
void farm_remove_server(struct farm *farm, struct server *server);

/* -ENOTCONN, with a sentence: what runs servers does not answer, so nothing can be done to them now. */
int farm_available(const struct farm *farm, struct error *err);

/* The time of day, after a look whether it was set: then what is kept of it has moved along. */
int64_t farm_now_us(struct farm *farm);

/* The queue of starts: EVENT_TURN comes to it when it is its turn, never in this turn of the loop. */
void farm_queue_start(struct farm *farm, struct server *server);
struct server *farm_take_queued(struct farm *farm); /* the next one, its reference with it; NULL: none */

/* One more, or several, of those that the start waits for are ready or have failed once. */
void farm_note_progress(struct farm *farm, unsigned settled, unsigned ready);
void farm_start_server(struct farm *farm, struct server *server); /* one of them */
void farm_swept(struct farm *farm);

/* farm_adopt.c */
void farm_load_state(struct farm *farm);  /* changes the counts of groups that were scaled */
void farm_add_servers(struct farm *farm); /* those of the settings, under their earlier ids */
void farm_adopt(struct farm *farm);       /* all that goes on; then the others start */
void farm_compose_state(struct buffer *out, void *farm);

/* farm_change.c */
struct group_settings *farm_find_group(const struct settings *settings, const char *name);
/* Gives a group the count that it was scaled to while this one was set; -EINVAL when there is no place for so many. */
int farm_keep_scaled(struct settings *settings, struct group_settings *group, unsigned count, struct error *err);
/* The settings are other ones than those that the servers were started with by an earlier farmd: a reload that began there.
 * Surplus and missing servers it finds by itself. */
struct farm_change *farm_change_at_start(struct farm *farm);
void farm_change_failed(struct farm_change *change, const struct error *err);
void farm_change_plan(struct farm_change *change, struct server *server, uint16_t port);
void farm_change_begin(struct farm_change *change);

#endif
