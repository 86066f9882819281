/*
 * See terminal.h.
 */
#include "supervisor/cli/top/terminal.h"

#include "core/memory.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

/* term.h makes macros of them. */
#undef lines
#undef columns

#define ESCAPE_MS 50 /* within which the rest of a key's sequence comes; a slow line takes longer than a keyboard */

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static struct {
    SCREEN *screen;
    bool utf8, colour;
    struct termios before;
    char restore[256]; /* what makes the terminal plain again, ready for a handler that may only write */
    size_t restore_length;
} terminal;

/* --- a crash --- */

static int keep_character(int c)
{
    if (terminal.restore_length < sizeof(terminal.restore))
        terminal.restore[terminal.restore_length++] = (char)c;
    return c;
}

static void keep_restoring(void)
{
    static const char *const names[] = {"sgr0", "rmkx", "cnorm", "rmcup"};
    terminal.restore_length = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *code = tigetstr(names[i]);
        if (code && code != (char *)-1) /* clang-tidy: that is how it says "not a string" */
            tputs(code, 1, keep_character);
    }
}

static void on_crash(int number)
{
    ssize_t n = write(STDOUT_FILENO, terminal.restore, terminal.restore_length);
    (void)n;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
    raise(number); /* its default now, by SA_RESETHAND */
}

static void catch_crashes(void)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};
    for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
        sigaction(crashes[i], &action, NULL);
}

static void let_crashes_be(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
        signal(crashes[i], SIG_DFL);
}

/* --- opening --- */

static bool can_show_a_screen(void)
{
    int found;
    if (setupterm(NULL, STDOUT_FILENO, &found) != OK)
        return false;
    bool can = tigetstr("cup") && tigetstr("clear");
    del_curterm(cur_term); /* newterm makes one of its own */
    return can;
}

int terminal_check(struct error *err)
{
    const char *kind = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return error_set(err, ENOTTY, "top needs a terminal; `farmd ps` prints the same, once or with --watch");
    if (!kind || kind[0] == '\0')
        return error_set(err, EINVAL, "TERM is not set: what kind of terminal is this? `farmd ps --watch` needs none");
    if (!can_show_a_screen())
        return error_set(
            err, EINVAL,
            "TERM=%.60s is no terminal that can show a full screen here; `farmd ps --watch` can do without", kind);
    return 0;
}

static void begin_colours(void)
{
    const char *no_colour = getenv("NO_COLOR");
    terminal.colour = (!no_colour || no_colour[0] == '\0') && has_colors() && start_color() == OK;
    if (!terminal.colour)
        return;
    short background = use_default_colors() == OK ? -1 : COLOR_BLACK;
    init_pair(PAINT_GOOD, COLOR_GREEN, background);
    init_pair(PAINT_WARN, COLOR_YELLOW, background);
    init_pair(PAINT_BAD, COLOR_RED, background);
}

int terminal_open(struct error *err)
{
    setlocale(LC_CTYPE, "");
    terminal.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    tcgetattr(STDIN_FILENO, &terminal.before);
    set_escdelay(ESCAPE_MS);
    terminal.screen = newterm(NULL, stdout, stdin);
    if (!terminal.screen)
        return error_set(err, EINVAL, "the terminal %.60s cannot be set up; `farmd ps --watch` can do without",
                         getenv("TERM"));
    keep_restoring();
    catch_crashes();
    begin_colours();
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, true);
    nodelay(stdscr, true);
    leaveok(stdscr, true);
    curs_set(0);
    return 0;
}

void terminal_close(void)
{
    if (!terminal.screen)
        return;
    curs_set(1);
    endwin();
    let_crashes_be();
    delscreen(terminal.screen);
    terminal.screen = NULL;
}

/* --- showing --- */

bool terminal_has_utf8(void)
{
    return terminal.utf8;
}

void terminal_size(int *lines, int *columns)
{
    getmaxyx(stdscr, *lines, *columns);
}

void terminal_resize(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
}

void terminal_redraw(void)
{
    clearok(stdscr, true);
}

static attr_t attributes(const struct canvas_cell *cell)
{
    static const attr_t plain[] = {
        [PAINT_PLAIN] = A_NORMAL, [PAINT_GOOD] = A_NORMAL, [PAINT_WARN] = A_NORMAL,
        [PAINT_BAD] = A_BOLD,     [PAINT_FAINT] = A_DIM,   [PAINT_STRONG] = A_BOLD,
    };
    bool coloured = cell->paint == PAINT_GOOD || cell->paint == PAINT_WARN || cell->paint == PAINT_BAD;
    attr_t attribute = plain[cell->paint] | (cell->reverse ? A_REVERSE : 0);
    return terminal.colour && coloured ? attribute | (attr_t)COLOR_PAIR(cell->paint) : attribute;
}

static void show_line(const struct canvas *canvas, int line)
{
    const struct canvas_cell *cells = &canvas->cells[line * canvas->columns];
    wchar_t run[256];
    move(line, 0);
    for (int from = 0, to; from < canvas->columns; from = to) {
        attr_t attribute = attributes(&cells[from]);
        int length = 0;
        for (to = from; to < canvas->columns && length < (int)ARRAY_SIZE(run); to++) {
            if (attributes(&cells[to]) != attribute)
                break;
            if (cells[to].character != 0)
                run[length++] = cells[to].character;
        }
        attrset(attribute);
        addnwstr(run, length);
    }
    attrset(A_NORMAL);
}

void terminal_show(const struct canvas *canvas)
{
    for (int line = 0; line < canvas->lines; line++)
        show_line(canvas, line);
    refresh();
}

/* --- keys --- */

int terminal_key(void)
{
    int key;
    do
        key = getch();
    while (key == KEY_RESIZE); /* terminal_resize leaves it behind */
    return key == ERR ? -1 : key;
}

bool terminal_is_gone(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int waiting = 0;
    if (poll(&input, 1, 0) < 0)
        return false;
    bool at_end = (input.revents & POLLIN) && ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting == 0;
    return (input.revents & (POLLHUP | POLLERR | POLLNVAL)) || at_end;
}
