/*
 * Draws the state of `farmd top` on a canvas. Pure; what is not visible costs nothing.
 */
#ifndef SUPERVISOR_CLI_TOP_DRAW_H
#define SUPERVISOR_CLI_TOP_DRAW_H

#include "supervisor/cli/top/canvas.h"
#include "supervisor/cli/top/scene.h"

void draw_screen(const struct scene *scene, struct canvas *canvas);

/* The column of the list behind (or before) the one that a sort goes by, of those that a screen so wide has. */
enum model_sort draw_next_sort(const struct scene *scene, int columns, int step);

/* Lines on a screen of so many that the list has, and what can be scrolled of the screen that is shown. */
int draw_list_window(const struct scene *scene, int lines);
int draw_window(const struct scene *scene, int lines);
int draw_small_pane(int lines); /* of the other pane of an open server */

bool draw_is_too_small(int lines, int columns);

/* Whether what is shown is too old to be what is. */
bool draw_is_stale(const struct scene *scene);

/* Parts of a screen. */
void draw_head(const struct scene *scene, struct canvas *canvas, const char *title); /* the first line */
void draw_foot(const struct scene *scene, struct canvas *canvas);                    /* the last lines */
void draw_list(const struct scene *scene, struct canvas *canvas);
void draw_server(const struct scene *scene, struct canvas *canvas);
void draw_load(const struct scene *scene, struct canvas *canvas);
void draw_load_line(const struct scene *scene, struct canvas *canvas, int line);
void draw_keys(const struct scene *scene, struct canvas *canvas);

#define DRAW_LIST_HEAD_LINES 5   /* title, counts, totals, what is chosen, heading */
#define DRAW_SERVER_HEAD_LINES 7 /* title, scene, last end, next, CPU, memory, requests */
#define DRAW_LOAD_HEAD_LINES 5   /* title, what it is, figures, and blanks around */
#define DRAW_FOOT_LINES 2

#endif
