/*
 * See pane.h.
 */
#include "supervisor/cli/top/pane.h"

#include "core/memory.h"
#include "supervisor/cli/frame/text.h"

#include <stdlib.h>
#include <string.h>

static struct pane_line *line_at(const struct pane *pane, size_t index)
{
    return &pane->lines[(pane->first + index) % PANE_LINES];
}

void pane_add(struct pane *pane, int64_t at_us, enum paint paint, const char *text)
{
    if (!pane->lines)
        pane->lines = xcalloc(PANE_LINES, sizeof(*pane->lines));
    if (pane->count == PANE_LINES) {
        free(line_at(pane, 0)->text);
        pane->first = (pane->first + 1) % PANE_LINES;
        pane->count--;
        pane->gone++;
    }
    bool cut = strlen(text) > PANE_TEXT;
    char *kept = cut ? xasprintf("%.*s…", PANE_TEXT, text) : xstrdup(text);
    *line_at(pane, pane->count) = (struct pane_line){at_us, paint, canvas_columns(kept), kept};
    pane->count++;
}

void pane_done(struct pane *pane)
{
    for (size_t i = 0; i < pane->count; i++)
        free(line_at(pane, i)->text);
    free(pane->lines);
    *pane = (struct pane){.count = 0};
}

/* --- lines that take several of the screen's --- */

/* Where the text of a line begins: behind its time. */
static int indent_of(const struct pane_line *line, char time[24])
{
    time[0] = '\0';
    if (line->at_us == 0)
        return 0;
    text_format_time(time, line->at_us);
    return 1 + (int)strlen(time) + 1;
}

static int height_of(const struct pane *pane, size_t index, int columns)
{
    char time[24];
    const struct pane_line *line = line_at(pane, index);
    int width = columns - indent_of(line, time);
    return width > 0 && line->columns > width ? (line->columns + width - 1) / width : 1;
}

/* A row of the pane: of which line, and which one of it. */
struct place {
    size_t index;
    int row;
};

/* At the top of the window when the newest line is at its bottom. */
static struct place following_top(const struct pane *pane, int lines, int columns)
{
    size_t index = pane->count;
    int rows = 0;
    while (index > 0 && rows < lines)
        rows += height_of(pane, --index, columns);
    return (struct place){index, rows > lines ? rows - lines : 0};
}

static bool is_before(struct place one, struct place other)
{
    return one.index < other.index || (one.index == other.index && one.row < other.row);
}

static struct place top_of(const struct pane *pane, int lines, int columns)
{
    struct place newest = following_top(pane, lines, columns);
    if (!pane->scrolled)
        return newest;
    struct place top = {0, 0};
    if (pane->top >= pane->gone && pane->top - pane->gone < pane->count) {
        top.index = (size_t)(pane->top - pane->gone);
        int height = height_of(pane, top.index, columns);
        top.row = pane->top_row < height ? pane->top_row : height - 1;
    }
    return is_before(top, newest) ? top : newest;
}

static struct place row_above(const struct pane *pane, struct place place, int columns)
{
    if (place.row > 0)
        return (struct place){place.index, place.row - 1};
    return (struct place){place.index - 1, height_of(pane, place.index - 1, columns) - 1};
}

static struct place row_below(const struct pane *pane, struct place place, int columns)
{
    if (place.row + 1 < height_of(pane, place.index, columns))
        return (struct place){place.index, place.row + 1};
    return (struct place){place.index + 1, 0};
}

void pane_scroll(struct pane *pane, long rows, int lines, int columns)
{
    struct place newest = following_top(pane, lines, columns), top = top_of(pane, lines, columns);
    for (; rows > 0 && (top.index > 0 || top.row > 0); rows--)
        top = row_above(pane, top, columns);
    for (; rows < 0 && is_before(top, newest); rows++)
        top = row_below(pane, top, columns);
    pane->scrolled = is_before(top, newest);
    pane->top = pane->gone + top.index;
    pane->top_row = top.row;
}

/* From one of its rows on, down to `bottom`; returns the line of the canvas behind it. */
static int draw_line(const struct pane *pane, struct place from, struct canvas *canvas, int at, int bottom)
{
    char time[24];
    const struct pane_line *line = line_at(pane, from.index);
    int indent = indent_of(line, time), width = canvas->columns - indent;
    int height = height_of(pane, from.index, canvas->columns);
    for (int row = from.row; row < height && at < bottom; row++, at++) {
        canvas_put(canvas, at, 1, row == 0 ? indent - 1 : 0, PAINT_FAINT, time);
        canvas_put_from(canvas, at, indent, width, line->paint, line->text, row * width, row + 1 < height);
    }
    return at;
}

void pane_draw(const struct pane *pane, struct canvas *canvas, int line, int lines, const char *empty)
{
    if (pane->count == 0)
        canvas_put(canvas, line, 1, lines > 0 ? canvas->columns - 1 : 0, PAINT_FAINT, empty);
    struct place from = top_of(pane, lines, canvas->columns);
    for (int at = line; from.index < pane->count && at < line + lines; from = (struct place){from.index + 1, 0})
        at = draw_line(pane, from, canvas, at, line + lines);
}
