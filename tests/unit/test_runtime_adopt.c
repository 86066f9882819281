/*
 * Taking over servers whose parent is this very process, as after an exec: how they end is known, even when they have
 * already. (Those of a farmd that was killed: tests/integration/test_adoption.py.)
 */
#include "runtime_fixture.h"

#include "supervisor/runtime/process/kernel_file.h"
#include "supervisor/runtime/process/procfs.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct runtime_ops *const ops = &runtime_process_ops;

/* Marked as server 7 of this fixture would be, since nothing else tells of it without a cgroup. */
static pid_t clone_server(const struct fixture *fixture, const char *script, unsigned long flags)
{
    char mark[96];
    snprintf(mark, sizeof(mark), PROCFS_MARK "=%s/server-7", fixture->instance);
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0) {
        char *argv[] = {"sh", "-c", (char *)script, NULL}, *envp[] = {mark, NULL};
        setsid();
        execve("/bin/sh", argv, envp);
        _exit(127);
    }
    return pid;
}

static pid_t fork_server(const struct fixture *fixture, const char *script)
{
    return clone_server(fixture, script, 0);
}

static void wait_for_end(pid_t pid)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static struct runtime_leftover leftover_of(pid_t pid)
{
    return (struct runtime_leftover){
        .pid = pid, .start_time = procfs_start_time(pid), .name = "server-7", .log_path = "/nonexistent"};
}

static int adopt(struct fixture *fixture, const struct runtime_leftover *leftover, struct error *err)
{
    const struct runtime_adoption adoption = {.leftover = *leftover, .limits = runtime_fixture_limits()};
    struct runtime_fixture_server *server = &fixture->servers[0];
    struct runtime_adopted adopted = {.paused = true};
    int code = ops->adopt(fixture->runtime, &adoption, server, &adopted, &server->process, err);
    assert_true(code < 0 || !adopted.paused);
    return code;
}

static void the_exit_of_one_that_has_ended(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    pid_t pid = fork_server(fixture, "exit 7");
    wait_for_end(pid);
    struct runtime_leftover leftover = leftover_of(pid);
    assert_int_equal(adopt(fixture, &leftover, &err), 0);
    assert_true(runtime_fixture_wait_exit(fixture, 0));
    const struct runtime_exit *exit = &fixture->servers[0].exit;
    assert_int_equal(exit->kind, RUNTIME_EXIT_CODE);
    assert_int_equal(exit->exit_code, 7);
    assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOHANG), -1); /* reaped */
}

struct marked {
    const char *slice;
    pid_t pid;
};

/* The shell has its own environment, that is: exec is behind it. */
static bool is_marked(struct fixture *fixture, void *argument)
{
    (void)fixture;
    const struct marked *marked = argument;
    return procfs_is_member(marked->slice, "server-7", marked->pid);
}

static void the_exit_of_one_that_lives(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    struct marked marked = {.slice = fixture->instance, .pid = fork_server(fixture, "sleep 60")};
    assert_true(runtime_fixture_wait(fixture, is_marked, &marked));
    struct runtime_leftover leftover = leftover_of(marked.pid);
    assert_int_equal(adopt(fixture, &leftover, &err), 0);
    kill(marked.pid, SIGTERM);
    assert_true(runtime_fixture_wait_exit(fixture, 0));
    const struct runtime_exit *exit = &fixture->servers[0].exit;
    assert_int_equal(exit->kind, RUNTIME_EXIT_SIGNAL);
    assert_int_equal(exit->signal, SIGTERM);
}

static void another_child_with_the_number_is_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    pid_t pid = fork_server(fixture, "exit 7");
    wait_for_end(pid);
    struct runtime_leftover leftover = leftover_of(pid);
    leftover.start_time--;
    assert_int_equal(adopt(fixture, &leftover, &err), -ESRCH);
    assert_int_equal(waitpid(pid, NULL, 0), pid); /* still there to be reaped */
}

static void one_that_began_at_another_time_is_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    struct marked marked = {.slice = fixture->instance, .pid = fork_server(fixture, "sleep 60")};
    assert_true(runtime_fixture_wait(fixture, is_marked, &marked));
    struct runtime_leftover leftover = leftover_of(marked.pid);
    leftover.start_time++;
    assert_int_equal(adopt(fixture, &leftover, &err), -ESRCH);
    assert_int_equal(kill(marked.pid, SIGKILL), 0); /* still there */
    assert_int_equal(waitpid(marked.pid, NULL, 0), marked.pid);
}

/* The number of a process's first child, 0 while it has none. */
static pid_t child_of(pid_t pid)
{
    char path[64], text[64];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    return kernel_file_read(path, text, sizeof(text)) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static bool has_child(struct fixture *fixture, void *argument)
{
    (void)fixture;
    return child_of(*(const pid_t *)argument) > 0;
}

static bool is_leaving(struct fixture *fixture, void *argument)
{
    (void)fixture;
    return procfs_is_ending(*(const pid_t *)argument);
}

/* The first process of a pid namespace comes to its end when all others in there have been waited for: one of them is
 * traced, and its tracer takes its time. */
static void one_that_is_just_ending_is_awaited(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    pid_t pid = clone_server(fixture, "sleep 60 & wait", CLONE_NEWPID);
    if (pid < 0) {
        skip();
    }
    assert_true(runtime_fixture_wait(fixture, has_child, &pid));
    pid_t child = child_of(pid);
    assert_int_equal(ptrace(PTRACE_SEIZE, child, NULL, NULL), 0);
    struct runtime_leftover leftover = leftover_of(pid);
    kill(pid, SIGKILL);
    assert_true(runtime_fixture_wait(fixture, is_leaving, &pid));
    assert_true(procfs_lives_since(pid, leftover.start_time));
    int code = adopt(fixture, &leftover, &err);
    assert_int_equal(waitpid(child, NULL, __WALL), child);
    assert_int_equal(code, 0);
    assert_true(runtime_fixture_wait_exit(fixture, 0));
    assert_int_equal(fixture->servers[0].exit.kind, RUNTIME_EXIT_SIGNAL);
    assert_int_equal(fixture->servers[0].exit.signal, SIGKILL);
}

static void on_swept(void *data)
{
    *(bool *)data = true;
}

static bool is_set(struct fixture *fixture, void *argument)
{
    (void)fixture;
    return *(bool *)argument;
}

static void a_swept_child_is_reaped(void **state)
{
    struct fixture *fixture = *state;
    bool swept = false;
    pid_t pid = fork_server(fixture, "exit 0");
    wait_for_end(pid);
    struct runtime_leftover leftover = leftover_of(pid);
    struct runtime_sweep sweep = {.leftovers = &leftover, .leftover_count = 1, .done = on_swept, .data = &swept};
    ops->sweep(fixture->runtime, &sweep);
    assert_true(runtime_fixture_wait(fixture, is_set, &swept));
    assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static bool is_ending(struct fixture *fixture, void *argument)
{
    (void)argument;
    return ops->ending(fixture->runtime) || fixture->servers[0].exits > 0;
}

static void an_end_that_is_not_told_yet_is_known(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    /* The child of the script has left the group and keeps the server from being gone at once. */
    assert_int_equal(runtime_fixture_start(fixture, 0, "setsid sleep 60 & exit 3", NULL, &err), 0);
    assert_false(ops->ending(fixture->runtime));
    assert_true(runtime_fixture_wait(fixture, is_ending, NULL));
    assert_true(fixture->servers[0].exits > 0 || ops->ending(fixture->runtime));
    assert_true(runtime_fixture_wait_exit(fixture, 0));
    assert_false(ops->ending(fixture->runtime));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, runtime_fixture_set_up, runtime_fixture_tear_down)
#define TEST_NONE(name) cmocka_unit_test_setup_teardown(name, runtime_fixture_set_up_none, runtime_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_exit_of_one_that_has_ended),
        TEST_NONE(the_exit_of_one_that_has_ended),
        TEST_NONE(the_exit_of_one_that_lives),
        TEST_NONE(one_that_began_at_another_time_is_not_taken),
        TEST(one_that_is_just_ending_is_awaited),
        TEST_NONE(one_that_is_just_ending_is_awaited),
        TEST(another_child_with_the_number_is_not_taken),
        TEST(a_swept_child_is_reaped),
        TEST(an_end_that_is_not_told_yet_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
