/*
 * The terminal by ncurses: full screen from open to close, and as it was before on every way out, a crash among them.
 */
#ifndef SUPERVISOR_CLI_TOP_TERMINAL_H
#define SUPERVISOR_CLI_TOP_TERMINAL_H

#include "core/error.h"
#include "supervisor/cli/top/canvas.h"

#include <stdbool.h>

/* -ENOTTY: the standard input or output is no terminal; -EINVAL: one of a kind that cannot show a full screen. */
int terminal_check(struct error *err);
int terminal_open(struct error *err); /* once it has been checked */
void terminal_close(void);            /* no harm when it is not open */

bool terminal_has_utf8(void);
void terminal_size(int *lines, int *columns);
void terminal_resize(void); /* after SIGWINCH */
void terminal_show(const struct canvas *canvas);
void terminal_redraw(void); /* the next showing draws everything anew */

/* A key as ncurses has them, or -1 when none waits. */
int terminal_key(void);

/* Whether whoever sat there is gone: it will never give a key again. */
bool terminal_is_gone(void);

#endif
