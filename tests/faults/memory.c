/*
 * Preloaded before farmd's C library: allocations of at least the `amount` of a fault called "malloc" fail, the smaller
 * ones go on. A library of its own, because sanitizers have an allocator of theirs, which must not be replaced.
 */
#include "control.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool fails(size_t size)
{
    for (struct fault *fault = fault_find("malloc", NULL); fault != NULL; fault = fault_find("malloc", fault)) {
        if (size >= (size_t)fault->amount && fault_take(fault)) {
            errno = ENOMEM;
            return true;
        }
    }
    return false;
}

void *malloc(size_t size)
{
    return fails(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(count > 0 && size > SIZE_MAX / count ? SIZE_MAX : count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(size) ? NULL : __libc_realloc(memory, size);
}
