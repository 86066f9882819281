/*
 * The lock of a state directory: who holds it, and taking it along through exec. (Taking and refusing it: test_farm.c.)
 */
#include "supervisor/farm/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/farmd-lock-XXXXXX";
static char path[64];
static struct error err;

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/farmd-lock-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/lock", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

/* A process that holds the lock until it is killed. */
static pid_t fork_holder(void)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (lock_take(path, NULL) >= 0)
            (void)!write(ready[1], "x", 1);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void finds_the_holder(void **state)
{
    (void)state;
    pid_t holder = fork_holder(), found = 0;
    int pidfd = lock_holder(path, &found, &err);
    assert_true(pidfd >= 0);
    assert_int_equal(found, holder);
    close(pidfd);
    end(holder);
    assert_int_equal(lock_holder(path, &found, &err), -ESRCH);
}

static void nobody_holds_a_lock_that_is_not_there(void **state)
{
    (void)state;
    pid_t found;
    assert_int_equal(lock_holder(path, &found, &err), -ESRCH);
}

/* The number of a holder that has died may be another process's by now: here it is this one's. */
static void a_process_that_got_the_number_is_not_the_holder(void **state)
{
    (void)state;
    pid_t found;
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "%d\n", (int)getppid());
    fclose(file);
    assert_int_equal(lock_holder(path, &found, &err), -ESRCH);
}

static void is_inherited(void **state)
{
    (void)state;
    int fd = lock_take(path, &err);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
    assert_int_equal(lock_inherit(path, fd, &err), fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    lock_release(path, fd);
}

static void another_file_is_not_inherited(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int held = lock_take(path, &err);
    assert_true(lock_inherit(path, fd, &err) < 0);
    lock_release(path, held);
    assert_true(lock_inherit(path, fd, &err) < 0);
    close(fd);
}

/* A server that was just being started has the lock with the farmd that is gone, and a moment later it has not. */
static void the_children_of_a_dead_holder_are_waited_for(void **state)
{
    (void)state;
    int alive[2];
    char byte;
    assert_int_equal(pipe(alive), 0);
    pid_t holder = fork();
    if (holder == 0) {
        close(alive[0]);
        if (lock_take(path, NULL) < 0)
            _exit(1);
        if (fork() == 0)
            usleep(200 * 1000); /* as long as it has to its exec */
        _exit(0);
    }
    close(alive[1]);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)holder, &info, WEXITED | WNOWAIT), 0); /* not reaped: a zombie holds nothing */
    assert_int_equal(info.si_status, 0);
    int fd = lock_take(path, &err);
    assert_true(fd >= 0);
    assert_int_equal(read(alive[0], &byte, 1), 0); /* that child is gone */
    close(alive[0]);
    lock_release(path, fd);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_the_holder),
        TEST(nobody_holds_a_lock_that_is_not_there),
        TEST(a_process_that_got_the_number_is_not_the_holder),
        TEST(is_inherited),
        TEST(another_file_is_not_inherited),
        TEST(the_children_of_a_dead_holder_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
