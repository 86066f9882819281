/*
 * A screen's worth of characters and how they are painted, in memory. What is drawn is text and nothing else: whatever a
 * server's log or name holds, no byte of it steers the terminal.
 */
#ifndef SUPERVISOR_CLI_TOP_CANVAS_H
#define SUPERVISOR_CLI_TOP_CANVAS_H

#include "core/buffer.h"
#include "supervisor/cli/frame/output.h"

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

struct canvas_cell {
    wchar_t character; /* 0: the second half of a wide one */
    unsigned char paint;
    bool reverse;
};

struct canvas {
    int lines, columns;
    bool ascii; /* the terminal has no UTF-8: other characters become '?', those of farmd itself something near */
    struct canvas_cell *cells;
};

void canvas_init(struct canvas *canvas, int lines, int columns, bool ascii); /* blank */
void canvas_done(struct canvas *canvas);
void canvas_clear(struct canvas *canvas);

/* Writes UTF-8 from a place on, at most `width` columns, the last of them "…" when some is left out. Control characters
 * are blanks, what is no UTF-8 is shown as such, what has no width is left out. What lies outside is not drawn. Returns the
 * columns written. */
int canvas_put(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *text);
int canvas_put_right(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *text);
int canvas_printf(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* As canvas_put, without the first `skip` columns of the text; `goes_on`: it is continued elsewhere, so that nothing says
 * that some is left out. */
int canvas_put_from(struct canvas *canvas, int line, int column, int width, enum paint paint, const char *text,
                    int skip, bool goes_on);
int canvas_columns(const char *text); /* that it takes */

/* A bar of `width` columns, `share` (0 to 1, NaN: none) of them full. */
void canvas_bar(struct canvas *canvas, int line, int column, int width, enum paint paint, double share);

/* A line across, with a title in it. */
void canvas_rule(struct canvas *canvas, int line, enum paint paint, const char *title);

void canvas_repaint(struct canvas *canvas, int line, enum paint paint);
void canvas_reverse(struct canvas *canvas, int line); /* the whole line, as a cursor or a heading */

/* A line as UTF-8, without the blanks at its end; for tests. */
void canvas_append_line(const struct canvas *canvas, int line, struct buffer *out);

#endif
