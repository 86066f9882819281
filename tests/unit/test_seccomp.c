/* runtime/process: what farm-worker's system call filter lets through and what not, tried in children behind it. */
#include "supervisor/runtime/process/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct sock_fprog *filter;

static int set_up(void **state)
{
    (void)state;
    struct error err;
    return seccomp_filter_build(&filter, &err);
}

static int tear_down(void **state)
{
    (void)state;
    seccomp_filter_free(filter);
    return 0;
}

/* Runs `act` in a child behind the filter: what it returned, or -1 when it did not end by itself. */
static int behind_filter(int (*act)(void))
{
    if (filter == NULL) {
        fprintf(stderr, "skipped: a build with sanitizers has no filter\n");
        skip();
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) != 0) {
            _exit(250);
        }
        _exit(act());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define OUTCOME(call) ((call) < 0 ? errno : 0)

static int memory_file(void)
{
    return OUTCOME(memfd_create("never made", 0));
}
static int truncate_log(void)
{
    return OUTCOME(ftruncate(STDOUT_FILENO, 0));
}
static int punch_hole(void)
{
    return OUTCOME(fallocate(STDOUT_FILENO, 0, 0, 10));
}
static int open_for_writing(void)
{
    return OUTCOME(open("/proc/self/comm", O_WRONLY));
}
static int truncate_file(void)
{
    return OUTCOME(open("/proc/self/comm", O_RDONLY | O_TRUNC));
}
static int create_for_reading(void)
{
    return OUTCOME(open("/tmp/farmd-seccomp-test", O_CREAT | O_RDONLY, 0600));
}
static int create_file(void)
{
    return OUTCOME(open("/tmp/farmd-seccomp-test", O_CREAT | O_RDWR, 0600));
}
static int unix_socket(void)
{
    return OUTCOME(socket(AF_UNIX, SOCK_STREAM, 0));
}
static int raw_socket(void)
{
    return OUTCOME(socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
}
static int make_process(void)
{
    return OUTCOME(syscall(SYS_fork));
}
static int clone_process(void)
{
    return OUTCOME(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0));
}
static int execute(void)
{
    char name[] = "true";
    char *const argv[] = {name, NULL};
    return OUTCOME(execve("/bin/true", argv, NULL));
}
static int execute_by_descriptor(void)
{
    char name[] = "true";
    char *const argv[] = {name, NULL};
    int fd = open("/bin/true", O_RDONLY);
    return fd == 5 ? 0 : OUTCOME(syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH));
}
static int signal_parent(void)
{
    return OUTCOME(kill(getppid(), 0));
}
static int limit_parent(void)
{
    struct rlimit limit;
    return OUTCOME(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit));
}
static int trace(void)
{
    return OUTCOME(syscall(SYS_ptrace, 0, 0, 0, 0));
}
static int become_root(void)
{
    return OUTCOME(syscall(SYS_setuid, 0));
}

static void what_a_server_must_not_do_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*act)(void);
    } refused[] = {
        {"memfd_create", memory_file},
        {"ftruncate", truncate_log},
        {"fallocate", punch_hole},
        {"open O_WRONLY", open_for_writing},
        {"open O_RDONLY|O_TRUNC", truncate_file},
        {"open O_RDONLY|O_CREAT", create_for_reading},
        {"open O_CREAT", create_file},
        {"AF_UNIX", unix_socket},
        {"SOCK_RAW", raw_socket},
        {"fork", make_process},
        {"clone", clone_process},
        {"execve", execute},
        {"execveat", execute_by_descriptor},
        {"kill", signal_parent},
        {"prlimit", limit_parent},
        {"ptrace", trace},
        {"setuid", become_root},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        int outcome = behind_filter(refused[i].act);
        if (outcome != EPERM) {
            print_error("%s gave %d\n", refused[i].name, outcome);
        }
        assert_int_equal(outcome, EPERM);
    }
}

static void *nothing(void *argument)
{
    return argument;
}

static int serve(void)
{
    int on = 1;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    fd = fd >= 0 ? fd : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int readable = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    char byte;
    pthread_t thread;
    return fd < 0 || readable < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
           listen(fd, 5) != 0 || read(readable, &byte, 1) != 1 || pthread_create(&thread, NULL, nothing, NULL) != 0 ||
           pthread_join(thread, NULL) != 0;
}

static void what_a_server_does_goes_on(void **state)
{
    (void)state;
    assert_int_equal(behind_filter(serve), 0);
}

static void the_clone_that_cannot_be_judged_is_unknown(void **state)
{
    (void)state;
    if (filter == NULL) {
        skip();
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter);
        _exit(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_must_not_do_is_refused),
        cmocka_unit_test(what_a_server_does_goes_on),
        cmocka_unit_test(the_clone_that_cannot_be_judged_is_unknown),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
