/*
 * Preloaded before farmd's C library: no file named cgroup.kill exists, as on Linux before 5.14. A library of its own
 * because the failure must lie at the system call seam of the real program, which is built without any such thing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

typedef int open_function(const char *path, int flags, ...);

static int is_hidden(const char *path)
{
    static const char name[] = "/cgroup.kill";
    size_t length = strlen(path);
    return length >= sizeof(name) - 1 && strcmp(path + length - (sizeof(name) - 1), name) == 0;
}

int open(const char *path, int flags, ...)
{
    static open_function *real;
    if (real == NULL) {
        real = (open_function *)dlsym(RTLD_NEXT, "open");
    }
    if (is_hidden(path)) {
        errno = ENOENT;
        return -1;
    }
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return real(path, flags, mode);
}
