/*
 * See model.h.
 */
#include "supervisor/cli/top/model.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIBED_RANGES 4 /* in a sentence */

void model_init(struct model *model)
{
    *model = (struct model){.sort = SORT_STATE, .window = 1};
}

void model_done(struct model *model)
{
    snapshot_free(model->snapshot);
    free(model->order);
    free(model->selected);
    model_init(model);
}

size_t model_count(const struct model *model)
{
    return model->snapshot ? model->snapshot->count : 0;
}

const struct snapshot_row *model_row(const struct model *model, size_t place)
{
    return place < model_count(model) ? &model->snapshot->rows[model->order[place]] : NULL;
}

const struct snapshot_row *model_current(const struct model *model)
{
    return model_row(model, model->cursor);
}

/* --- the order --- */

/* The figure that a column is sorted by; the largest comes first, what is not known last. */
static double key_of(const struct snapshot_row *row, enum model_sort sort)
{
    switch (sort) {
    case SORT_ID:
        return -row->id;
    case SORT_STATE:
        return row->trouble;
    case SORT_HEALTH:
        return row->health_trouble;
    case SORT_CPU:
        return row->cpu;
    case SORT_THROTTLED:
        return row->throttled;
    case SORT_MEMORY:
        return row->memory;
    case SORT_RATE:
        return row->rate;
    case SORT_P99:
        return row->p99_ms;
    case SORT_RESTARTS:
        return row->restarts;
    case SORT_UP:
        return row->uptime_seconds;
    case SORT_COUNT:
        break;
    }
    return 0;
}

/* Equal ones stay in the order of their ids, so that nothing dances. */
static int compare(const void *a, const void *b, void *data)
{
    const struct model *model = data;
    const size_t *first = a, *second = b;
    const struct snapshot_row *one = &model->snapshot->rows[*first], *other = &model->snapshot->rows[*second];
    double x = key_of(one, model->sort), y = key_of(other, model->sort);
    if (isnan(x) != isnan(y))
        return isnan(x) ? 1 : -1;
    if (!isnan(x) && x != y)
        return (x > y) == model->reversed ? 1 : -1;
    return (one->id > other->id) - (one->id < other->id);
}

/* The window moves as little as it must to show the cursor, and shows no emptiness that it could fill. */
static void place_window(struct model *model)
{
    size_t count = model_count(model), window = model->window;
    if (model->cursor >= model->top + window)
        model->top = model->cursor - window + 1;
    if (model->top + window > count)
        model->top = count > window ? count - window : 0;
    if (model->cursor < model->top)
        model->top = model->cursor;
}

static void find_cursor(struct model *model)
{
    size_t count = model_count(model), place = model->cursor_id == 0 ? 0 : model->cursor;
    for (size_t i = 0; i < count && model->cursor_id != 0; i++) {
        if (model_row(model, i)->id == model->cursor_id)
            place = i;
    }
    model->cursor = place < count ? place : count > 0 ? count - 1 : 0;
    place_window(model);
}

static void put_in_order(struct model *model)
{
    if (model_count(model) > 0)
        qsort_r(model->order, model_count(model), sizeof(*model->order), compare, model);
    find_cursor(model);
}

void model_sort_by(struct model *model, enum model_sort sort, bool reversed)
{
    model->sort = sort;
    model->reversed = reversed;
    put_in_order(model);
}

/* --- snapshots --- */

/* Of those that are gone from the farm none may be acted on by a later server of the same id. */
static void forget_gone(struct model *model)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->selected_count; i++) {
        if (snapshot_find(model->snapshot, model->selected[i]))
            model->selected[kept++] = model->selected[i];
    }
    model->selected_count = kept;
}

void model_take(struct model *model, struct snapshot *snapshot, bool whole)
{
    snapshot_free(model->snapshot);
    model->snapshot = snapshot;
    model->order = xrealloc(model->order, (snapshot->count + 1) * sizeof(*model->order));
    for (size_t i = 0; i < snapshot->count; i++)
        model->order[i] = i;
    if (whole)
        forget_gone(model);
    put_in_order(model);
}

/* --- moving --- */

void model_set_window(struct model *model, size_t lines)
{
    model->window = lines > 0 ? lines : 1;
    place_window(model);
}

void model_move(struct model *model, long by)
{
    long count = (long)model_count(model), place = (long)model->cursor;
    if (count == 0)
        return;
    place = by < -place ? 0 : by > count - 1 - place ? count - 1 : place + by;
    model->cursor = (size_t)place;
    model->cursor_id = place == 0 ? 0 : model_row(model, model->cursor)->id;
    place_window(model);
}

/* --- the selection --- */

static int compare_ids(const void *a, const void *b)
{
    const int *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

static int *find_selected(const struct model *model, int id)
{
    return model->selected_count > 0
               ? bsearch(&id, model->selected, model->selected_count, sizeof(*model->selected), compare_ids)
               : NULL;
}

bool model_is_selected(const struct model *model, int id)
{
    return find_selected(model, id) != NULL;
}

void model_toggle(struct model *model, int id)
{
    int *found = find_selected(model, id);
    if (found) {
        model->selected_count--;
        memmove(found, found + 1, sizeof(*found) * (model->selected_count - (size_t)(found - model->selected)));
        return;
    }
    model->selected = xrealloc(model->selected, (model->selected_count + 1) * sizeof(*model->selected));
    model->selected[model->selected_count++] = id;
    qsort(model->selected, model->selected_count, sizeof(*model->selected), compare_ids);
}

void model_select_shown(struct model *model)
{
    size_t count = model_count(model), before = model->selected_count;
    model->selected = xrealloc(model->selected, (before + count + 1) * sizeof(*model->selected));
    size_t now = before;
    for (size_t i = 0; i < count; i++) {
        int id = model->snapshot->rows[i].id;
        if (before == 0 || !bsearch(&id, model->selected, before, sizeof(id), compare_ids))
            model->selected[now++] = id;
    }
    model->selected_count = now;
    qsort(model->selected, now, sizeof(*model->selected), compare_ids);
}

void model_select_none(struct model *model)
{
    model->selected_count = 0;
}

size_t model_meant(const struct model *model, int **ids, size_t *hidden)
{
    const struct snapshot_row *current = model_current(model);
    size_t count = model->selected_count > 0 ? model->selected_count : current ? 1 : 0;
    *hidden = 0;
    *ids = xcalloc(count + 1, sizeof(**ids));
    for (size_t i = 0; i < count; i++) {
        (*ids)[i] = model->selected_count > 0 ? model->selected[i] : current->id;
        *hidden += snapshot_find(model->snapshot, (*ids)[i]) == NULL;
    }
    return count;
}

void model_describe(const int *ids, size_t count, struct buffer *out)
{
    if (count == 1) {
        buffer_printf(out, "server-%d", ids[0]);
        return;
    }
    buffer_printf(out, "%zu servers (", count);
    size_t ranges = 0;
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && ids[to] == ids[to - 1] + 1; to++)
            continue;
        if (ranges++ == DESCRIBED_RANGES) {
            buffer_append_text(out, ", …");
            break;
        }
        buffer_printf(out, "%s%d", ranges > 1 ? ", " : "", ids[from]);
        if (to - from > 1)
            buffer_printf(out, "-%d", ids[to - 1]);
    }
    buffer_append_char(out, ')');
}
