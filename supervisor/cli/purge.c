/*
 * See purge.h. Only names that farmd itself gives are removed, and no link is followed: a state directory may be anywhere.
 */
#include "supervisor/cli/purge.h"

#include "core/memory.h"
#include "supervisor/farm/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

static const char *const LOGS[] = {"server-[0-9]*.log", "server-[0-9]*.log.*", "farmd.log", NULL};
static const char *const STATE[] = {"history.db",   "history.db-*",   "history.db.*",
                                    "state.broken", "state.broken.*", NULL};

static bool is_ours(const char *name, const char *const *patterns)
{
    for (; *patterns; patterns++) {
        if (fnmatch(*patterns, name, 0) == 0)
            return true;
    }
    return false;
}

/* A directory of such a name was set aside, and is not ours. */
static int remove_in(const char *directory, const char *const *patterns, struct error *err)
{
    cleanup_close int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1, removed = 0;
    DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;

    if (!entries) {
        int code = errno;
        if (copy >= 0)
            close(copy);
        return code == ENOENT ? 0 : error_set_errno(err, code, "opening %s", directory);
    }
    for (const struct dirent *entry; removed >= 0 && (entry = readdir(entries));) {
        if (!is_ours(entry->d_name, patterns))
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0)
            removed++;
        else if (errno != ENOENT && errno != EISDIR)
            removed = error_set_errno(err, errno, "removing %s/%s", directory, entry->d_name);
    }
    closedir(entries);
    return removed;
}

static int remove_all(const struct settings *settings, struct error *err)
{
    cleanup_free char *logs = xasprintf("%s/logs", settings->state_dir);
    int of_logs = remove_in(logs, LOGS, err);
    if (of_logs < 0)
        return of_logs;
    int of_state = remove_in(settings->state_dir, STATE, err);
    if (of_state < 0)
        return of_state;
    rmdir(logs); /* both stay where something else is in them */
    return of_logs + of_state;
}

int purge(const struct settings *settings, const struct farm_paths *paths, struct error *err)
{
    if (access(settings->state_dir, F_OK) < 0 && errno == ENOENT)
        return 0;
    int lock = lock_take(paths->lock, err);
    if (lock < 0)
        return lock;
    int removed = remove_all(settings, err);
    lock_release(paths->lock, lock);
    rmdir(settings->state_dir);
    return removed;
}
