/*
 * The table of keys. Small letters look, capital letters act on servers.
 */
#include "supervisor/cli/top/keys.h"

#include "core/memory.h"

#include <ncurses.h>

#define LOOKS (SCREEN_LIST | SCREEN_SERVER)
#define NO_HELP (LOOKS | SCREEN_LOAD)
#define ALL (NO_HELP | SCREEN_HELP)
#define CONTROL(letter) ((letter)&0x1F)

/* clang-format off */
const struct keys_row keys_table[] = {
    {COMMAND_HELP, NO_HELP, {'?', KEY_F(1)}, "?", "these keys; any key goes back", "keys"},
    {COMMAND_OPEN, SCREEN_LIST, {'\n', '\r', KEY_ENTER}, "Enter", "open the server: why it restarted, its events and log", "open"},
    {COMMAND_OTHER_PANE, SCREEN_SERVER, {'\t'}, "Tab", "between the log and the events", "log/events"},
    {COMMAND_BACK, NO_HELP, {KEYS_ESCAPE, KEY_BACKSPACE, 127}, "Esc", "go back; in the list: drop the selection, then the filter", NULL},
    {COMMAND_FILTER, SCREEN_LIST, {'/', KEY_F(4)}, "/", "show only state:unhealthy, cpu>80, 1-10, zone=a …", "filter"},
    {COMMAND_SORT_RIGHT, SCREEN_LIST, {'s', '>', KEY_RIGHT, KEY_F(6)}, "s >", "sort by the next column", "sort"},
    {COMMAND_SORT_LEFT, SCREEN_LIST, {'<', KEY_LEFT}, "<", "sort by the column before", NULL},
    {COMMAND_REVERSE, SCREEN_LIST, {'r'}, "r", "the other way round", NULL},
    {COMMAND_SELECT, SCREEN_LIST, {' '}, "Space", "select the server, or not any more", "select"},
    {COMMAND_SELECT_SHOWN, SCREEN_LIST, {'a'}, "a", "select all that are shown", NULL},
    {COMMAND_SELECT_NONE, SCREEN_LIST, {'u'}, "u", "select none", NULL},
    {COMMAND_START, LOOKS, {'S'}, "S", "start", NULL},
    {COMMAND_STOP, NO_HELP, {'X'}, "X", "stop; on the screen of a load test: end that", "stop"},
    {COMMAND_RESTART, LOOKS, {'R'}, "R", "restart", NULL},
    {COMMAND_KILL, LOOKS, {'K'}, "K", "kill", NULL},
    {COMMAND_PAUSE, LOOKS, {'P'}, "P", "pause", NULL},
    {COMMAND_RESUME, LOOKS, {'C'}, "C", "resume what is paused (continue)", NULL},
    {COMMAND_LIMITS, LOOKS, {'M'}, "M", "set limits: cpu=0.25 memory=128M", NULL},
    {COMMAND_LOAD, NO_HELP, {'L'}, "L", "load test: begin one, then look at it; there: begin another", "load"},
    {COMMAND_QUIT, ALL, {'q', KEY_F(10)}, "q", "quit; in a server: back to the list", "quit"},
    {COMMAND_UP, ALL, {KEY_UP, 'k'}, "↑ k", "up", NULL},
    {COMMAND_DOWN, ALL, {KEY_DOWN, 'j'}, "↓ j", "down", NULL},
    {COMMAND_PAGE_UP, ALL, {KEY_PPAGE, CONTROL('b')}, "PgUp", "a page up", NULL},
    {COMMAND_PAGE_DOWN, ALL, {KEY_NPAGE, CONTROL('f')}, "PgDn", "a page down", NULL},
    {COMMAND_HOME, ALL, {KEY_HOME, 'g'}, "Home g", "to the top, and stay there", NULL},
    {COMMAND_END, ALL, {KEY_END, 'G'}, "End G", "to the bottom; a log follows from there", NULL},
    {COMMAND_REDRAW, ALL, {CONTROL('l')}, "^L", "draw the screen anew", NULL},
};
/* clang-format on */
const size_t keys_count = ARRAY_SIZE(keys_table);

enum command keys_command(enum top_screen screen, int key)
{
    for (size_t i = 0; i < keys_count; i++) {
        for (size_t n = 0; n < ARRAY_SIZE(keys_table[i].keys) && keys_table[i].keys[n] != 0; n++) {
            if (keys_table[i].keys[n] == key && (keys_table[i].screens & screen))
                return keys_table[i].command;
        }
    }
    return COMMAND_NONE;
}
