/*
 * A restart policy and profile in Swarm's words, where it has words for them. Swarm waits the same time before every restart
 * and can bound how many there are within a time; delays that grow it does not know. Pure.
 */
#ifndef SUPERVISOR_RUNTIME_SWARM_POLICY_H
#define SUPERVISOR_RUNTIME_SWARM_POLICY_H

#include "core/error.h"
#include "supervisor/config/settings.h"

#include <stdint.h>

struct swarm_policy {
    const char *condition; /* "any", "on-failure" or "none" */
    int64_t delay_ms;
    unsigned attempts; /* restarts within the window; 0: no bound */
    int64_t window_ms; /* 0: ever */
};

/* -EINVAL with a sentence when Swarm cannot express the profile. */
int swarm_policy_of(enum restart_policy restart, enum restart_profile profile, struct swarm_policy *policy,
                    struct error *err);

/* All groups: what a start and a reload are refused for. */
int swarm_accepts(const struct settings *settings, struct error *err);

#endif
