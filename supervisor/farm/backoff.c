/*
 * The restart profiles as one table, and the one function that reads it.
 */
#include "supervisor/farm/backoff.h"

#include <stdbool.h>
#include <stddef.h>

enum growth { GROWTH_NONE, GROWTH_DOUBLES, GROWTH_ADDS }; /* ADDS: 1, 2, 3 … times the first delay */

/* What a long enough run makes forget the failures before it. */
enum reset_by { RESET_NEVER, RESET_HEALTHY, RESET_RAN };

struct profile {
    const char *description;
    bool first_at_once;
    int64_t delay_ms; /* the first one that waits */
    enum growth growth;
    int64_t max_ms;
    unsigned jitter_percent; /* added on top, 0 to this */
    int64_t spacing_ms;      /* at least this from one start to the next; instead of a delay */
    enum reset_by reset_by;
    int64_t reset_ms;
    unsigned max_failures; /* further ones give up; 0: never */
    int64_t window_ms;     /* 0: no window */
    unsigned window_limit; /* this many within the window, then given up */
    bool window_has_first; /* every start counts, else only restarts do */
};

static const struct profile profiles[] = {
    [RESTART_PROFILE_FARM] =
        {
            .description =
                "at once, then 1 s doubling to 60 s with up to 25 % more at random; forgotten after 60 s of health",
            .first_at_once = true,
            .delay_ms = 1000,
            .growth = GROWTH_DOUBLES,
            .max_ms = 60000,
            .jitter_percent = 25,
            .reset_by = RESET_HEALTHY,
            .reset_ms = 60000,
        },
    [RESTART_PROFILE_KUBERNETES] =
        {
            .description = "at once, then 10 s doubling to 300 s; forgotten when it ran 600 s",
            .first_at_once = true,
            .delay_ms = 10000,
            .growth = GROWTH_DOUBLES,
            .max_ms = 300000,
            .reset_by = RESET_RAN,
            .reset_ms = 600000,
        },
    [RESTART_PROFILE_DOCKER] =
        {
            .description = "100 ms doubling to 60 s; forgotten when it ran 10 s",
            .delay_ms = 100,
            .growth = GROWTH_DOUBLES,
            .max_ms = 60000,
            .reset_by = RESET_RAN,
            .reset_ms = 10000,
        },
    [RESTART_PROFILE_SYSTEMD] =
        {
            .description = "after 100 ms; failed after 5 starts within 10 s",
            .delay_ms = 100,
            .window_ms = 10000,
            .window_limit = 5,
            .window_has_first = true,
        },
    [RESTART_PROFILE_NOMAD] =
        {
            .description = "after 15 s with up to 25 % more at random; failed after 2 restarts within 30 min",
            .delay_ms = 15000,
            .jitter_percent = 25,
            .window_ms = 30 * 60000,
            .window_limit = 2,
        },
    [RESTART_PROFILE_SUPERVISORD] =
        {
            .description = "after 1 s, 2 s and 3 s, then failed; forgotten when it ran 10 s",
            .delay_ms = 1000,
            .growth = GROWTH_ADDS,
            .max_ms = 3000,
            .max_failures = 3,
            .reset_by = RESET_RAN,
            .reset_ms = 10000,
        },
    [RESTART_PROFILE_S6] =
        {
            .description = "at once, but at most one start a second",
            .spacing_ms = 1000,
        },
    [RESTART_PROFILE_SWARM] =
        {
            .description = "after 5 s, for ever",
            .delay_ms = 5000,
        },
};
_Static_assert(sizeof(profiles) / sizeof(profiles[0]) == RESTART_PROFILE_COUNT, "one row for each profile");

static bool is_forgotten(const struct profile *profile, int64_t ran_ms, int64_t healthy_ms)
{
    switch (profile->reset_by) {
    case RESET_HEALTHY:
        return healthy_ms >= profile->reset_ms;
    case RESET_RAN:
        return ran_ms >= profile->reset_ms;
    case RESET_NEVER:
        break;
    }
    return false;
}

/* The delay after `failures` earlier failures, before jitter; 0 is at once. */
static int64_t plain_delay(const struct profile *profile, unsigned failures, int64_t ran_ms)
{
    if (profile->spacing_ms > 0)
        return ran_ms < profile->spacing_ms ? profile->spacing_ms - ran_ms : 0;
    if (profile->first_at_once && failures == 0)
        return 0;

    unsigned step = failures - (profile->first_at_once ? 1 : 0);
    int64_t delay = profile->delay_ms;
    switch (profile->growth) {
    case GROWTH_DOUBLES:
        while (step-- > 0 && delay < profile->max_ms)
            delay *= 2;
        break;
    case GROWTH_ADDS:
        delay += profile->delay_ms * step;
        break;
    case GROWTH_NONE:
        return delay;
    }
    return delay < profile->max_ms ? delay : profile->max_ms;
}

static int64_t with_jitter(int64_t delay, unsigned percent, uint64_t random)
{
    int64_t most = delay * percent / 100;
    return delay + (most > 0 ? (int64_t)(random % (uint64_t)(most + 1)) : 0);
}

static void remember(struct backoff *backoff, int64_t at_ms)
{
    if (backoff->recent_count == BACKOFF_MAX_WINDOW) {
        for (unsigned i = 1; i < BACKOFF_MAX_WINDOW; i++)
            backoff->recent_ms[i - 1] = backoff->recent_ms[i];
        backoff->recent_count--;
    }
    backoff->recent_ms[backoff->recent_count++] = at_ms;
}

static unsigned count_since(const struct backoff *backoff, int64_t since_ms)
{
    unsigned count = 0;
    for (unsigned i = 0; i < backoff->recent_count; i++)
        count += backoff->recent_ms[i] > since_ms;
    return count;
}

/* Whether the window is full; also notes what counts in it. */
static bool window_is_full(struct backoff *backoff, const struct profile *profile, int64_t now_ms, int64_t ran_ms,
                           int64_t delay_ms)
{
    if (profile->window_ms == 0)
        return false;
    if (profile->window_has_first)
        remember(backoff, now_ms - ran_ms);
    int64_t next_ms = now_ms + delay_ms;
    if (count_since(backoff, next_ms - profile->window_ms) >= profile->window_limit)
        return true;
    if (!profile->window_has_first)
        remember(backoff, next_ms);
    return false;
}

static const struct profile *row_of(enum restart_profile profile)
{
    return &profiles[(unsigned)profile < RESTART_PROFILE_COUNT ? profile : RESTART_PROFILE_FARM];
}

struct backoff_decision backoff_next(struct backoff *backoff, enum restart_profile profile, int64_t now_ms,
                                     int64_t ran_ms, int64_t healthy_ms, uint64_t random)
{
    const struct profile *row = row_of(profile);

    if (is_forgotten(row, ran_ms, healthy_ms))
        backoff_reset(backoff);

    int64_t delay = with_jitter(plain_delay(row, backoff->failures, ran_ms), row->jitter_percent, random);
    bool give_up = window_is_full(backoff, row, now_ms, ran_ms, delay) ||
                   (row->max_failures > 0 && backoff->failures >= row->max_failures);
    backoff->failures++;

    if (give_up)
        return (struct backoff_decision){.verdict = VERDICT_GIVE_UP};
    if (delay == 0)
        return (struct backoff_decision){.verdict = VERDICT_RETRY_NOW};
    return (struct backoff_decision){.verdict = VERDICT_RETRY_LATER, .delay_ms = delay};
}

void backoff_reset(struct backoff *backoff)
{
    *backoff = (struct backoff){0};
}

const char *backoff_describe(enum restart_profile profile)
{
    return row_of(profile)->description;
}
