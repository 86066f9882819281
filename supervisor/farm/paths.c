/*
 * See paths.h.
 */
#include "supervisor/farm/paths.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_STATE_DIR "/var/lib/farmd"

static int make_directory(const char *path, const char *flag, struct error *err)
{
    cleanup_free char *partial = xstrdup(path);
    for (char *slash = partial;;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(partial, 0755) < 0 && errno != EEXIST) {
            int code = errno;
            struct stat st;
            if (code != EROFS || stat(partial, &st) < 0) /* an existing one on a read-only parent is fine */
                return error_set_errno(err, code, "making the directory %s (another one can be given with %s)", partial,
                                       flag);
        }
        if (!slash)
            break;
        *slash = '/';
    }
    if (access(path, W_OK | X_OK) < 0)
        return error_set_errno(err, errno, "writing to the directory %s (another one can be given with %s)", path,
                               flag);
    return 0;
}

/* In /tmp, where everybody may make directories, another user could have made this one, to lay files under farmd's. */
static int check_owner(const char *path, const char *flag, struct error *err)
{
    struct stat st;
    uid_t user = geteuid();
    if (user == 0 || lstat(path, &st) < 0 || st.st_uid == user || st.st_uid == 0)
        return 0;
    return error_set(err, EPERM, "the directory %s belongs to another user (uid %u); give another one with %s", path,
                     (unsigned)st.st_uid, flag);
}

static void default_state_dir(char out[PATH_MAX])
{
    const char *state_home = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (geteuid() == 0)
        snprintf(out, PATH_MAX, ROOT_STATE_DIR);
    else if (state_home && state_home[0] == '/')
        snprintf(out, PATH_MAX, "%s/farmd", state_home);
    else
        snprintf(out, PATH_MAX, "%s/.local/state/farmd", home ? home : "");
}

/* Farms with state directories of their own can run side by side; each knows its cgroups and files by this name. */
static char *instance_name(const char *state_dir)
{
    char wanted[PATH_MAX], real[PATH_MAX], real_default[PATH_MAX];
    default_state_dir(wanted);
    if (!realpath(state_dir, real))
        snprintf(real, sizeof(real), "%s", state_dir);
    if (realpath(wanted, real_default) && strcmp(real, real_default) == 0)
        return xstrdup("farmd");
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *p = real; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return xasprintf("farmd-%08x", hash);
}

void farm_paths_init(struct farm_paths *paths, const struct settings *settings)
{
    char *instance = instance_name(settings->state_dir);
    *paths = (struct farm_paths){
        .instance = instance,
        .runtime_dir = xasprintf("%s/%s", settings->runtime_dir, instance),
        .state = xasprintf("%s/state", settings->state_dir),
        .lock = xasprintf("%s/lock", settings->state_dir),
        .history = xasprintf("%s/history.db", settings->state_dir),
        .own_log = xasprintf("%s/logs/farmd.log", settings->state_dir),
        .control = xasprintf("%s/%s/control", settings->runtime_dir, instance),
    };
}

void farm_paths_done(struct farm_paths *paths)
{
    free(paths->instance);
    free(paths->runtime_dir);
    free(paths->state);
    free(paths->lock);
    free(paths->history);
    free(paths->own_log);
    free(paths->control);
    *paths = (struct farm_paths){0};
}

/* An ext4 without a journal leaves inodes that were freed in the last minutes alone, and looks at each of them for every
 * new file: in the part of the disk where a directory for temporary files lies, 50 logs can so take 50 ms instead of 1.
 * Directories in one that is marked as the top of a hierarchy are spread over the disk. Any other file system has no such
 * mark, or no need of it. */
static void make_elsewhere_on_disk(const char *parent, const char *path)
{
    cleanup_close int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned before = 0;
    if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &before) < 0 || (before & FS_TOPDIR_FL) != 0)
        return;
    unsigned marked = before | FS_TOPDIR_FL;
    if (ioctl(fd, FS_IOC_SETFLAGS, &marked) < 0)
        return;
    /* The name decides where, so that it is another one for each farm; make_directory tells what is wrong. */
    cleanup_free char *temporary = xasprintf("%s.%d", path, (int)getpid());
    if (mkdir(temporary, 0755) == 0 && rename(temporary, path) < 0)
        rmdir(temporary);
    ioctl(fd, FS_IOC_SETFLAGS, &before);
}

static int make_logs_directory(const char *state_dir, struct error *err)
{
    cleanup_free char *logs = xasprintf("%s/logs", state_dir);
    struct stat st;
    int code = make_directory(state_dir, "--state-dir", err);
    if (code < 0)
        return code;
    if (lstat(logs, &st) < 0 && errno == ENOENT)
        make_elsewhere_on_disk(state_dir, logs);
    return make_directory(logs, "--state-dir", err);
}

int farm_paths_make(struct farm_paths *paths, const struct settings *settings, struct error *err)
{
    int code = make_logs_directory(settings->state_dir, err);
    if (code < 0)
        return code;
    struct farm_paths made;
    farm_paths_init(&made, settings); /* now, for the instance's name depends on where links in the path lead */
    code = make_directory(made.runtime_dir, "--runtime-dir", err);
    if (code == 0)
        code = check_owner(settings->runtime_dir, "--runtime-dir", err);
    if (code < 0)
        farm_paths_done(&made);
    else
        *paths = made;
    return code;
}
