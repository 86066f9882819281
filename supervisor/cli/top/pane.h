/*
 * Lines of text that come and are looked at: the last so many of a log or of events, and how far up one has scrolled.
 * Pure.
 */
#ifndef SUPERVISOR_CLI_TOP_PANE_H
#define SUPERVISOR_CLI_TOP_PANE_H

#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/top/canvas.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PANE_LINES 2000u /* kept */
#define PANE_TEXT 4000u  /* bytes kept of a line */

struct pane_line {
    int64_t at_us; /* shown before it; 0: no time is */
    enum paint paint;
    int columns; /* of its text */
    char *text;
};

struct pane {
    struct pane_line *lines; /* a ring; allocated with the first */
    size_t first, count;
    bool scrolled; /* the window stands still, … */
    uint64_t top;  /* … with this line at its top, counted from the first ever, … */
    int top_row;   /* … less so many rows of it; else the newest line is at its bottom */
    uint64_t gone; /* lines that are not kept any more */
};

/* Copies what it keeps; a line that is longer ends in "…". */
void pane_add(struct pane *pane, int64_t at_us, enum paint paint, const char *text);
void pane_done(struct pane *pane);

/* Scrolls so many rows towards older lines (positive) or newer ones, in a window of that size; at the newest it follows
 * again. */
void pane_scroll(struct pane *pane, long rows, int lines, int columns);

/* Draws the newest below, from a line of the canvas on; long ones are wrapped. `empty`: what to say when there is none. */
void pane_draw(const struct pane *pane, struct canvas *canvas, int line, int lines, const char *empty);

#endif
