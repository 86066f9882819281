/*
 * The arithmetic of arrivals. A position counts arrivals along the time line (its slope is the rate), so evenly spaced
 * arrivals are the whole numbers. Poisson arrivals given their number are uniformly spread over positions; they are
 * drawn in order, each as the least of those that are left, so that the number asked for is kept exactly.
 */
#include "supervisor/load/schedule.h"

#include "core/clock.h"
#include "core/units.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define STAGE_MAX_LENGTH 64u

static int parse_stage(const char *text, struct load_stage *stage)
{
    char duration[STAGE_MAX_LENGTH];
    const char *at = strchr(text, '@');
    int64_t ms;
    double rate;

    if (!at || at == text || (size_t)(at - text) >= sizeof(duration))
        return -EINVAL;
    memcpy(duration, text, (size_t)(at - text));
    duration[at - text] = '\0';
    if (units_parse_duration(duration, &ms) < 0 || ms <= 0 || units_parse_double(at + 1, 0, HUGE_VAL, &rate) < 0)
        return -EINVAL;
    *stage = (struct load_stage){.duration_ns = ms * NS_PER_MS, .rate = rate};
    return 0;
}

int schedule_parse_stages(const char *text, struct load_stage stages[SCHEDULE_MAX_STAGES], struct error *err)
{
    unsigned count = 0;

    for (const char *rest = text; rest; count++) {
        char piece[STAGE_MAX_LENGTH];
        size_t length = strcspn(rest, ",");
        if (count == SCHEDULE_MAX_STAGES)
            return error_set(err, E2BIG, "more than %u stages", SCHEDULE_MAX_STAGES);
        memcpy(piece, rest, length < sizeof(piece) ? length : sizeof(piece) - 1);
        piece[length < sizeof(piece) ? length : sizeof(piece) - 1] = '\0';
        if (length >= sizeof(piece) || parse_stage(piece, &stages[count]) < 0)
            return error_set(err, EINVAL, "\"%s\" is not a stage; write DURATION@RATE, such as 10s@1000,30s@5000",
                             piece);
        rest = rest[length] == ',' ? rest + length + 1 : NULL;
    }
    return (int)count;
}

static double stage_arrivals(const struct load_stage *stage)
{
    return stage->rate * (double)stage->duration_ns / (double)NS_PER_SECOND;
}

void schedule_init(struct schedule *schedule, const struct load_stage *stages, size_t count, uint64_t limit,
                   bool poisson)
{
    double arrivals = 0;

    for (size_t i = 0; i < count && !isinf(arrivals); i++)
        arrivals = stages[i].duration_ns > 0 ? arrivals + stage_arrivals(&stages[i]) : HUGE_VAL;
    *schedule = (struct schedule){.stages = stages, .stage_count = count, .poisson = poisson};
    /* Rounded to the nearest, because 0.1 s at 10/s is not to be none. */
    schedule->count = limit > 0 && arrivals >= (double)limit ? limit : (uint64_t)llround(arrivals);
}

int64_t schedule_instant_ns(const struct schedule *schedule, double position)
{
    int64_t start = 0;
    const struct load_stage *stage = schedule->stages;

    for (; stage < schedule->stages + schedule->stage_count - 1 && position >= stage_arrivals(stage); stage++) {
        position -= stage_arrivals(stage);
        start += stage->duration_ns;
    }
    if (stage->rate <= 0)
        return start + stage->duration_ns;
    return start + llround(position / stage->rate * (double)NS_PER_SECOND);
}

int64_t schedule_length_ns(const struct schedule *schedule)
{
    int64_t length = 0;
    double arrivals = 0;

    for (size_t i = 0; i < schedule->stage_count; i++) {
        arrivals += stage_arrivals(&schedule->stages[i]);
        length += schedule->stages[i].duration_ns;
    }
    bool ends_by_count =
        schedule->stages[schedule->stage_count - 1].duration_ns == 0 || (double)schedule->count < floor(arrivals);
    return ends_by_count ? schedule_instant_ns(schedule, (double)schedule->count) : length;
}

/* splitmix64: one addition and a mix, and any seed is a good one. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Exponentially distributed with mean 1. */
static double random_exponential(uint64_t *state)
{
    double uniform = ((double)(random_next(state) >> 11) + 0.5) * 0x1p-53; /* in (0, 1) */

    return -log(uniform);
}

void arrivals_init(struct arrivals *arrivals, const struct schedule *schedule, uint64_t slot, uint64_t slots,
                   uint64_t seed)
{
    *arrivals = (struct arrivals){.schedule = schedule, .next = slot, .step = slots, .random = seed};
    arrivals->left = slot < schedule->count ? (schedule->count - slot - 1) / slots + 1 : 0;
    random_next(&arrivals->random);
    arrivals->random ^= slot * UINT64_C(0xd1342543de82ef95); /* slots of one seed have nothing in common */
}

int64_t arrivals_next_ns(struct arrivals *arrivals)
{
    const struct schedule *schedule = arrivals->schedule;

    if (arrivals->left == 0)
        return SCHEDULE_NEVER;
    if (schedule->poisson) {
        /* The least of n uniform numbers in what is left of the line is at 1 - U^(1/n) of it. */
        double share = -expm1(-random_exponential(&arrivals->random) / (double)arrivals->left);
        arrivals->position += ((double)schedule->count - arrivals->position) * share;
    } else {
        arrivals->position = (double)arrivals->next;
        arrivals->next += arrivals->step;
    }
    arrivals->left--;
    return schedule_instant_ns(schedule, arrivals->position);
}
