/*
 * Cells are kept until all are there: only then is it known how wide each column must be.
 */
#include "supervisor/cli/frame/table.h"

#include "core/memory.h"
#include "supervisor/cli/frame/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define GAP 2 /* blanks between two columns */

struct cell {
    char *text;
    enum paint paint;
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct cell *cells;
    size_t cell_count, room;
};

struct table *table_new(const struct table_column *columns, size_t count)
{
    struct table *table = xcalloc(1, sizeof(*table));
    table->columns = columns;
    table->column_count = count;
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i].text);
    free(table->cells);
    free(table);
}

void table_cell(struct table *table, enum paint paint, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (table->cell_count == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = xrealloc(table->cells, table->room * sizeof(struct cell));
    }
    table->cells[table->cell_count++] = (struct cell){.text = xstrdup(text), .paint = paint};
}

size_t table_rows(const struct table *table)
{
    return table->cell_count / table->column_count;
}

/* --- layout --- */

struct layout {
    const struct table *table;
    size_t *widths; /* of each column; 0: left out */
};

static void measure(struct layout *layout, const struct output *output)
{
    const struct table *table = layout->table;
    for (size_t c = 0; c < table->column_count; c++) {
        const struct table_column *column = &table->columns[c];
        if (column->wide && output->format != OUTPUT_WIDE)
            continue;
        layout->widths[c] = output->headers ? text_columns(column->title) : 1;
        for (size_t i = c; i < table->cell_count; i += table->column_count) {
            size_t width = text_columns(table->cells[i].text);
            if (width > layout->widths[c])
                layout->widths[c] = width;
        }
    }
}

/* What the columns take, those that can be cut at their least when `cut`. */
static size_t total(const struct layout *layout, bool cut)
{
    size_t sum = 0;
    for (size_t c = 0; c < layout->table->column_count; c++) {
        size_t width = layout->widths[c], least = layout->table->columns[c].least;
        if (width > 0)
            sum += (sum ? GAP : 0) + (cut && least && least < width ? least : width);
    }
    return sum;
}

/* Leaves the most dispensable column out; false when there is none. */
static bool leave_one_out(struct layout *layout)
{
    const struct table_column *columns = layout->table->columns;
    size_t found = SIZE_MAX;
    for (size_t c = 0; c < layout->table->column_count; c++) {
        bool candidate = layout->widths[c] > 0 && columns[c].dispensable > 0;
        if (candidate && (found == SIZE_MAX || columns[c].dispensable > columns[found].dispensable))
            found = c;
    }
    if (found == SIZE_MAX)
        return false;
    layout->widths[found] = 0;
    return true;
}

static void fit(struct layout *layout, size_t width)
{
    while (total(layout, true) > width && leave_one_out(layout))
        ;
    for (size_t c = layout->table->column_count; c-- > 0 && total(layout, false) > width;) {
        size_t over = total(layout, false) - width, least = layout->table->columns[c].least;
        if (least == 0 || layout->widths[c] <= least)
            continue;
        size_t spare = layout->widths[c] - least;
        layout->widths[c] -= over < spare ? over : spare;
    }
}

/* --- printing --- */

static void append_cell(const struct layout *layout, size_t column, const struct output *output,
                        const struct cell *cell, bool last, struct buffer *out)
{
    size_t width = layout->widths[column], taken = text_columns(cell->text);
    size_t pad = taken < width ? width - taken : 0;
    bool right = layout->table->columns[column].right;
    if (right)
        buffer_printf(out, "%*s", (int)pad, "");
    buffer_append_text(out, output_paint(output, cell->paint));
    text_append(out, cell->text, width);
    buffer_append_text(out, output_unpaint(output, cell->paint));
    if (!right && !last)
        buffer_printf(out, "%*s", (int)pad, "");
}

static void append_row(const struct layout *layout, const struct output *output, const struct cell *cells,
                       struct buffer *out)
{
    size_t count = layout->table->column_count, end = 0;
    for (size_t c = 0; c < count; c++)
        end = layout->widths[c] > 0 ? c : end;
    bool first = true;
    for (size_t c = 0; c < count; c++) {
        if (layout->widths[c] == 0)
            continue;
        if (!first)
            buffer_printf(out, "%*s", GAP, "");
        first = false;
        append_cell(layout, c, output, &cells[c], c == end, out);
    }
    buffer_append_char(out, '\n');
}

void table_append(const struct table *table, const struct output *output, struct buffer *out)
{
    cleanup_free size_t *widths = xcalloc(table->column_count, sizeof(*widths));
    cleanup_free struct cell *titles = xcalloc(table->column_count, sizeof(*titles));
    struct layout layout = {.table = table, .widths = widths};
    measure(&layout, output);
    if (output->width > 0)
        fit(&layout, output->width);
    for (size_t c = 0; c < table->column_count; c++)
        titles[c] = (struct cell){.text = (char *)table->columns[c].title, .paint = PAINT_FAINT};
    if (output->headers)
        append_row(&layout, output, titles, out);
    for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count)
        append_row(&layout, output, &table->cells[i], out);
}
