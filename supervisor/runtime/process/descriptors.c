/*
 * See descriptors.h. Counting means reading a directory with an entry for each, so between counts every call is taken for
 * a server about to be started, and it is counted again only when that comes near the limit, or after a while.
 */
#include "supervisor/runtime/process/descriptors.h"

#include "core/clock.h"
#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#define PER_SERVER 8 /* the most that one start and its statistics keep open */
#define COUNT_VALID_NS NS_PER_SECOND

#define WANTED 65536         /* asked for however small the farm is: it may grow */
#define NEEDED_PER_SERVER 10 /* the above, a probe and a request that is passed on */
#define NEEDED_BY_FARMD 128  /* the loop, the API and its peers */

uint64_t descriptors_needed(unsigned servers)
{
    return NEEDED_BY_FARMD + (uint64_t)servers * NEEDED_PER_SERVER;
}

/* The hard limit as well where that is allowed, which takes more than to be root (CAP_SYS_RESOURCE, and the kernel's own
 * bound, fs.nr_open): so it is tried, first the larger figure. */
uint64_t descriptors_raise(unsigned servers)
{
    const rlim_t need = descriptors_needed(servers), figures[] = {need > WANTED ? need : WANTED, need};
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return RLIM_INFINITY;
    }
    for (size_t i = 0; i < ARRAY_SIZE(figures) && limit.rlim_max < figures[i]; i++) {
        const struct rlimit more = {figures[i], figures[i]};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0) {
            return more.rlim_cur;
        }
    }
    const struct rlimit most = {limit.rlim_max, limit.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &most) == 0 ? most.rlim_cur : limit.rlim_cur;
}

static rlim_t limit_now(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

/* All of them when there is not even one left to look with. */
static rlim_t count_open(rlim_t limit)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return errno == EMFILE || errno == ENFILE ? limit : 0;
    }
    rlim_t count = 0;
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static bool descriptors_left(unsigned kept)
{
    static rlim_t used;
    static int64_t counted_ns;
    rlim_t limit = limit_now();
    int64_t now_ns = clock_monotonic_ns();

    used += PER_SERVER;
    if (used + kept >= limit || counted_ns == 0 || now_ns - counted_ns > COUNT_VALID_NS) {
        used = count_open(limit);
        counted_ns = now_ns;
    }
    return used + kept < limit;
}

int descriptors_check(unsigned kept, struct error *err)
{
    if (descriptors_left(kept)) {
        return 0;
    }
    return error_set(err, EMFILE,
                     "too many open files: farmd may have %llu; raise it (ulimit -n, or LimitNOFILE= of its unit)",
                     (unsigned long long)limit_now());
}
