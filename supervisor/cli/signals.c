/*
 * See signals.h.
 */
#include "supervisor/cli/signals.h"

#include "core/memory.h"

#include <signal.h>
#include <stddef.h>

static void mask(int how)
{
    static const int handled[] = SIGNALS_HANDLED;
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
        sigaddset(&set, handled[i]);
    pthread_sigmask(how, &set, NULL);
}

static void nothing(uv_work_t *work)
{
    (void)work;
}

static void nothing_done(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

void signals_begin(uv_loop_t *loop)
{
    static uv_work_t first;
    signals_hold();
    uv_queue_work(loop, &first, nothing, nothing_done); /* makes the pool's threads, all at once */
}

void signals_hold(void)
{
    mask(SIG_BLOCK);
}

void signals_allow(void)
{
    mask(SIG_UNBLOCK);
}
