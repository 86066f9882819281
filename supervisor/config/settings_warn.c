/*
 * Limits that are allowed but mean nothing on this machine. Apart from the checks because they refuse nothing: the file
 * may be written for a larger machine.
 */
#include "supervisor/config/settings.h"

#include "core/buffer.h"
#include "core/units.h"

#include <unistd.h>

static void warn_of_group(const struct group_settings *group, unsigned cores, uint64_t memory, struct buffer *out)
{
    char limit[24], there[24];
    if (group->limits.cpu > cores)
        buffer_printf(out, "cpu: %g of each server in group %s is more than the machine's %u core%s\n",
                      group->limits.cpu, group->name, cores, cores == 1 ? "" : "s");
    if (group->limits.memory > memory) {
        units_format_size(limit, group->limits.memory);
        units_format_size(there, memory);
        buffer_printf(out, "memory: %s of each server in group %s is more than the machine's %s\n", limit, group->name,
                      there);
    }
}

void settings_warn(const struct settings *settings, unsigned cores, uint64_t memory, struct buffer *out)
{
    for (size_t i = 0; i < settings->group_count; i++)
        warn_of_group(&settings->groups[i], cores, memory, out);
}

void settings_warn_here(const struct settings *settings, struct buffer *out)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (cores > 0 && pages > 0 && page > 0)
        settings_warn(settings, (unsigned)cores, (uint64_t)pages * (uint64_t)page, out);
}
