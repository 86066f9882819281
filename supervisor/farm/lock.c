/*
 * flock(2) on a file that is removed again. Whoever gets the lock checks that the file is still the one in the
 * directory: the former holder may have removed it in between. The children of a farmd hold its lock with it until their
 * exec, so the lock of one that was killed is free a moment later: as soon as all that it was starting can be found.
 */
#include "supervisor/farm/lock.h"

#include "core/clock.h"
#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHILDREN_WAIT_MS 5000
#define POLL_MS 1

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static bool is_current(const char *path, int fd)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && is_same_file(&ours, &there);
}

static pid_t read_pid(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* Reaped or not: a process that has ended holds no lock. */
static bool has_ended(pid_t pid)
{
    cleanup_close int pidfd = pidfd_open(pid, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    return pidfd < 0 ? errno == ESRCH : poll(&ended, 1, 0) == 1;
}

/* Waits for the lock as long as only the children of a dead farmd can have it. */
static int lock_soon(int fd)
{
    int64_t deadline_ms = clock_monotonic_ms() + CHILDREN_WAIT_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int code = errno;
        pid_t pid = code == EWOULDBLOCK ? read_pid(fd) : 0;
        if (pid <= 0 || !has_ended(pid) || clock_monotonic_ms() >= deadline_ms)
            return -code;
        poll(NULL, 0, POLL_MS);
    }
    return 0;
}

static int refuse(const char *path, int fd, struct error *err)
{
    pid_t pid = read_pid(fd);
    if (pid > 0)
        return error_set(
            err, EBUSY,
            "another farmd (pid %d) holds %s\n  fix: stop it (farmd down), or give this one its own --state-dir",
            (int)pid, path);
    return error_set(err, EBUSY, "another farmd holds %s\n  fix: stop it, or give this one its own --state-dir", path);
}

static int write_pid(const char *path, int fd, struct error *err)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
        return error_set_errno(err, errno, "writing the lock %s", path);
    return 0;
}

int lock_take(const char *path, struct error *err)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
            return error_set_errno(err, errno, "opening the lock %s", path);
        int code = lock_soon(fd);
        if (code < 0) {
            code = code == -EWOULDBLOCK ? refuse(path, fd, err) : error_set_errno(err, -code, "locking %s", path);
        } else if (is_current(path, fd)) {
            code = write_pid(path, fd, err);
            if (code == 0)
                return fd;
        }
        close(fd);
        if (code < 0)
            return code;
    }
}

int lock_inherit(const char *path, int fd, struct error *err)
{
    if (!is_current(path, fd) || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return error_set(err, EBADF, "the descriptor %d that was handed over is not the lock %s", fd, path);
    return fd;
}

/* Whether a process has this file open, which tells the holder from another process that got its number since. */
static bool has_open(pid_t pid, const struct stat *file)
{
    char path[PATH_MAX];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && !found && (entry = readdir(dir)) != NULL;) {
        struct stat open_file;
        snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, entry->d_name);
        found = stat(path, &open_file) == 0 && is_same_file(&open_file, file);
    }
    if (dir)
        closedir(dir);
    return found;
}

int lock_holder(const char *path, pid_t *pid, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat file;
    if (fd < 0 || fstat(fd, &file) < 0)
        return error_set_errno(err, errno == ENOENT ? ESRCH : errno, "opening the lock %s", path);
    pid_t holder = read_pid(fd);
    cleanup_close int pidfd = holder > 0 ? pidfd_open(holder, 0) : -1;
    if (pidfd < 0 || !has_open(holder, &file))
        return error_set(err, ESRCH, "no process holds the lock %s", path);
    *pid = holder;
    int kept = pidfd;
    pidfd = -1;
    return kept;
}

void lock_release(const char *path, int fd)
{
    if (fd < 0)
        return;
    unlink(path);
    close(fd);
}
