/*
 * Which key does what on which screen: one table, which also is what `?` shows.
 */
#ifndef SUPERVISOR_CLI_TOP_KEYS_H
#define SUPERVISOR_CLI_TOP_KEYS_H

#include <stddef.h>

enum top_screen { SCREEN_LIST = 1, SCREEN_SERVER = 2, SCREEN_HELP = 4, SCREEN_LOAD = 8 };

enum command {
    COMMAND_NONE,
    COMMAND_UP,
    COMMAND_DOWN,
    COMMAND_PAGE_UP,
    COMMAND_PAGE_DOWN,
    COMMAND_HOME,
    COMMAND_END,
    COMMAND_OPEN,
    COMMAND_BACK,
    COMMAND_OTHER_PANE,
    COMMAND_FILTER,
    COMMAND_SORT_LEFT,
    COMMAND_SORT_RIGHT,
    COMMAND_REVERSE,
    COMMAND_SELECT,
    COMMAND_SELECT_SHOWN,
    COMMAND_SELECT_NONE,
    COMMAND_START,
    COMMAND_STOP,
    COMMAND_RESTART,
    COMMAND_KILL,
    COMMAND_PAUSE,
    COMMAND_RESUME,
    COMMAND_LIMITS,
    COMMAND_LOAD,
    COMMAND_HELP,
    COMMAND_REDRAW,
    COMMAND_QUIT,
};

#define KEYS_ESCAPE 27

struct keys_row {
    enum command command;
    unsigned screens;  /* on which it does something; `enum top_screen`, or'ed */
    int keys[4];       /* as ncurses has them; 0 behind the last one */
    const char *label; /* how they are called: "PgDn" */
    const char *what;
    const char *hint; /* one word for the line at the bottom; NULL: it is not named there */
};

extern const struct keys_row keys_table[];
extern const size_t keys_count;

enum command keys_command(enum top_screen screen, int key);

#endif
