/*
 * When a server that ended is tried again: the restart profiles, one row each. Pure: time and chance come from the
 * caller.
 */
#ifndef SUPERVISOR_FARM_BACKOFF_H
#define SUPERVISOR_FARM_BACKOFF_H

#include "supervisor/config/settings.h"
#include "supervisor/farm/lifecycle.h"

#include <stdint.h>

#define BACKOFF_MAX_WINDOW 8

struct backoff {
    unsigned failures;     /* since the last reset */
    unsigned recent_count; /* starts within the profile's window, oldest first */
    int64_t recent_ms[BACKOFF_MAX_WINDOW];
};

struct backoff_decision {
    enum lifecycle_verdict verdict; /* RETRY_NOW, RETRY_LATER or GIVE_UP */
    int64_t delay_ms;               /* with RETRY_LATER */
};

/* A run has ended (or could not begin). `healthy_ms` is how long it had been running and healthy, `ran_ms` how long
 * since it was started; `random` is any 64 bits. */
struct backoff_decision backoff_next(struct backoff *backoff, enum restart_profile profile, int64_t now_ms,
                                     int64_t ran_ms, int64_t healthy_ms, uint64_t random);

void backoff_reset(struct backoff *backoff);

/* One sentence on the profile for people: "at once, then 1 s doubling to 60 s, …". */
const char *backoff_describe(enum restart_profile profile);

#endif
