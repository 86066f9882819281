/*
 * Preloaded before farmd's C library: system calls fail as control.h says. At this seam, so that the program under test
 * is the real one. What farmd starts is not touched: its environment does not go on to servers.
 */
#include "control.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Whether this call is to fail now; errno is set then. `path` NULL: the descriptor's. */
static bool fails(const char *call, const char *path, int fd)
{
    char link[64], own_path[1024] = "";
    struct fault *fault = fault_find(call, NULL);
    if (fault != NULL && path == NULL && fd >= 0) {
        int before = errno;
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, own_path, sizeof(own_path) - 1);
        own_path[length > 0 ? length : 0] = '\0';
        errno = before;
    }
    for (; fault != NULL; fault = fault_find(call, fault)) {
        bool meant = *fault->path == '\0' || fnmatch(fault->path, path == NULL ? own_path : path, 0) == 0;
        if (meant && fault_take(fault)) {
            errno = fault->error;
            return true;
        }
    }
    return false;
}

/* The function that this library stands in front of. */
#define REAL(name)                                                                                                     \
    ({                                                                                                                 \
        static __typeof__(&name) real;                                                                                 \
        if (real == NULL) {                                                                                            \
            real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                                         \
        }                                                                                                              \
        real;                                                                                                          \
    })

/* --- descriptors --- */

#define MODE_OF(flags)                                                                                                 \
    ({                                                                                                                 \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t given = ((flags) & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;                         \
        va_end(arguments);                                                                                             \
        given;                                                                                                         \
    })

int open(const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags);
    return fails("open", path, -1) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags);
    return fails("open", path, -1) ? -1 : REAL(open64)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags);
    return fails("open", path, -1) ? -1 : REAL(openat)(directory, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return fails("open", path, -1) ? NULL : REAL(fopen)(path, mode);
}

DIR *opendir(const char *path)
{
    return fails("open", path, -1) ? NULL : REAL(opendir)(path);
}

int socket(int domain, int type, int protocol)
{
    return fails("socket", "", -1) ? -1 : REAL(socket)(domain, type, protocol);
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *length, int flags)
{
    return fails("accept4", "", -1) ? -1 : REAL(accept4)(fd, address, length, flags);
}

int pipe2(int ends[2], int flags)
{
    return fails("pipe2", "", -1) ? -1 : REAL(pipe2)(ends, flags);
}

int epoll_create1(int flags)
{
    return fails("epoll_create1", "", -1) ? -1 : REAL(epoll_create1)(flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return operation == EPOLL_CTL_ADD && fails("epoll_ctl", NULL, fd) ? -1
                                                                      : REAL(epoll_ctl)(epoll, operation, fd, event);
}

int pidfd_open(pid_t pid, unsigned flags)
{
    return fails("pidfd_open", "", -1) ? -1 : REAL(pidfd_open)(pid, flags);
}

/* --- files --- */

int mkdir(const char *path, mode_t mode)
{
    return fails("mkdir", path, -1) ? -1 : REAL(mkdir)(path, mode);
}

int rmdir(const char *path)
{
    return fails("rmdir", path, -1) ? -1 : REAL(rmdir)(path);
}

int rename(const char *from, const char *to)
{
    return fails("rename", from, -1) ? -1 : REAL(rename)(from, to);
}

ssize_t read(int fd, void *data, size_t size)
{
    return fails("read", NULL, fd) ? -1 : REAL(read)(fd, data, size);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return fails("read", NULL, fd) ? -1 : REAL(pread)(fd, data, size, offset);
}

ssize_t write(int fd, const void *data, size_t size)
{
    return fails("write", NULL, fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return fails("write", NULL, fd) ? -1 : REAL(pwrite)(fd, data, size, offset);
}

int fsync(int fd)
{
    return fails("fsync", NULL, fd) ? -1 : REAL(fsync)(fd);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    return fails("fallocate", NULL, fd) ? -1 : REAL(fallocate)(fd, mode, offset, size);
}

/* Full, rather than an error. */
int statvfs(const char *restrict path, struct statvfs *restrict space)
{
    int code = REAL(statvfs)(path, space);
    if (code == 0 && fails("statvfs", path, -1)) {
        space->f_bavail = space->f_bfree = 0;
    }
    return code;
}

/* --- processes, threads, memory --- */

pid_t fork(void)
{
    return fails("fork", "", -1) ? -1 : REAL(fork)();
}

/* What starts processes without a copy; threads come without it. */
int clone(int (*run)(void *), void *stack, int flags, void *argument, ...)
{
    va_list arguments;
    va_start(arguments, argument);
    pid_t *parent = va_arg(arguments, pid_t *);
    void *tls = va_arg(arguments, void *);
    pid_t *child = va_arg(arguments, pid_t *);
    va_end(arguments);
    return fails("clone3", "", -1) ? -1 : REAL(clone)(run, stack, flags, argument, parent, tls, child);
}

/* clone3 has no function of the C library. */
long syscall(long number, ...)
{
    long values[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) {
        values[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    if (number == SYS_clone3 && fails("clone3", "", -1)) {
        return -1;
    }
    return REAL(syscall)(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}

/* Returns the error instead of setting errno, as threads do. */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*run)(void *),
                   void *restrict argument)
{
    return fails("pthread_create", "", -1) ? errno : REAL(pthread_create)(thread, attributes, run, argument);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return fails("mmap", NULL, fd) ? MAP_FAILED : REAL(mmap)(address, size, protection, flags, fd, offset);
}
