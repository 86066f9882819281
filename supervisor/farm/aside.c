/*
 * See aside.h.
 */
#include "supervisor/farm/aside.h"

#include "core/memory.h"

#include <stdio.h>
#include <unistd.h>

#define ASIDE_MAX 9 /* files that are kept */

/* Under the first name that is free: what was set aside before may not have been looked at yet. */
char *aside_rename(const char *path, const char *what, const struct error *why, struct error *err)
{
    for (unsigned n = 1; n <= ASIDE_MAX; n++) {
        cleanup_free char *aside = n == 1 ? xasprintf("%s.broken", path) : xasprintf("%s.broken.%u", path, n);
        if (access(aside, F_OK) == 0)
            continue;
        if (rename(path, aside) < 0)
            break;
        error_set(err, why->code, "%s %s %s; it is set aside as %s", what, path, why->message, aside);
        return steal(&aside);
    }
    error_set(err, why->code, "%s %s %s; it cannot be set aside: remove %s.broken*", what, path, why->message, path);
    return NULL;
}
