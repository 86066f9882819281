/*
 * What readers ask of a server besides its fields: names, and figures that follow from two of them.
 */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/farm/farm.h"
#include "supervisor/farm/server_private.h"

#include <errno.h>
#include <string.h>

static const char *const health_names[] = {
    [HEALTH_UNKNOWN] = "unknown",
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_DEGRADED] = "degraded",
    [HEALTH_UNHEALTHY] = "unhealthy",
};

static const char *const action_names[] = {
    [SERVER_ACTION_START] = "start", [SERVER_ACTION_STOP] = "stop",   [SERVER_ACTION_RESTART] = "restart",
    [SERVER_ACTION_KILL] = "kill",   [SERVER_ACTION_PAUSE] = "pause", [SERVER_ACTION_RESUME] = "resume",
};
_Static_assert(ARRAY_SIZE(action_names) == SERVER_ACTION_COUNT, "one name for each action");

const char *server_health_name(enum server_health health)
{
    return (size_t)health < ARRAY_SIZE(health_names) ? health_names[health] : "unknown";
}

const char *server_action_name(enum server_action action)
{
    return (size_t)action < ARRAY_SIZE(action_names) ? action_names[action] : "unknown";
}

int server_action_parse(const char *text, enum server_action *action)
{
    for (size_t i = 0; i < ARRAY_SIZE(action_names); i++) {
        if (strcmp(text, action_names[i]) == 0) {
            *action = (enum server_action)i;
            return 0;
        }
    }
    return -EINVAL;
}

bool server_is_up(const struct server *server)
{
    enum server_state state = server->lifecycle.state;
    return state != SERVER_STOPPED && state != SERVER_FAILED &&
           !(state == SERVER_STOPPING && server->lifecycle.after == AFTER_STOP);
}

bool server_is_live(const struct server *server)
{
    return server->lifecycle.state == SERVER_RUNNING;
}

const char *server_node(const struct server *server)
{
    const struct runtime_ops *ops = farm_runtime_ops(server->farm);
    const char *node = server->process && ops->node ? ops->node(server->process) : NULL;
    return node ? node : "";
}

double server_uptime_seconds(const struct server *server)
{
    if (server->started_at_us == 0)
        return 0;
    return (double)(clock_monotonic_ms() - server->own->started_at_ms) / (double)MS_PER_SECOND;
}
