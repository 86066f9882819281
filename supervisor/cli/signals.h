/*
 * Signals in between two programs: those that farmd handles wait while nobody is there to handle them, at the beginning
 * and from the moment at which it becomes another program by exec until that one is ready. None is lost, none kills.
 */
#ifndef SUPERVISOR_CLI_SIGNALS_H
#define SUPERVISOR_CLI_SIGNALS_H

#include "core/error.h"

#include <uv.h>

#define SIGNALS_HANDLED                                                                                                \
    {                                                                                                                  \
        SIGINT, SIGTERM, SIGHUP                                                                                        \
    }

/* Holds them from now on, and sees to it that no thread of the loop's pool ever takes one: a signal that is held back
 * must wait in the process, not end in a thread's handler, whose word to the loop would be lost. Before any thread; fails
 * when none can be made. */
int signals_begin(uv_loop_t *loop, struct error *err);

void signals_hold(void);
void signals_allow(void); /* the main thread takes them again; what waited comes now */

#endif
