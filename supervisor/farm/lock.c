/*
 * flock(2) on a file that is removed again. Whoever gets the lock checks that the file is still the one in the
 * directory: the former holder may have removed it in between.
 */
#include "supervisor/farm/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_current(const char *path, int fd)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

static int refuse(const char *path, int fd, struct error *err)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    if (pid > 0)
        return error_set(err, EBUSY,
                         "another farmd (pid %ld) holds %s\n  fix: stop it, or give this one its own --state-dir", pid,
                         path);
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
        int code = 0;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            code = errno == EWOULDBLOCK ? refuse(path, fd, err) : error_set_errno(err, errno, "locking %s", path);
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

void lock_release(const char *path, int fd)
{
    if (fd < 0)
        return;
    unlink(path);
    close(fd);
}
