/*
 * What all screens have in common: their first line, their last two, and how small they may be. See draw.h.
 */
#include "supervisor/cli/top/draw.h"

#include "core/clock.h"
#include "core/units.h"

#include <stdio.h>
#include <string.h>

#define STALE_MS 3000 /* without an answer: what is shown is no longer what is */

#define SMALL_PANE 4 /* lines of the pane of a server that is not looked at … */
#define LEAST_PANE 1 /* … and on a low screen */
#define RULES 2

/* With the line of a load test, where there is one. */
static int foot_lines(const struct scene *scene)
{
    return DRAW_FOOT_LINES + (scene->load.run != NULL);
}

int draw_list_window(const struct scene *scene, int lines)
{
    int window = lines - DRAW_LIST_HEAD_LINES - foot_lines(scene);
    return window > 0 ? window : 0;
}

int draw_window(const struct scene *scene, int lines)
{
    int window = 0;
    switch (scene->screen) {
    case SCREEN_LIST:
        return draw_list_window(scene, lines);
    case SCREEN_SERVER:
        window = lines - DRAW_SERVER_HEAD_LINES - RULES - draw_small_pane(lines) - foot_lines(scene);
        break;
    case SCREEN_LOAD:
        window = lines - DRAW_LOAD_HEAD_LINES - DRAW_FOOT_LINES;
        break;
    case SCREEN_HELP:
        window = lines - 2 - DRAW_FOOT_LINES;
        break;
    }
    return window > 0 ? window : 0;
}

int draw_small_pane(int lines)
{
    return lines >= 22 ? SMALL_PANE : LEAST_PANE;
}

bool draw_is_stale(const struct scene *scene)
{
    return scene->silent_ms >= STALE_MS || (scene->trouble[0] != '\0' && scene->silent_ms >= STALE_MS / 2);
}

void draw_head(const struct scene *scene, struct canvas *canvas, const char *title)
{
    char since[24], live[64];
    bool stale = draw_is_stale(scene);
    units_format_duration(since, scene->silent_ms / MS_PER_SECOND * MS_PER_SECOND);
    snprintf(live, sizeof(live), stale ? "no answer for %s" : "live", since);
    int width = (int)strlen(live), right = canvas->columns - width;
    int column = canvas_put(canvas, 0, 0, right - 1, PAINT_STRONG, title);
    canvas_printf(canvas, 0, column + 2, right - column - 4, PAINT_FAINT, "%s", scene->url);
    canvas_put(canvas, 0, right, width, stale ? PAINT_BAD : PAINT_GOOD, live);
}

/* --- the foot --- */

static void draw_prompt(const struct prompt *prompt, struct canvas *canvas, int line)
{
    int column = canvas_put(canvas, line, 0, canvas->columns - 1, PAINT_STRONG, prompt->label);
    int room = canvas->columns - column - 2, length = (int)strlen(prompt->text);
    const char *shown = prompt->text + (length > room && room > 0 ? length - room : 0); /* its end */
    column += canvas_put(canvas, line, column, room, PAINT_PLAIN, shown);
    canvas_put(canvas, line, column, 1, PAINT_PLAIN, "_");
}

/* "s" of "s >". */
static int first_label(const char *label)
{
    const char *blank = strchr(label, ' ');
    return blank ? (int)(blank - label) : (int)strlen(label);
}

static void draw_hints(enum top_screen screen, struct canvas *canvas, int line)
{
    int column = 0;
    for (size_t i = 0; i < keys_count; i++) {
        const struct keys_row *row = &keys_table[i];
        char key[16];
        snprintf(key, sizeof(key), "%.*s", first_label(row->label), row->label);
        bool fits = row->hint && column + (int)(strlen(key) + 1 + strlen(row->hint)) <= canvas->columns;
        if (!fits || !(row->screens & screen))
            continue;
        column += canvas_put(canvas, line, column, canvas->columns - column, PAINT_STRONG, key) + 1;
        column += canvas_put(canvas, line, column, canvas->columns - column, PAINT_PLAIN, row->hint) + 2;
    }
}

void draw_foot(const struct scene *scene, struct canvas *canvas)
{
    int line = canvas->lines - DRAW_FOOT_LINES;
    if (scene->load.run && scene->screen != SCREEN_LOAD)
        draw_load_line(scene, canvas, line - 1);
    if (scene->prompt.kind != PROMPT_NONE)
        draw_prompt(&scene->prompt, canvas, line);
    else if (scene->trouble[0] != '\0')
        canvas_put(canvas, line, 0, canvas->columns, PAINT_BAD, scene->trouble);
    else
        canvas_put(canvas, line, 0, canvas->columns, scene->message_paint, scene->message);
    if (scene->prompt.error[0] != '\0')
        canvas_put(canvas, line + 1, 0, canvas->columns, PAINT_BAD, scene->prompt.error);
    else
        draw_hints(scene->screen, canvas, line + 1);
}

/* --- the screens --- */

void draw_keys(const struct scene *scene, struct canvas *canvas)
{
    canvas_put(canvas, 0, 0, canvas->columns, PAINT_STRONG,
               "keys; capital letters act on what is selected, or on the server at the cursor");
    int line = 2, last = canvas->lines - 2;
    bool all = (int)keys_count <= last - line;
    for (size_t i = all ? 0 : scene->help_top; i < keys_count && line < last; i++, line++) {
        canvas_put(canvas, line, 2, 9, PAINT_STRONG, keys_table[i].label);
        canvas_put(canvas, line, 12, canvas->columns - 12, PAINT_PLAIN, keys_table[i].what);
    }
    canvas_put(canvas, canvas->lines - 1, 0, canvas->columns, PAINT_FAINT,
               all ? "any key goes back" : "↓ shows more, any other key goes back");
}

bool draw_is_too_small(int lines, int columns)
{
    return lines < SCENE_LEAST_LINES || columns < SCENE_LEAST_COLUMNS;
}

static void say_too_small(struct canvas *canvas)
{
    char need[64];
    snprintf(need, sizeof(need), "needs %d × %d", SCENE_LEAST_COLUMNS, SCENE_LEAST_LINES);
    canvas_put(canvas, 0, 0, canvas->columns, PAINT_STRONG, "farmd top");
    canvas_put(canvas, 1, 0, canvas->columns, PAINT_PLAIN, need);
    snprintf(need, sizeof(need), "has %d × %d", canvas->columns, canvas->lines);
    canvas_put(canvas, 2, 0, canvas->columns, PAINT_PLAIN, need);
    canvas_put(canvas, 3, 0, canvas->columns, PAINT_PLAIN, "q quits");
}

void draw_screen(const struct scene *scene, struct canvas *canvas)
{
    canvas_clear(canvas);
    if (draw_is_too_small(canvas->lines, canvas->columns)) {
        say_too_small(canvas);
        return;
    }
    switch (scene->screen) {
    case SCREEN_LIST:
        draw_list(scene, canvas);
        break;
    case SCREEN_SERVER:
        draw_server(scene, canvas);
        break;
    case SCREEN_LOAD:
        draw_load(scene, canvas);
        break;
    case SCREEN_HELP:
        draw_keys(scene, canvas);
        break;
    }
}
