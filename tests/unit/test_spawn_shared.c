/* Children in farmd's memory: they get what they were given, and leave nothing of theirs behind in it. */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/kernel_file.h"
#include "supervisor/runtime/process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 10000
#define MANY 100 /* more than there may be at a time */

struct child {
    struct spawn_result result;
    int output; /* what it prints */
};

static void wait_for(const struct child *child)
{
    int status;
    assert_int_equal(waitpid(child->result.pid, &status, 0), child->result.pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(child->result.pidfd);
    close(child->output);
}

/* A shell in the place of farm-worker. What is pointed to is nobody's any more when this returns. */
static void start(struct child *child, const char *script, const char *variable, const struct leaf_entry *entry)
{
    char shell[] = "sh", option[] = "-c";
    char *text = xstrdup(script), *environment = xstrdup(variable);
    char *argv[] = {shell, option, text, NULL}, *envp[] = {environment, NULL};
    cleanup_close int executable_fd = open("/bin/sh", O_PATH | O_CLOEXEC);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct spawn_request request = {
        .argv = argv,
        .envp = envp,
        .log_fd = ends[1],
        .ready_fd = ends[1],
        .counters_fd = -1,
        .executable_fd = executable_fd,
        .entry = entry,
        .shares_memory = true,
    };
    if (geteuid() == 0) {
        request.identity = (struct identity){.change = true, .uid = 65534, .gid = 65534};
    }
    struct error err = {0};
    assert_int_equal(spawn_start(&request, &child->result, &err), 0);
    memset(text, '#', strlen(text));
    memset(environment, '#', strlen(environment));
    memset(&request, 0xff, sizeof(request));
    memset(argv, 0, sizeof(argv));
    free(text);
    free(environment);
    close(ends[1]);
    child->output = ends[0];
}

static void expect_output(const struct child *child, const char *expected)
{
    char text[128];
    size_t length = 0;
    for (ssize_t n = 1; n > 0 && length<sizeof(text) - 1; length += n> 0 ? (size_t)n : 0) {
        struct pollfd wait = {.fd = child->output, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
        n = read(child->output, text + length, sizeof(text) - 1 - length);
    }
    text[length] = '\0';
    assert_string_equal(text, expected);
}

static char preference[16]; /* before the first child */
static const struct leaf_entry nowhere = {.cgroup_fd = -1};

static void it_has_what_it_was_given(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct child child;
        start(&child, "echo $WORD; kill -0 $$", "WORD=seven", &nowhere);
        expect_output(&child, "seven\n");
        wait_for(&child);
    }
}

/* More than is put aside for one: it gets a copy. */
static void a_large_environment_fits(void **state)
{
    (void)state;
    enum { LARGE = 64 * 1024 };
    cleanup_free char *variable = xmalloc(LARGE);
    memset(variable, 'x', LARGE - 1);
    memcpy(variable, "WORD=", 5);
    variable[LARGE - 1] = '\0';
    struct child child;
    start(&child, "echo ${#WORD}", variable, &nowhere);
    char expected[16];
    snprintf(expected, sizeof(expected), "%d\n", LARGE - 6);
    expect_output(&child, expected);
    wait_for(&child);
}

static bool has_ended(const struct child *child)
{
    struct pollfd wait = {.fd = child->result.pidfd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

/* Some of a child's calls fail always: signals that cannot be reset, becoming root again. */
static void errno_stays_as_it_is(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct child child;
        start(&child, "exit 0", "A=b", &nowhere);
        int64_t end_ms = clock_monotonic_ms() + DEADLINE_MS;
        volatile int seen = errno = E2BIG;
        while (!has_ended(&child) && seen == E2BIG) {
            assert_true(clock_monotonic_ms() < end_ms);
            seen = errno;
        }
        assert_int_equal(seen, E2BIG);
        wait_for(&child);
    }
}

static void the_preference_for_the_oom_killer_stays(void **state)
{
    (void)state;
    char after[16];
    struct child child;
    start(&child, "exit 0", "A=b", &nowhere);
    wait_for(&child);
    assert_true(kernel_file_read("/proc/self/oom_score_adj", after, sizeof(after)) > 0);
    assert_string_equal(after, preference);
}

/* A core of farmd's can be had as before. */
static void it_stays_dumpable(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
    struct child child;
    start(&child, "exit 0", "A=b", &nowhere);
    wait_for(&child);
    spawn_shared_settle();
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
}

/* All wait in the middle of their birth, for somebody to read what they write on joining their cgroup. */
static void those_that_are_held_up_hold_nobody_up(void **state)
{
    (void)state;
    static struct leaf_entry entry = {.cgroup_fd = -1, .join_count = 1};
    static struct child children[MANY];
    char folder[] = "/tmp/farmd-shared-XXXXXX";
    assert_non_null(mkdtemp(folder));
    snprintf(entry.join[0], sizeof(entry.join[0]), "%s/tasks", folder);
    assert_int_equal(mkfifo(entry.join[0], 0600), 0);
    for (int i = 0; i < MANY; i++) {
        start(&children[i], "echo $WORD", "WORD=late", &entry);
    }
    for (int i = 0; i < MANY; i++) {
        assert_false(has_ended(&children[i]));
    }
    int fd = open(entry.join[0], O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 0; i < MANY; i++) {
        expect_output(&children[i], "late\n");
        wait_for(&children[i]);
    }
    close(fd);
    unlink(entry.join[0]);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_what_it_was_given), cmocka_unit_test(a_large_environment_fits),
        cmocka_unit_test(errno_stays_as_it_is),     cmocka_unit_test(the_preference_for_the_oom_killer_stays),
        cmocka_unit_test(it_stays_dumpable),        cmocka_unit_test(those_that_are_held_up_hold_nobody_up),
    };
    if (kernel_file_read("/proc/self/oom_score_adj", preference, sizeof(preference)) <= 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
