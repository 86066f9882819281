/* runtime/process: what starting, signalling and looking up do when the system does not play along. */
#include "core/memory.h"
#include "supervisor/runtime/process/identity.h"
#include "supervisor/runtime/process/procfs.h"
#include "supervisor/runtime/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SLICE "farmd-test"

static unsigned asked;

/* In place of the C library's: a database with one user. */
struct passwd *getpwnam(const char *name)
{
    static char user[] = "alice", nothing[] = "";
    static struct passwd entry = {user, nothing, 4711, 4712, nothing, nothing, nothing};
    asked++;
    return strcmp(name, user) == 0 ? &entry : NULL;
}

static void a_user_is_looked_up_once(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    struct identities identities = {0};
    struct identity identity;
    struct error err;
    asked = 0;
    for (int i = 0; i < 3; i++) {
        identity = (struct identity){0};
        assert_int_equal(identities_find(&identities, "alice", &identity, &err), 0);
        assert_true(identity.change);
        assert_int_equal(identity.uid, 4711);
        assert_int_equal(identity.gid, 4712);
    }
    assert_int_equal(asked, 1);
    assert_int_equal(identities_find(&identities, NULL, &identity, &err), 0);
    assert_int_equal(identity.uid, 65534);
    assert_int_equal(identity.group_count, 0);
    assert_int_equal(identities_find(&identities, "123", &identity, &err), 0);
    assert_int_equal(identity.uid, 123);
    assert_int_equal(identities_find(&identities, "bob", &identity, &err), -EINVAL);
    assert_non_null(strstr(err.message, "\"bob\""));
    identities_free(&identities);
}

/* A kernel without clone3, and no descriptor left for the pidfd. */
static bool lose_clone3_and_pidfd(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool done = filter != NULL && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
                seccomp_rule_add(filter, SCMP_ACT_ERRNO(EMFILE), SCMP_SYS(pidfd_open), 0) == 0 &&
                seccomp_load(filter) == 0;
    seccomp_release(filter);
    return done;
}

static int start_without_pidfd(void)
{
    static char name[] = "sleep", seconds[] = "1000";
    static char *const argv[] = {name, seconds, NULL}, *const envp[] = {NULL};
    struct leaf_entry entry = {.cgroup_fd = -1};
    struct spawn_request request = {.path = "/bin/sleep",
                                    .argv = argv,
                                    .envp = envp,
                                    .log_fd = STDERR_FILENO,
                                    .ready_fd = STDERR_FILENO,
                                    .counters_fd = -1,
                                    .executable_fd = -1,
                                    .entry = &entry};
    struct spawn_result result;
    struct error err;
    if (!lose_clone3_and_pidfd()) {
        return 1;
    }
    if (spawn_start(&request, &result, &err) != -EMFILE) {
        return 2;
    }
    return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : 3;
}

static void a_child_that_cannot_be_watched_leaves_no_zombie(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(start_without_pidfd());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static pid_t start_sleeper(const char *mark)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const argv[] = {(char *)"sleep", (char *)"1000", NULL};
        char *const envp[] = {(char *)mark, NULL};
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        execve("/bin/sleep", argv, envp);
        _exit(127);
    }
    close(ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); /* exec closed it */
    close(ends[0]);
    return pid;
}

static void a_number_that_is_another_s_now_is_not_signalled(void **state)
{
    (void)state;
    pid_t member = start_sleeper(PROCFS_MARK "=" SLICE "/server-7"), other = start_sleeper("NOTHING=here");
    struct procfs_member seen = {.leaf = "server-7"};
    seen.pid = other;
    assert_false(procfs_signal_member(SLICE, &seen, SIGKILL));
    struct procfs_member sibling = {.pid = member, .leaf = "server-8"};
    assert_false(procfs_signal_member(SLICE, &sibling, SIGKILL));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0);
    seen.pid = member;
    assert_true(procfs_signal_member(SLICE, &seen, SIGKILL));
    assert_int_equal(waitpid(member, NULL, 0), member);
    assert_false(procfs_signal_member(SLICE, &seen, SIGKILL));
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_looked_up_once),
        cmocka_unit_test(a_child_that_cannot_be_watched_leaves_no_zombie),
        cmocka_unit_test(a_number_that_is_another_s_now_is_not_signalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
