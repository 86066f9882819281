/*
 * Lines of text that come and are looked at: the last so many of a log or of events, and how far up one has scrolled.
 * Pure.
 */
#ifndef SUPERVISOR_CLI_TOP_PANE_H
#define SUPERVISOR_CLI_TOP_PANE_H

#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/top/canvas.h"

#include <stddef.h>
#include <stdint.h>

#define PANE_LINES 2000u /* kept */
#define PANE_TEXT 4000u  /* bytes kept of a line */

struct pane_line {
    int64_t at_us;
    enum paint paint;
    char *text;
};

struct pane {
    struct pane_line *lines; /* a ring; allocated with the first */
    size_t first, count;
    size_t back; /* lines between the bottom of the window and the newest; 0: it follows */
};

/* Copies what it keeps; a line that is longer ends in "…". */
void pane_add(struct pane *pane, int64_t at_us, enum paint paint, const char *text);
void pane_done(struct pane *pane);

/* Scrolls towards older lines (positive) or newer ones, in a window of that size. */
void pane_scroll(struct pane *pane, long by, int lines, int columns);

/* Draws the newest below, from a line of the canvas on; long ones are wrapped. `empty`: what to say when there is none. */
void pane_draw(const struct pane *pane, struct canvas *canvas, int line, int lines, const char *empty);

#endif
