/*
 * See purge.h.
 */
#include "supervisor/cli/purge.h"

#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_BLOCK 512 /* the unit of st_blocks */

/* What farmd makes below the state directory, but for the lock and the state, which go when a farm has stopped. */
static const struct {
    const char *directory;
    const char *name; /* a pattern of fnmatch */
} leftovers[] = {
    {"./logs", "server-[0-9]*.log"},
    {"./logs", "farmd.log"},
    {".", "history.db*"}, /* with what SQLite puts beside it */
    {".", "state.broken*"},
};

/* Descriptor of a directory below another one; -ENOENT is fine. */
static int open_directory(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static int remove_file(int directory, const char *name, struct purged *purged)
{
    struct stat st;
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || unlinkat(directory, name, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    purged->files++;
    purged->bytes += (uint64_t)st.st_blocks * DISK_BLOCK;
    return 0;
}

static int remove_matching(int state, size_t row, struct purged *purged, struct error *err)
{
    const char *directory = leftovers[row].directory;
    int code = 0;
    cleanup_close int fd = open_directory(state, directory);
    if (fd < 0)
        return fd == -ENOENT ? 0 : error_set_errno(err, -fd, "cannot look into %s", directory);
    DIR *dir = fdopendir(fd);
    if (!dir)
        return error_set_errno(err, errno, "cannot look into %s", directory);
    fd = -1; /* it is the stream's now */
    for (struct dirent *entry; code == 0 && (entry = readdir(dir)) != NULL;) {
        if (fnmatch(leftovers[row].name, entry->d_name, FNM_PERIOD) != 0)
            continue;
        code = remove_file(dirfd(dir), entry->d_name, purged);
        if (code < 0)
            error_set_errno(err, -code, "cannot remove %s/%s", directory, entry->d_name);
    }
    closedir(dir);
    return code;
}

int purge_state(const char *state_dir, struct purged *purged, struct error *err)
{
    *purged = (struct purged){0};
    cleanup_close int state = open_directory(AT_FDCWD, state_dir);
    if (state < 0)
        return state == -ENOENT ? 0 : error_set_errno(err, -state, "cannot look into the directory %s", state_dir);
    for (size_t row = 0; row < ARRAY_SIZE(leftovers); row++) {
        int code = remove_matching(state, row, purged, err);
        if (code < 0)
            return code;
    }
    unlinkat(state, "logs", AT_REMOVEDIR); /* unless there is something of somebody else's in it */
    return 0;
}
