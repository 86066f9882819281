/*
 * farm-worker's system call filter; see seccomp.h.
 *
 * An allow-list. What is not on it fails with EPERM instead of ending the server: a C library that tries a newer call
 * first then falls back to an older one, and the server's own error is in its log, where a silent SIGSYS would look like
 * a crash. The effect of the call is prevented either way. A few calls fail with ENOSYS, because the C library takes only
 * that as "use the older one".
 *
 * Not on the list, and why it matters: anything that changes the size of a file (ftruncate, fallocate), since farmd maps
 * the counters file and would get SIGBUS behind its new end; sockets other than TCP; new processes; signals to others.
 */
#include "supervisor/runtime/process/seccomp.h"

#include "core/memory.h"
#include "supervisor/runtime/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#define SOCKET_KIND 0xf /* socket(2)'s type without its flags */
#define OPEN_CHANGES                                                                                                   \
    (O_ACCMODE | O_CREAT | O_TRUNC) /* the last two act also on a descriptor that is only for reading */

static const int allowed[] = {
    /* descriptors; opening is below */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(fcntl),
    SCMP_SYS(ioctl),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe2),
    SCMP_SYS(eventfd2),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getcwd),
    /* waiting */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    /* the network; socket itself is below */
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    /* memory and threads; clone and prlimit64 are below */
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(rseq),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(prctl),
    SCMP_SYS(getpriority),
    SCMP_SYS(setpriority),
    /* signals and the end; tgkill is below */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* who and when */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getcpu),
};

/* Calls that are allowed with some arguments only; a row is one way. All servers have the same unprivileged user, so what
 * acts on other processes of that user, or opens their /proc files for writing, would let one server reach another. */
static const struct condition {
    int call;
    unsigned count;
    struct scmp_arg_cmp arguments[2];
} conditional[] = {
    {SCMP_SYS(openat), 1, {{2, SCMP_CMP_MASKED_EQ, OPEN_CHANGES, O_RDONLY}}},
    {SCMP_SYS(open), 1, {{1, SCMP_CMP_MASKED_EQ, OPEN_CHANGES, O_RDONLY}}},
    {SCMP_SYS(clone), 1, {{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD}}},
    {SCMP_SYS(prlimit64), 1, {{0, SCMP_CMP_EQ, 0, 0}}},    /* its own */
    {SCMP_SYS(tgkill), 1, {{2, SCMP_CMP_EQ, SIGABRT, 0}}}, /* abort() */
    {SCMP_SYS(socket), 2, {{0, SCMP_CMP_EQ, AF_INET, 0}, {1, SCMP_CMP_MASKED_EQ, SOCKET_KIND, SOCK_STREAM}}},
    {SCMP_SYS(socket), 2, {{0, SCMP_CMP_EQ, AF_INET6, 0}, {1, SCMP_CMP_MASKED_EQ, SOCKET_KIND, SOCK_STREAM}}},
    /* The one exec that turns the child into farm-worker; its descriptor is gone after it. */
    {SCMP_SYS(execveat), 2, {{0, SCMP_CMP_EQ, SPAWN_FD_EXECUTABLE, 0}, {4, SCMP_CMP_EQ, AT_EMPTY_PATH, 0}}},
};

static const int unknown[] = {SCMP_SYS(clone3), SCMP_SYS(io_uring_setup)};

static int add_rules(scmp_filter_ctx filter)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(allowed); i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(unknown); i++) {
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), unknown[i], 0);
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(conditional); i++) {
        const struct condition *row = &conditional[i];
        rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, row->call, row->count, row->arguments);
    }
    return rc;
}

/* libseccomp writes the program to a descriptor; it is read back into memory that children inherit. */
static struct sock_fprog *export_program(scmp_filter_ctx filter)
{
    cleanup_close int fd = memfd_create("filter", MFD_CLOEXEC);
    struct stat status;
    if (fd < 0 || seccomp_export_bpf(filter, fd) != 0 || fstat(fd, &status) != 0) {
        return NULL;
    }
    size_t size = (size_t)status.st_size;
    struct sock_filter *instructions = xmalloc(size);
    if (pread(fd, instructions, size, 0) != (ssize_t)size) {
        free(instructions);
        return NULL;
    }
    struct sock_fprog *program = xcalloc(1, sizeof(*program));
    program->len = (unsigned short)(size / sizeof(*instructions));
    program->filter = instructions;
    return program;
}

int seccomp_filter_build(struct sock_fprog **result, struct error *err)
{
    *result = NULL;
#ifdef SANITIZED
    (void)err;
    (void)add_rules;
    (void)export_program;
    return 0; /* a worker of the same build calls what its sanitizer wants (ptrace, personality, …) */
#else
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        return error_set(err, ENOMEM, "cannot build the system call filter");
    }
    /* A binary search over the calls instead of a walk: a server makes several for every request. */
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    rc = rc == 0 ? add_rules(filter) : rc;
    if (rc == 0) {
        *result = export_program(filter);
        rc = *result == NULL ? -EIO : 0;
    }
    seccomp_release(filter);
    return rc == 0 ? 0 : error_set_errno(err, -rc, "cannot build the system call filter of farm-worker");
#endif
}

void seccomp_filter_free(struct sock_fprog *filter)
{
    if (filter != NULL) {
        free(filter->filter);
        free(filter);
    }
}
