/*
 * The list of servers: totals, a heading, a row a server. Columns have fixed places for a width of the screen, so that
 * nothing moves when figures change.
 */
#include "core/memory.h"
#include "supervisor/cli/top/draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR_LEAST 6
#define BAR_MOST 30
#define PERCENT 5 /* " 100%" */
#define BUSY_PERCENT 80

typedef void cell_fn(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row);

/* --- cells --- */

static void put_figure(struct canvas *canvas, int line, int column, int width, double value, int decimals,
                       const char *unit, enum paint paint)
{
    char text[32] = "-";
    if (!isnan(value))
        snprintf(text, sizeof(text), "%.*f%s", decimals, value, unit);
    canvas_put_right(canvas, line, column, width, paint, text);
}

static enum paint busy(double percent)
{
    return percent > BUSY_PERCENT ? PAINT_WARN : PAINT_PLAIN;
}

static void put_bar(struct canvas *canvas, int line, int column, int width, double percent)
{
    canvas_bar(canvas, line, column, width - PERCENT, percent > BUSY_PERCENT ? PAINT_WARN : PAINT_GOOD, percent / 100);
    put_figure(canvas, line, column + width - PERCENT, PERCENT, percent, 0, "%", busy(percent));
}

static void put_id(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    put_figure(canvas, line, column, width, row->id, 0, "", PAINT_STRONG);
}

static void put_state(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    canvas_put(canvas, line, column, width, row->state_paint, row->state);
}

static void put_health(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    canvas_put(canvas, line, column, width, row->health_paint, row->health);
}

static void put_node(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    canvas_put(canvas, line, column, width, PAINT_PLAIN, row->node[0] != '\0' ? row->node : "-");
}

static void put_cpu(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    put_bar(canvas, line, column, width, row->cpu);
}

static void put_throttled(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    put_figure(canvas, line, column, width, row->throttled, 0, "%", row->throttled >= 1 ? PAINT_WARN : PAINT_PLAIN);
}

static void put_memory(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    put_bar(canvas, line, column, width, row->memory);
}

static void put_used(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    put_figure(canvas, line, column, width, row->memory_mb, row->memory_mb < 10 ? 1 : 0, "", PAINT_PLAIN);
}

static void put_rate(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    char text[VIEW_TEXT];
    canvas_put_right(canvas, line, column, width, PAINT_PLAIN, view_format_rate(row->rate, text));
}

static void put_errors(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    char text[VIEW_TEXT];
    double errors = isnan(row->rate) ? NAN : row->errors;
    canvas_put_right(canvas, line, column, width, errors > 0 ? PAINT_BAD : PAINT_PLAIN, view_format_rate(errors, text));
}

static void put_p99(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    put_figure(canvas, line, column, width, row->p99_ms, row->p99_ms < 10 ? 2 : 0, "", PAINT_PLAIN);
}

static void put_restarts(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    put_figure(canvas, line, column, width, row->restarts, 0, "", PAINT_PLAIN);
}

static void put_up(struct canvas *canvas, int line, int column, int width, const struct snapshot_row *row)
{
    if (strcmp(row->state, "running") == 0)
        canvas_put_right(canvas, line, column, width, PAINT_PLAIN, row->since);
}

/* --- columns --- */

struct column {
    const char *title;
    enum model_sort sort; /* what a sort by it goes by; SORT_COUNT: none */
    int width;            /* of a column with a bar: without it */
    int from;             /* shown on screens at least so wide */
    bool right, bar;
    bool figure; /* in its place stands why, in the row of a server that does not run */
    cell_fn *put;
};

static const struct column columns[] = {
    {"ID", SORT_ID, 2, 0, true, false, false, put_id},
    {"STATE", SORT_STATE, 8, 0, false, false, false, put_state},
    {"HEALTH", SORT_HEALTH, 9, 0, false, false, false, put_health},
    {"NODE", SORT_COUNT, 10, 102, false, false, false, put_node},
    {"CPU", SORT_CPU, PERCENT, 0, false, true, true, put_cpu},
    {"THROT", SORT_THROTTLED, 5, 70, true, false, true, put_throttled},
    {"MEMORY", SORT_MEMORY, PERCENT, 0, false, true, true, put_memory},
    {"MB", SORT_COUNT, 5, 100, true, false, true, put_used},
    {"REQ/S", SORT_RATE, 6, 0, true, false, true, put_rate},
    {"ERR/S", SORT_COUNT, 6, 120, true, false, true, put_errors},
    {"P99 ms", SORT_P99, 6, 66, true, false, true, put_p99},
    {"RESTARTS", SORT_RESTARTS, 8, 78, true, false, false, put_restarts},
    {"UP", SORT_UP, 7, 90, true, false, false, put_up},
};

struct layout {
    int at[ARRAY_SIZE(columns)], width[ARRAY_SIZE(columns)]; /* width 0: not shown */
    int figures, figures_width;                              /* where the figures are, together */
};

static int digits(int number)
{
    int count = 1;
    while (number >= 10) {
        number /= 10;
        count++;
    }
    return count;
}

/* Nodes have a column where there are some. */
static bool is_shown(const struct column *column, const struct snapshot *snapshot, int width)
{
    return width >= column->from && (column->put != put_node || (snapshot && snapshot->has_nodes));
}

static struct layout lay_out(const struct scene *scene, int width)
{
    struct layout layout = {.figures = 0};
    const struct snapshot *snapshot = scene->model.snapshot;
    int highest = snapshot && snapshot->count > 0 ? snapshot->rows[snapshot->count - 1].id : 0;
    int needed = 1, bars = 0;
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        if (!is_shown(&columns[i], snapshot, width))
            continue;
        layout.width[i] = columns[i].width;
        if (columns[i].sort == SORT_ID && digits(highest) > columns[i].width)
            layout.width[i] = digits(highest);
        needed += layout.width[i] + 1;
        bars += columns[i].bar;
    }
    int bar = (width - needed + 1) / bars;
    bar = bar < BAR_LEAST ? BAR_LEAST : bar > BAR_MOST ? BAR_MOST : bar;
    int at = 1; /* behind the mark of a selected one */
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        layout.at[i] = at;
        if (layout.width[i] == 0)
            continue;
        layout.width[i] += columns[i].bar ? bar : 0;
        if (columns[i].figure && layout.figures == 0)
            layout.figures = at;
        if (columns[i].figure)
            layout.figures_width = at + layout.width[i] - layout.figures;
        at += layout.width[i] + 1;
    }
    return layout;
}

enum model_sort draw_next_sort(const struct scene *scene, int width, int step)
{
    int count = (int)ARRAY_SIZE(columns), at = 0;
    for (int i = 0; i < count; i++) {
        if (columns[i].sort == scene->model.sort)
            at = i;
    }
    do
        at = (at + step + count) % count;
    while (columns[at].sort == SORT_COUNT || width < columns[at].from);
    return columns[at].sort;
}

/* --- lines --- */

static void put_counts(const struct snapshot *snapshot, struct canvas *canvas, int room)
{
    int column = canvas_printf(canvas, 1, 0, room, PAINT_PLAIN, "%d server%s: ", snapshot->total,
                               snapshot->total == 1 ? "" : "s");
    for (size_t i = 0; i < snapshot->count_count; i++) {
        const struct view_count *count = &snapshot->counts[i];
        column += canvas_put(canvas, 1, column, room - column, PAINT_PLAIN, i > 0 ? ", " : "");
        column += canvas_printf(canvas, 1, column, room - column, count->paint, "%.0f %s", count->count, count->words);
    }
}

static void put_totals(const struct snapshot *snapshot, struct canvas *canvas)
{
    char cpu[VIEW_TEXT], memory[VIEW_TEXT], text[VIEW_TEXT];
    int room = canvas->columns, column = 0, bar = room >= 120 ? 20 : room >= 80 ? 8 : 0;
    const struct {
        const char *label;
        double share;
        const char *use;
    } uses[] = {
        {"CPU ", snapshot->cpu_cores / snapshot->cpu_limit,
         view_cpu_use(snapshot->cpu_cores, snapshot->cpu_limit, cpu)},
        {"memory ", snapshot->memory_mb / snapshot->memory_limit_mb,
         view_memory_use(snapshot->memory_mb, snapshot->memory_limit_mb, memory)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
        column += canvas_put(canvas, 2, column, room - column, PAINT_PLAIN, uses[i].label);
        canvas_bar(canvas, 2, column, bar, PAINT_GOOD, uses[i].share);
        column += bar > 0 ? bar + 1 : 0;
        int width = canvas_put(canvas, 2, column, room - column, PAINT_PLAIN, uses[i].use);
        column += (width > 11 ? width : 11) + 2;
    }
    column += canvas_printf(canvas, 2, column, room - column, PAINT_PLAIN, "%s req/s",
                            view_format_rate(snapshot->rate, text));
    if (snapshot->errors > 0)
        canvas_printf(canvas, 2, column, room - column, PAINT_BAD, ", %s errors/s",
                      view_format_rate(snapshot->errors, text));
}

static void put_enforcement(const struct snapshot *snapshot, struct canvas *canvas, int *room)
{
    bool none = strcmp(snapshot->enforcement, "none") == 0;
    char text[64];
    snprintf(text, sizeof(text), none ? "limits not in force" : "limits by %s", snapshot->enforcement);
    *room = canvas->columns - (int)strlen(text) - 2;
    canvas_put(canvas, 1, *room + 2, (int)strlen(text), none ? PAINT_WARN : PAINT_FAINT, text);
}

/* What is shown of the farm, and what is selected. */
static void put_choice(const struct scene *scene, struct canvas *canvas)
{
    const struct model *model = &scene->model;
    int column = 0, room = canvas->columns;
    if (model->selected_count > 0)
        column += canvas_printf(canvas, 3, column, room, PAINT_STRONG, "%zu selected", model->selected_count) + 2;
    if (scene->filter)
        canvas_printf(canvas, 3, column, room - column, PAINT_STRONG, "%zu of %d: %s", model_count(model),
                      model->snapshot ? model->snapshot->total : 0, scene->filter);
}

static void put_heading(const struct scene *scene, const struct layout *layout, struct canvas *canvas, int line)
{
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        const struct column *column = &columns[i];
        int width = layout->width[i], length = (int)strlen(column->title);
        bool sorted = column->sort == scene->model.sort;
        int at = layout->at[i] + (column->right ? width - length : 0);
        if (width == 0)
            continue;
        canvas_put(canvas, line, at, length, sorted ? PAINT_STRONG : PAINT_PLAIN, column->title);
        bool up = (column->sort == SORT_ID) != scene->model.reversed;
        if (sorted)
            canvas_put(canvas, line, column->right ? at - 1 : at + length, 1, PAINT_STRONG, up ? "▲" : "▼");
    }
    canvas_reverse(canvas, line);
}

static void put_row(const struct scene *scene, const struct layout *layout, struct canvas *canvas, int line,
                    const struct snapshot_row *row)
{
    bool has_figures = !isnan(row->cpu);
    if (model_is_selected(&scene->model, row->id))
        canvas_put(canvas, line, 0, 1, PAINT_STRONG, "*");
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        if (layout->width[i] > 0 && (has_figures || !columns[i].figure))
            columns[i].put(canvas, line, layout->at[i], layout->width[i], row);
    }
    bool fits = canvas_columns(row->since) <= layout->figures_width;
    if (!has_figures && strcmp(row->since, row->state) != 0)
        canvas_put(canvas, line, layout->figures, layout->figures_width, row->state_paint,
                   fits ? row->since : row->brief);
}

static void put_nothing(const struct scene *scene, struct canvas *canvas, int line)
{
    if (!scene->model.snapshot)
        canvas_put(canvas, line, 2, canvas->columns - 2, PAINT_FAINT, "waiting for the farm …");
    else if (scene->filter)
        canvas_printf(canvas, line, 2, canvas->columns - 2, PAINT_PLAIN, "no server is %s; Esc shows all again",
                      scene->filter);
    else
        canvas_put(canvas, line, 2, canvas->columns - 2, PAINT_PLAIN,
                   "the farm has no servers; farmd scale 3 adds some");
}

void draw_list(const struct scene *scene, struct canvas *canvas)
{
    const struct model *model = &scene->model;
    const struct layout layout = lay_out(scene, canvas->columns);
    int room, lines = draw_list_window(scene, canvas->lines);
    draw_head(scene, canvas, "farmd top");
    if (model->snapshot) {
        put_enforcement(model->snapshot, canvas, &room);
        put_counts(model->snapshot, canvas, room);
        put_totals(model->snapshot, canvas);
    }
    put_choice(scene, canvas);
    put_heading(scene, &layout, canvas, DRAW_LIST_HEAD_LINES - 1);
    if (model_count(model) == 0)
        put_nothing(scene, canvas, DRAW_LIST_HEAD_LINES + 1);
    for (int i = 0; i < lines; i++) {
        const struct snapshot_row *row = model_row(model, model->top + (size_t)i);
        if (!row)
            break;
        put_row(scene, &layout, canvas, DRAW_LIST_HEAD_LINES + i, row);
        if (draw_is_stale(scene))
            canvas_repaint(canvas, DRAW_LIST_HEAD_LINES + i, PAINT_FAINT);
        if (model->top + (size_t)i == model->cursor)
            canvas_reverse(canvas, DRAW_LIST_HEAD_LINES + i);
    }
    draw_foot(scene, canvas);
}
