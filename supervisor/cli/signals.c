/*
 * See signals.h.
 */
#include "supervisor/cli/signals.h"

#include "core/memory.h"

#include <pthread.h>
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

static void *do_nothing(void *unused)
{
    return unused;
}

/* libuv ends the program without a word where the threads of its pool cannot be made. */
static int check_threads(struct error *err)
{
    pthread_t thread;
    int code = pthread_create(&thread, NULL, do_nothing, NULL);
    if (code != 0)
        return error_set_errno(err, code, "no thread can be made here (see ulimit -u, or TasksMax= of the unit)");
    pthread_join(thread, NULL);
    return 0;
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

int signals_begin(uv_loop_t *loop, struct error *err)
{
    static uv_work_t first;
    signals_hold();
    int code = check_threads(err);
    if (code != 0)
        return code;
    uv_queue_work(loop, &first, nothing, nothing_done); /* makes the pool's threads, all at once */
    return 0;
}

void signals_hold(void)
{
    mask(SIG_BLOCK);
}

void signals_allow(void)
{
    mask(SIG_UNBLOCK);
}
