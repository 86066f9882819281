#include "worker/cpu_meter.h"

#include "core/clock.h"

#define TICK_MS 1000
#define SAMPLE_AGE_NS (NS_PER_SECOND - 50 * NS_PER_MS) /* a timer that fires a little early still samples */

static void take_sample(struct cpu_meter *meter)
{
    struct vitals_cpu now = vitals_cpu();
    int64_t now_ns = clock_monotonic_ns();
    int64_t elapsed = now_ns - meter->sampled_ns;

    /* a limit that appeared or went meanwhile begins a new series */
    if (meter->sampled && now.limited == meter->last.limited && now.used_ns >= meter->last.used_ns && elapsed > 0) {
        double percent = 100.0 * (double)(now.used_ns - meter->last.used_ns) / ((double)elapsed * now.cores);
        meter->percent = percent < 100.0 ? percent : 100.0;
    }
    meter->last = now;
    meter->sampled_ns = now_ns;
    meter->sampled = true;
}

static void sample_if_due(struct cpu_meter *meter)
{
    if (!meter->sampled || clock_monotonic_ns() - meter->sampled_ns >= SAMPLE_AGE_NS)
        take_sample(meter);
}

static void on_tick(uv_timer_t *timer)
{
    struct cpu_meter *meter = timer->data;

    sample_if_due(meter); /* a question may have sampled just before */
    meter->ticking = meter->touched || meter->busy > 0;
    meter->touched = false;
    if (meter->ticking)
        uv_timer_start(&meter->timer, on_tick, TICK_MS, 0);
}

void cpu_meter_init(struct cpu_meter *meter, uv_loop_t *loop)
{
    *meter = (struct cpu_meter){0};
    uv_timer_init(loop, &meter->timer);
    meter->timer.data = meter;
}

void cpu_meter_begin(struct cpu_meter *meter)
{
    meter->ticking = true;
    sample_if_due(meter);
    uv_timer_start(&meter->timer, on_tick, TICK_MS, 0);
}

void cpu_meter_busy(struct cpu_meter *meter)
{
    meter->busy++;
    cpu_meter_touch(meter);
}

void cpu_meter_idle(struct cpu_meter *meter)
{
    meter->busy--;
    meter->touched = true;
}

double cpu_meter_percent(struct cpu_meter *meter)
{
    sample_if_due(meter);
    return meter->percent;
}
