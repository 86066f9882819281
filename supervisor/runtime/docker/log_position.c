/*
 * See log_position.h.
 */
#include "supervisor/runtime/docker/log_position.h"

#include "core/clock.h"

#include <stdio.h>

#define OUT_OF_ORDER_NS NS_PER_SECOND /* an entry with a time is written within that */

struct log_position log_position_new(const char *container, int64_t since_ns)
{
    const struct log_mark none = {.from_ns = since_ns};
    struct log_position position = {.earlier = none, .later = none, .last_ns = since_ns};

    snprintf(position.container, sizeof(position.container), "%s", container);
    return position;
}

int64_t log_position_resume(struct log_position *position)
{
    position->skip = position->earlier.count;
    return position->earlier.from_ns;
}

/* One that is later than all that were taken is new, whatever the count says: the Engine may have dropped old ones. */
bool log_position_take(struct log_position *position, int64_t at_ns)
{
    if (position->skip > 0 && at_ns <= position->last_ns) {
        position->skip--;
        return false;
    }
    position->skip = 0;
    position->earlier.count += at_ns >= position->earlier.from_ns;
    position->later.count += at_ns >= position->later.from_ns;
    if (at_ns > position->last_ns)
        position->last_ns = at_ns;
    if (at_ns - position->later.from_ns >= OUT_OF_ORDER_NS) {
        position->earlier = position->later;
        position->later = (struct log_mark){at_ns, 1};
    }
    return true;
}
