/*
 * The one selector of runtimes.
 */
#include "supervisor/runtime/runtime.h"

const struct runtime_ops *runtime_of(enum runtime_kind kind)
{
    static const struct runtime_ops *const kinds[] = {
        [RUNTIME_PROCESS] = &runtime_process_ops,
        [RUNTIME_DOCKER] = &runtime_docker_ops,
        [RUNTIME_SWARM] = &runtime_swarm_ops,
    };
    return kinds[kind];
}

int runtime_accepts(const struct settings *settings, struct error *err)
{
    const struct runtime_ops *ops = runtime_of(settings->runtime);
    return ops->accepts ? ops->accepts(settings, err) : 0;
}
