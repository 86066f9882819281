/*
 * What the list of `farmd top` shows: a snapshot, the order of its rows, where the cursor and the window are and what is
 * selected. Servers are kept by id: a new snapshot moves neither cursor nor selection to another one. Pure.
 */
#ifndef SUPERVISOR_CLI_TOP_MODEL_H
#define SUPERVISOR_CLI_TOP_MODEL_H

#include "core/buffer.h"
#include "supervisor/cli/top/snapshot.h"

#include <stdbool.h>
#include <stddef.h>

enum model_sort {
    SORT_ID,
    SORT_STATE, /* what needs a person first */
    SORT_HEALTH,
    SORT_CPU,
    SORT_THROTTLED,
    SORT_MEMORY,
    SORT_RATE,
    SORT_P99,
    SORT_RESTARTS,
    SORT_UP,
    SORT_COUNT,
};

struct model {
    struct snapshot *snapshot; /* the model's; NULL before the first */
    size_t *order;             /* which row of the snapshot is at each place */
    enum model_sort sort;
    bool reversed;

    size_t cursor, top; /* places in the order: of the cursor and of the first line of the window */
    size_t window;      /* lines */
    int cursor_id;      /* the server that the cursor stays at; 0: it stays at the first place, whoever that is */

    int *selected; /* ids, ascending */
    size_t selected_count;
};

void model_init(struct model *model);
void model_done(struct model *model);

/* Takes a snapshot over. `whole`: it has every server of the farm, so that one that is missing is gone. */
void model_take(struct model *model, struct snapshot *snapshot, bool whole);

size_t model_count(const struct model *model);
const struct snapshot_row *model_row(const struct model *model, size_t place);
const struct snapshot_row *model_current(const struct model *model); /* under the cursor; NULL when there is none */

void model_sort_by(struct model *model, enum model_sort sort, bool reversed);
void model_set_window(struct model *model, size_t lines);
void model_move(struct model *model, long by); /* stops at both ends */

bool model_is_selected(const struct model *model, int id);
void model_toggle(struct model *model, int id);
void model_select_shown(struct model *model); /* all that are in the list, besides what is selected */
void model_select_none(struct model *model);

/* What an action is for: the selected ones, or the one under the cursor. Fills ids (the caller frees them), ascending;
 * returns how many. `*hidden`: how many of them are not in the list. */
size_t model_meant(const struct model *model, int **ids, size_t *hidden);

/* "server-7", "servers 1-3, 7", cut to what fits a sentence. */
void model_describe(const int *ids, size_t count, struct buffer *out);

#endif
