/*
 * The time of day of a farm. It can be set, by hand or by a time server, and everything that waits or measures goes by
 * another clock; but instants that are told as they are true now (since when, until when) must move along.
 */
#include "core/clock.h"
#include "core/units.h"
#include "supervisor/farm/farm_private.h"
#include "supervisor/farm/sampler.h"
#include "supervisor/farm/statefile.h"

#include <inttypes.h>
#include <stdlib.h>

#define STEP_MIN_US US_PER_SECOND        /* less is a clock that is slewed, or read by a busy machine */
#define READ_MAX_US (US_PER_SECOND / 10) /* longer between two looks at clocks, and they tell nothing of each other */

static void move(int64_t *at_us, int64_t step_us)
{
    if (*at_us != 0)
        *at_us += step_us;
}

static void move_server(struct server *server, int64_t step_us)
{
    move(&server->started_at_us, step_us);
    move(&server->state_since_us, step_us);
    move(&server->next_restart_at_us, step_us);
    move(&server->stats.at_us, step_us);
    sampler_clock_moved(server, step_us);
}

static void clock_moved(struct farm *farm, int64_t step_us)
{
    char by[24];
    units_format_duration(by, (llabs(step_us) + US_PER_SECOND / 2) / US_PER_SECOND * MS_PER_SECOND);
    farm->started_at_us += step_us;
    for (size_t i = 0; i < farm->server_count; i++)
        move_server(farm->servers[i], step_us);
    statefile_touch(farm->statefile);
    events_add(farm->events, REASON_CLOCK_STEPPED, 0,
               "the clock was set %s by %s: timestamps jump, delays and probes go on as they were",
               step_us > 0 ? "forward" : "back", by);
}

/* How far the time of day is ahead of the time since boot; false when that cannot be told now. */
static bool read_offset(int64_t *now_us, int64_t *offset_us)
{
    int64_t before_us = clock_boottime_us();
    *now_us = clock_realtime_us();
    *offset_us = *now_us - before_us;
    return clock_boottime_us() - before_us < READ_MAX_US;
}

int64_t farm_now_us(struct farm *farm)
{
    int64_t now_us, offset_us;
    if (!read_offset(&now_us, &offset_us))
        return now_us;
    int64_t step_us = offset_us - farm->clock_offset_us;
    bool known = farm->clock_offset_us != 0;
    farm->clock_offset_us = offset_us;
    if (known && llabs(step_us) >= STEP_MIN_US)
        clock_moved(farm, step_us);
    return now_us;
}
