/*
 * See commands.h.
 */
#include "supervisor/cli/top/commands.h"

#include "core/memory.h"
#include "supervisor/cli/top/acts.h"
#include "supervisor/cli/top/draw.h"
#include "supervisor/cli/top/terminal.h"
#include "supervisor/farm/selector.h"

#include <limits.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- prompts --- */

static void begin_filter(struct scene *scene)
{
    scene_close_prompt(scene);
    scene->prompt.kind = PROMPT_FILTER;
    snprintf(scene->prompt.label, sizeof(scene->prompt.label), "filter (state:unhealthy, cpu>80, 1-10): ");
    snprintf(scene->prompt.text, sizeof(scene->prompt.text), "%s", scene->filter ? scene->filter : "");
}

static void set_filter(struct scene *scene, struct feed *feed, const char *text)
{
    free(scene->filter);
    scene->filter = text && text[0] != '\0' ? xstrdup(text) : NULL;
    feed_select(feed, scene->filter);
}

/* What no farm would understand is refused here, while one can still mend it. */
static void end_filter(struct scene *scene, struct feed *feed)
{
    struct selector *selector = NULL;
    struct error err;
    char *text = scene->prompt.text + strspn(scene->prompt.text, " ");
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
    if (length > 0 && selector_parse(text, &selector, &err) < 0) {
        snprintf(scene->prompt.error, sizeof(scene->prompt.error), "%s", err.message);
        return;
    }
    selector_free(selector);
    set_filter(scene, feed, text);
    scene_close_prompt(scene);
}

static void edit(struct prompt *prompt, int key)
{
    size_t length = strlen(prompt->text);
    prompt->error[0] = '\0';
    if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
        while (length > 0 && ((unsigned char)prompt->text[length - 1] & 0xC0) == 0x80)
            length--;
        prompt->text[length > 0 ? length - 1 : 0] = '\0';
    } else if (key == ('U' & 0x1F)) {
        prompt->text[0] = '\0';
    } else if (key >= ' ' && key < 256 && length + 1 < sizeof(prompt->text)) {
        prompt->text[length] = (char)key;
        prompt->text[length + 1] = '\0';
    }
}

static void prompt_key(struct scene *scene, struct feed *feed, int key)
{
    bool enter = key == '\n' || key == '\r' || key == KEY_ENTER;
    if (scene->prompt.kind == PROMPT_CONFIRM || scene->prompt.kind == PROMPT_END_LOAD) {
        if (key == 'y' || key == 'Y')
            acts_confirm(scene, feed);
        else
            scene_close_prompt(scene);
    } else if (key == KEYS_ESCAPE) {
        scene_close_prompt(scene);
    } else if (!enter) {
        edit(&scene->prompt, key);
    } else if (scene->prompt.kind == PROMPT_FILTER) {
        end_filter(scene, feed);
    } else {
        acts_confirm(scene, feed);
    }
}

/* --- moving --- */

/* How far a command moves, down positive, in a window of so many lines. */
static long distance(enum command command, int window)
{
    static const long ends = LONG_MAX / 4;
    long page = window > 1 ? window - 1 : 1;
    switch ((int)command) {
    case COMMAND_UP:
        return -1;
    case COMMAND_DOWN:
        return 1;
    case COMMAND_PAGE_UP:
        return -page;
    case COMMAND_PAGE_DOWN:
        return page;
    case COMMAND_HOME:
        return -ends;
    case COMMAND_END:
        return ends;
    default:
        return 0;
    }
}

static void move_keys(struct scene *scene, long by)
{
    size_t step = (size_t)(by < 0 ? -by : by);
    if (by < 0)
        scene->help_top -= step < scene->help_top ? step : scene->help_top;
    else
        scene->help_top = step < keys_count - scene->help_top ? scene->help_top + step : keys_count - 1;
}

static void move_by(struct scene *scene, long by, int window, int columns)
{
    struct opened *opened = &scene->opened;
    switch (scene->screen) {
    case SCREEN_LIST:
        model_move(&scene->model, by);
        break;
    case SCREEN_SERVER:
        pane_scroll(opened->events_larger ? &opened->events : &opened->log, -by, window, columns);
        break;
    case SCREEN_LOAD:
        pane_scroll(&scene->load.report, -by, window, columns);
        break;
    case SCREEN_HELP:
        move_keys(scene, by);
        break;
    }
}

/* --- commands --- */

static void open_current(struct scene *scene, struct feed *feed)
{
    const struct snapshot_row *current = model_current(&scene->model);
    if (!current)
        return;
    scene_open(scene, current->id);
    feed_open(feed, current->id);
}

static void go_back(struct scene *scene, struct feed *feed)
{
    if (scene->screen == SCREEN_LOAD) {
        scene->screen = scene->opened.id ? SCREEN_SERVER : SCREEN_LIST;
    } else if (scene->screen == SCREEN_SERVER) {
        scene_open(scene, 0);
        feed_open(feed, 0);
    } else if (scene->model.selected_count > 0) {
        model_select_none(&scene->model);
    } else if (scene->filter) {
        set_filter(scene, feed, NULL);
    }
}

static void select_current(struct model *model)
{
    const struct snapshot_row *current = model_current(model);
    if (!current)
        return;
    model_toggle(model, current->id);
    model_move(model, 1);
}

static void list_command(struct scene *scene, struct feed *feed, enum command command, int columns)
{
    struct model *model = &scene->model;
    switch ((int)command) {
    case COMMAND_OPEN:
        open_current(scene, feed);
        break;
    case COMMAND_FILTER:
        begin_filter(scene);
        break;
    case COMMAND_SORT_LEFT:
        model_sort_by(model, draw_next_sort(scene, columns, -1), false);
        break;
    case COMMAND_SORT_RIGHT:
        model_sort_by(model, draw_next_sort(scene, columns, 1), false);
        break;
    case COMMAND_REVERSE:
        model_sort_by(model, model->sort, !model->reversed);
        break;
    case COMMAND_SELECT:
        select_current(model);
        break;
    case COMMAND_SELECT_SHOWN:
        model_select_shown(model);
        break;
    case COMMAND_SELECT_NONE:
        model_select_none(model);
        break;
    default:
        break;
    }
}

static void server_command(struct scene *scene, enum command command)
{
    if (command == COMMAND_OTHER_PANE)
        scene->opened.events_larger = !scene->opened.events_larger;
}

static void show(struct scene *scene, enum top_screen screen)
{
    scene->before_help = scene->screen;
    scene->screen = screen;
    scene->help_top = 0;
}

/* Of capital letters: on the screen of a load test they are about that one. */
static void act(struct scene *scene, struct feed *feed, enum command command)
{
    if (command == COMMAND_LOAD && scene->load.run && scene->screen != SCREEN_LOAD)
        show(scene, SCREEN_LOAD);
    else if (command == COMMAND_STOP && scene->screen == SCREEN_LOAD && scene_is_loading(scene))
        acts_ask_to_end_load(scene);
    else if (command != COMMAND_STOP || scene->screen != SCREEN_LOAD)
        acts_begin(scene, feed, command);
}

bool commands_key(struct scene *scene, struct feed *feed, int key, int lines, int columns)
{
    enum command command = keys_command(scene->screen, key);
    int window = draw_window(scene, lines);
    if (command == COMMAND_REDRAW) {
        terminal_redraw();
        return true;
    }
    if (draw_is_too_small(lines, columns))
        return key != 'q'; /* what is not seen is not done */
    if (scene->prompt.kind != PROMPT_NONE) {
        prompt_key(scene, feed, key);
        return true;
    }
    if (distance(command, window) != 0) {
        move_by(scene, distance(command, window), window, columns);
        return true;
    }
    if (scene->screen == SCREEN_HELP) {
        scene->screen = scene->before_help;
        return true;
    }
    if (command == COMMAND_QUIT && scene->screen == SCREEN_LIST)
        return false;
    if (command == COMMAND_HELP)
        show(scene, SCREEN_HELP);
    else if (command == COMMAND_BACK || command == COMMAND_QUIT)
        go_back(scene, feed);
    else if (command >= COMMAND_START && command <= COMMAND_LOAD)
        act(scene, feed, command);
    else if (scene->screen == SCREEN_LIST)
        list_command(scene, feed, command, columns);
    else if (scene->screen == SCREEN_SERVER)
        server_command(scene, command);
    return true;
}
