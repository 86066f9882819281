/*
 * The mapping as one table; docs/swarm.md has it with the differences that are left.
 */
#include "supervisor/runtime/swarm/policy.h"

#include <errno.h>
#include <stddef.h>

#define MINUTES(n) ((int64_t)(n)*60 * 1000)
#define SECONDS(n) ((int64_t)(n)*1000)

struct expression {
    const char *why_not; /* NULL: it can be said */
    int64_t delay_ms;
    unsigned attempts;
    int64_t window_ms;
};

/* systemd counts starts, Swarm restarts: five starts are the first and four more. */
static const struct expression expressions[] = {
    [RESTART_PROFILE_FARM] = {.why_not = "its delays double"},
    [RESTART_PROFILE_KUBERNETES] = {.why_not = "its delays double"},
    [RESTART_PROFILE_DOCKER] = {.why_not = "its delays double"},
    [RESTART_PROFILE_SYSTEMD] = {.delay_ms = 100, .attempts = 4, .window_ms = SECONDS(10)},
    [RESTART_PROFILE_NOMAD] = {.delay_ms = SECONDS(15), .attempts = 2, .window_ms = MINUTES(30)},
    [RESTART_PROFILE_SUPERVISORD] = {.why_not = "its delays grow"},
    [RESTART_PROFILE_S6] = {.why_not = "it spaces starts, and has no delay"},
    [RESTART_PROFILE_SWARM] = {.delay_ms = SECONDS(5)},
};
_Static_assert(sizeof(expressions) / sizeof(expressions[0]) == RESTART_PROFILE_COUNT, "one row for each profile");

static const char *condition_of(enum restart_policy restart)
{
    switch (restart) {
    case RESTART_ALWAYS:
        return "any";
    case RESTART_ON_FAILURE:
        return "on-failure";
    case RESTART_NEVER:
        break;
    }
    return "none";
}

int swarm_policy_of(enum restart_policy restart, enum restart_profile profile, struct swarm_policy *policy,
                    struct error *err)
{
    const struct expression *row = &expressions[profile];

    if (row->why_not)
        return error_set(err, EINVAL,
                         "Swarm restarts servers here and cannot do it as %s does: %s, and Swarm's delay is always the "
                         "same; allowed with runtime swarm: swarm, systemd or nomad",
                         restart_profile_name(profile), row->why_not);
    *policy = (struct swarm_policy){.condition = condition_of(restart),
                                    .delay_ms = row->delay_ms,
                                    .attempts = row->attempts,
                                    .window_ms = row->window_ms};
    return 0;
}

int swarm_accepts(const struct settings *settings, struct error *err)
{
    struct swarm_policy ignored;
    struct error why;

    for (size_t i = 0; i < settings->group_count; i++) {
        const struct group_settings *group = &settings->groups[i];
        if (swarm_policy_of(group->restart, group->restart_profile, &ignored, &why) < 0)
            return error_set(err, EINVAL, "group %s: restart_profile: %s", group->name, why.message);
    }
    return 0;
}
