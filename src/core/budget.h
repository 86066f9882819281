/*
 * Bytes that many pieces of work share, where each has a bound of its own but all bounds together would be too much. Who
 * keeps memory for somebody else takes it here first and gives it back with the memory.
 */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

struct budget {
    size_t limit;
    size_t used;
};

/* All of these take NULL for a budget without a limit. */

static inline bool budget_has(const struct budget *budget, size_t bytes)
{
    return budget == NULL || bytes <= budget->limit - budget->used;
}

/* False, and nothing taken, when so much is not left. */
static inline bool budget_take(struct budget *budget, size_t bytes)
{
    if (!budget_has(budget, bytes))
        return false;
    if (budget != NULL)
        budget->used += bytes;
    return true;
}

static inline void budget_give(struct budget *budget, size_t bytes)
{
    if (budget != NULL)
        budget->used -= bytes;
}

#endif
