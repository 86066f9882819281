/*
 * The farm: its servers, what runs them, what happened. Everything runs on one loop; nothing here blocks. Knows no HTTP
 * route and no cgroup path.
 */
#ifndef SUPERVISOR_FARM_FARM_H
#define SUPERVISOR_FARM_FARM_H

#include "core/error.h"
#include "supervisor/config/settings.h"
#include "supervisor/farm/events.h"
#include "supervisor/farm/paths.h"
#include "supervisor/farm/server.h"
#include "supervisor/farm/trouble.h"
#include "supervisor/runtime/runtime.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct farm;

/* Takes the state directory's lock (-EBUSY: another farmd has it, the message names its pid), cleans up what an earlier
 * run left, opens the runtime. Owns `settings` from success on. `lock_fd`: the lock as farm_hand_over gave it before this
 * process became another program by exec; else -1. */
int farm_new(uv_loop_t *loop, struct settings *settings, const struct runtime_ops *ops, int lock_fd, struct farm **farm,
             struct error *err);

/* Before that exec: writes the state file and gives the descriptor of the lock, which stays the farm's. -EBUSY while it
 * is not the moment: the file is just being written, or what an earlier farmd left is being ended. Nothing has changed if the farm goes on after all. */
int farm_hand_over(struct farm *farm, int *lock_fd, struct error *err);

/* Starts every server; `on_progress` (may be NULL) after each that becomes ready, until all are or have failed once
 * (`settled` then equals the total). */
struct farm_progress {
    unsigned total, ready, settled;
    int64_t elapsed_ms;
    unsigned adopted; /* that an earlier farmd started, and how long taking them over took */
    int64_t adopted_ms;
};
void farm_start(struct farm *farm, void (*on_progress)(const struct farm_progress *progress, void *data), void *data);

/* Stops all in parallel (the second call forces), then calls on_stopped once: nothing of the farm runs any more. */
void farm_stop(struct farm *farm, void (*on_stopped)(void *data), void *data);
bool farm_is_stopping(const struct farm *farm);
void farm_free(struct farm *farm); /* after on_stopped; removes runtime files; run the loop once more after it */

/* --- reading --- */

uv_loop_t *farm_loop(const struct farm *farm);
const struct settings *farm_settings(const struct farm *farm);
struct events *farm_events(const struct farm *farm);
const struct runtime_ops *farm_runtime_ops(const struct farm *farm);
struct runtime *farm_runtime(const struct farm *farm);
const char *farm_enforcement(const struct farm *farm); /* "cgroup2", "cgroup1", "none" */
struct runtime_enforced farm_enforced(const struct farm *farm);
const char *farm_enforcement_warning(const struct farm *farm); /* NULL when all limits are in force */
int64_t farm_started_at_us(const struct farm *farm);
const struct farm_paths *farm_paths(const struct farm *farm);
/* A scale, a reload or a rolling restart is under way, or a server is being stopped: what another farmd that took the
 * servers over now would not bring to its end in order. */
bool farm_is_changing(const struct farm *farm);

size_t farm_server_count(const struct farm *farm);
struct server *farm_server_at(const struct farm *farm, size_t index); /* ascending ids */
struct server *farm_server(const struct farm *farm, int id);          /* NULL outside the farm */

/* The servers that a text means (selector.h): fills ids (room for all of the farm), returns how many or a negative code.
 * `*is_filter` (may be NULL) tells that it has conditions, so that none chosen is an answer. */
int farm_select(const struct farm *farm, const char *text, int *ids, bool *is_filter, struct error *err);

/* Totals, kept by the sampler at 1 Hz and by state changes. */
struct farm_totals {
    unsigned by_state[SERVER_STATE_COUNT];
    unsigned healthy, degraded, unhealthy; /* of the running ones */
    double cpu_cores;
    uint64_t memory;
    double cpu_limit;      /* in force, of those that run; 0: none is */
    uint64_t memory_limit; /* likewise */
    double requests_per_second;
    double errors_per_second;
    uint64_t p99_us; /* over all requests of the last second; 0: none was answered */
};
void farm_totals(const struct farm *farm, struct farm_totals *totals);

/* --- changing --- */

/* Grows or shrinks to `count` servers in all by the last group, or one group to `count` of its own when `group` is not NULL.
 * No other server is touched; removed ones are stopped in order. `done` comes when the new ones are ready (or have
 * failed once) and the old ones gone. -EINVAL for a bad count, group or port range, -EBUSY while another scale runs. */
typedef void (*farm_done_fn)(const struct error *err, void *data);
int farm_scale(struct farm *farm, const char *group, unsigned count, farm_done_fn done, void *data, struct error *err);

/* Applies new settings (owned from then on): changed limits, probes and restart settings live, other changes by a
 * restart of the servers concerned, counts by scaling (a group that was scaled keeps its count while the one that is
 * set stays the same). Untouched ones go on. What farmd is bound to (addresses, ports, directories, enforcement) stays,
 * and the event says so. */
void farm_reload(struct farm *farm, struct settings *settings, farm_done_fn done, void *data);

/* Restarts the servers `ids`, at most max_unavailable at a time, each ready before the next; stops at the first that
 * does not come back. `on_server` for each (err NULL: restarted; ECANCELED: not tried; EALREADY: it was stopped or given up
 * and stays so), then `done`. */
int farm_rolling_restart(struct farm *farm, const int *ids, size_t count, unsigned max_unavailable,
                         server_done_fn on_server, farm_done_fn done, void *data, struct error *err);

/* One action on many servers at once, with a bound on how many are in flight; `on_server` for each, then `done`. */
void farm_act_many(struct farm *farm, const int *ids, size_t count, enum server_action action, server_done_fn on_server,
                   farm_done_fn done, void *data);

/* --- from the parts of farmd --- */

/* Something that farmd tries again and again failed with `err`, or went well (NULL); see trouble.h. */
void farm_trouble(struct farm *farm, enum trouble trouble, const struct error *err);
bool farm_has_trouble(const struct farm *farm, enum trouble trouble);

void farm_server_changed(struct farm *farm, struct server *server); /* state, health or limits: state file, progress */

#endif
