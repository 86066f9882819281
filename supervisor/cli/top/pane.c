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
    }
    bool cut = strlen(text) > PANE_TEXT;
    char *kept = cut ? xasprintf("%.*s…", PANE_TEXT, text) : xstrdup(text);
    *line_at(pane, pane->count) = (struct pane_line){at_us, paint, kept};
    pane->count++;
    if (pane->back > 0 && pane->back < pane->count - 1)
        pane->back++; /* what one reads stands still */
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
    text_format_time(time, line->at_us);
    return 1 + (int)strlen(time) + 1;
}

static int height_of(const struct pane_line *line, int columns)
{
    char time[24];
    int width = columns - indent_of(line, time), length = canvas_columns(line->text);
    return width > 0 && length > width ? (length + width - 1) / width : 1;
}

void pane_scroll(struct pane *pane, long by, int lines, int columns)
{
    size_t oldest = 0; /* so many fill the window when one is at the top */
    for (int used = 0; oldest < pane->count && used < lines; oldest++)
        used += height_of(line_at(pane, oldest), columns);
    long most = (long)(pane->count - oldest), back = (long)pane->back;
    pane->back = (size_t)(by < -back ? 0 : by > most - back ? most : back + by);
}

/* Those above `top` or below `bottom` are not drawn. */
static int draw_line(const struct pane_line *line, struct canvas *canvas, int at, int top, int bottom)
{
    char time[24];
    int indent = indent_of(line, time), width = canvas->columns - indent;
    int height = height_of(line, canvas->columns);
    for (int row = 0; row < height; row++, at++) {
        if (at < top || at >= bottom)
            continue;
        canvas_put(canvas, at, 1, row == 0 ? indent - 1 : 0, PAINT_FAINT, time);
        canvas_put_from(canvas, at, indent, width, line->paint, line->text, row * width, row + 1 < height);
    }
    return at;
}

void pane_draw(const struct pane *pane, struct canvas *canvas, int line, int lines, const char *empty)
{
    if (pane->count == 0)
        canvas_put(canvas, line, 1, lines > 0 ? canvas->columns - 1 : 0, PAINT_FAINT, empty);
    size_t end = pane->count - (pane->back < pane->count ? pane->back : 0), from = end;
    int used = 0;
    while (from > 0 && used < lines)
        used += height_of(line_at(pane, --from), canvas->columns);
    int at = used > lines ? line + lines - used : line;
    for (; from < end; from++)
        at = draw_line(line_at(pane, from), canvas, at, line, line + lines);
}
