/*
 * Timer, thread and closing; see background.h.
 */
#include "supervisor/farm/background.h"

static void finish_close(struct background *background)
{
    if (background->closed && background->timer_closed && !background->working)
        background->calls->freed(background->owner);
}

static void on_work(uv_work_t *work)
{
    struct background *background = work->data;
    background->calls->work(background->owner);
}

static void on_worked(uv_work_t *work, int status)
{
    (void)status;
    struct background *background = work->data;
    background->working = false;
    if (!background->closed)
        background->calls->done(background->owner);
    finish_close(background);
}

static void on_timer(uv_timer_t *timer)
{
    struct background *background = timer->data;
    background->calls->prepare(background->owner);
    background->working = true;
    uv_queue_work(timer->loop, &background->work, on_work, on_worked); /* fails only without a function */
}

void background_init(struct background *background, uv_loop_t *loop, const struct background_calls *calls, void *owner)
{
    *background = (struct background){.calls = calls, .owner = owner};
    uv_timer_init(loop, &background->timer);
    background->timer.data = background->work.data = background;
}

void background_set(struct background *background, uint64_t delay_ms)
{
    uv_timer_start(&background->timer, on_timer, delay_ms, 0);
}

void background_cancel(struct background *background)
{
    uv_timer_stop(&background->timer);
}

bool background_is_set(const struct background *background)
{
    return background->working || uv_is_active((const uv_handle_t *)&background->timer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct background *background = handle->data;
    background->timer_closed = true;
    finish_close(background);
}

void background_close(struct background *background)
{
    background->closed = true;
    uv_close((uv_handle_t *)&background->timer, on_timer_closed);
}
