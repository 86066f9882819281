/* runtime/process: real processes start, say ready, end, and are ended, with and without cgroups. */
#include "runtime_fixture.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/descriptors.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct runtime_ops *const ops = &runtime_process_ops;

static void start(struct fixture *fixture, int index, const char *script)
{
    struct error err = {0};
    int rc = runtime_fixture_start(fixture, index, script, NULL, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(rc, 0);
}

static void readiness_and_a_signal_are_told(void **state)
{
    struct fixture *f = *state;
    start(f, 0, "echo ready >&$FARMD_READY_FD; exec sleep 1000");
    assert_true(runtime_fixture_wait_ready(f, 0));
    assert_int_equal(f->servers[0].exits, 0);
    assert_true(ops->pid(f->servers[0].process) > 1);
    assert_true(ops->start_time(f->servers[0].process) > 0);
    assert_null(ops->counters(f->servers[0].process));
    assert_int_equal(ops->signal(f->servers[0].process, SIGTERM, NULL), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[0].exit.kind, RUNTIME_EXIT_SIGNAL);
    assert_int_equal(f->servers[0].exit.signal, SIGTERM);
    assert_false(f->servers[0].exit.oom_killed);
}

static void an_exit_code_comes_with_what_was_said(void **state)
{
    struct fixture *f = *state;
    start(f, 0, "echo error EADDRINUSE port 8007 >&3; exit 7");
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[0].exit.kind, RUNTIME_EXIT_CODE);
    assert_int_equal(f->servers[0].exit.exit_code, 7);
    assert_string_equal(f->servers[0].exit.detail, "error EADDRINUSE port 8007");
    assert_false(f->servers[0].exit.not_started);
    assert_int_equal(f->servers[0].ready, 0);
    assert_int_equal(f->servers[0].exits, 1);
}

static void a_missing_program_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    char name[] = "no-such-program-anywhere";
    char *argv[] = {name, NULL};
    struct runtime_spec spec;
    struct error err;
    runtime_fixture_spec(f, 0, argv, &spec);
    assert_int_equal(runtime_fixture_start_spec(f, 0, &spec, &err), -ENOENT);
    assert_non_null(strstr(err.message, name));
    spec.log_path = "/no/such/folder/log";
    char shell[] = "sh";
    argv[0] = shell;
    assert_int_equal(runtime_fixture_start_spec(f, 0, &spec, &err), -ENOENT);
    assert_non_null(strstr(err.message, "/no/such/folder/log"));
}

static void a_program_that_cannot_be_executed_tells_why(void **state)
{
    struct fixture *f = *state;
    char path[160];
    snprintf(path, sizeof(path), "%s/not-a-program", f->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("\x7f nothing", file);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
    char *argv[] = {path, NULL};
    struct runtime_spec spec;
    struct error err;
    runtime_fixture_spec(f, 0, argv, &spec);
    assert_int_equal(runtime_fixture_start_spec(f, 0, &spec, &err), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[0].exit.exit_code, 127);
    assert_non_null(strstr(f->servers[0].exit.detail, "error ENOEXEC cannot execute"));
    assert_non_null(strstr(f->servers[0].exit.detail, ": Exec format error"));
    assert_true(f->servers[0].exit.not_started);
}

static void a_taken_port_is_told_before_the_start(void **state)
{
    struct fixture *f = *state;
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    char shell[] = "sh";
    char *argv[] = {shell, NULL};
    struct runtime_spec spec;
    struct error err;
    char expected[32];
    runtime_fixture_spec(f, 0, argv, &spec);
    spec.port = ntohs(address.sin_port);
    assert_int_equal(runtime_fixture_start_spec(f, 0, &spec, &err), -EADDRINUSE);
    snprintf(expected, sizeof(expected), "port %u is taken", spec.port);
    assert_string_equal(err.message, expected);
}

static void a_port_taken_on_one_address_is_seen(void **state)
{
    struct fixture *f = *state;
    cleanup_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof(address);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        skip(); /* no IPv6 here */
    }
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    char shell[] = "true";
    char *argv[] = {shell, NULL};
    struct runtime_spec spec;
    struct error err;
    runtime_fixture_spec(f, 0, argv, &spec);
    spec.port = ntohs(address.sin6_port);
    assert_int_equal(runtime_fixture_start_spec(f, 0, &spec, &err), -EADDRINUSE);
}

/* What servers don't listen on is not theirs to miss: another program may have the port on another address. */
static void a_port_taken_elsewhere_is_free(void **state)
{
    struct fixture *f = *state;
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK + 1)}};
    socklen_t length = sizeof(address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    char shell[] = "true";
    char *argv[] = {shell, NULL};
    struct runtime_spec spec;
    struct error err = {0};
    runtime_fixture_spec(f, 0, argv, &spec);
    spec.port = ntohs(address.sin_port);
    assert_int_equal(runtime_fixture_start_spec(f, 0, &spec, &err), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
}

static void nothing_is_inherited_but_what_is_needed(void **state)
{
    struct fixture *f = *state;
    cleanup_close int careless = open("/dev/zero", O_RDONLY); /* as a library may open it: without O_CLOEXEC */
    assert_true(careless >= 0);
    start(f, 0,
          "ls -l /proc/self/fd; echo; env; cat /proc/self/stat; grep -E 'SigBlk|SigIgn|NoNewPrivs' /proc/self/status;"
          "ulimit -c; ulimit -n");
    assert_true(runtime_fixture_wait_exit(f, 0));
    cleanup_free char *log = runtime_fixture_log(f);
    assert_non_null(strstr(log, "0 -> /dev/null"));
    assert_non_null(strstr(log, "3 -> pipe:"));
    assert_null(strstr(log, "socket:"));
    assert_null(strstr(log, "anon_inode"));
    assert_null(strstr(log, "/dev/zero"));
    assert_null(strstr(log, " 5 -> "));
    assert_non_null(strstr(log, "\nFARMD_READY_FD=3\n"));
    assert_null(strstr(log, "FARMD_READY_FD=99"));
    assert_null(strstr(log, "FARMD_COUNTERS_FD"));
    assert_non_null(strstr(log, "\nFIXTURE=yes\n"));
    assert_null(strstr(log, "\nHOME="));
    assert_non_null(strstr(log, "SigBlk:\t0000000000000000"));
    assert_non_null(strstr(log, "SigIgn:\t0000000000000000"));
    assert_non_null(strstr(log, "NoNewPrivs:\t1"));
}

static void as_root_a_server_has_its_own_name_and_user(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) {
        skip();
    }
    gid_t before[64], extra = 12345;
    int count = getgroups(64, before);
    assert_true(count >= 0);
    assert_int_equal(setgroups(1, &extra), 0);
    start(f, 0, "echo user=$(id -u):$(id -g):$(id -G); echo host=$(uname -n)");
    assert_int_equal(setgroups((size_t)count, before), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
    cleanup_free char *log = runtime_fixture_log(f);
    assert_non_null(strstr(log, "user=65534:65534:65534\n"));
    assert_non_null(strstr(log, "host=server-7\n"));
    char name[64];
    gethostname(name, sizeof(name));
    assert_string_not_equal(name, "server-7");
}

/* A grandchild in a session of its own that ignores SIGTERM; its pid goes to a file. */
#define ESCAPED(name) "setsid sh -c 'trap \"\" TERM; echo $$ >$FOLDER/" name "; while :; do sleep 1000; done' & "

static pid_t pid_in(const struct fixture *f, const char *name)
{
    cleanup_free char *text = runtime_fixture_file(f, name);
    return (pid_t)strtol(text, NULL, 10);
}

static bool has_pid(struct fixture *f, void *name)
{
    return pid_in(f, name) > 1;
}

static bool is_gone(struct fixture *f, void *name)
{
    return runtime_fixture_is_gone(pid_in(f, name));
}

static void a_kill_takes_grandchildren_along(void **state)
{
    struct fixture *f = *state;
    char name[] = "pid";
    start(f, 0, ESCAPED("pid") "exec sleep 1000");
    assert_true(runtime_fixture_wait(f, has_pid, name));
    assert_false(runtime_fixture_is_gone(pid_in(f, name)));
    assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[0].exit.signal, SIGKILL);
    assert_true(runtime_fixture_wait(f, is_gone, name));
}

static void what_outlives_the_main_process_is_ended(void **state)
{
    struct fixture *f = *state;
    char name[] = "pid";
    start(f, 0, ESCAPED("pid") "while [ ! -s $FOLDER/pid ]; do sleep 0.01; done; exit 0");
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[0].exit.kind, RUNTIME_EXIT_CODE);
    assert_true(pid_in(f, name) > 1);
    assert_true(runtime_fixture_wait(f, is_gone, name));
}

/* Each ending costs some ms of system calls; the loop has requests to answer between them. */
static void many_endings_leave_time_for_others(void **state)
{
    struct fixture *f = *state;
    enum { MOST = 8 };
    for (int i = 0; i < FIXTURE_SERVERS; i++)
        start(f, i, "exec sleep 100");
    for (int i = 0; i < FIXTURE_SERVERS; i++) {
        pid_t pid = runtime_process_ops.pid(f->servers[i].process);
        siginfo_t info;
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    }
    unsigned told = 0;
    for (int64_t deadline = clock_monotonic_ms() + 10000; told < FIXTURE_SERVERS;) {
        assert_true(clock_monotonic_ms() < deadline);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        unsigned now = 0;
        for (int i = 0; i < FIXTURE_SERVERS; i++)
            now += f->servers[i].exits;
        assert_true(now - told <= MOST);
        told = now;
    }
}

static void a_kill_touches_no_other_server(void **state)
{
    struct fixture *f = *state;
    start(f, 0, "echo ready >&3; exec sleep 1000");
    start(f, 1, "echo ready >&3; exec sleep 1000");
    assert_true(runtime_fixture_wait_ready(f, 0));
    assert_true(runtime_fixture_wait_ready(f, 1));
    assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[1].exits, 0);
    assert_false(runtime_fixture_is_gone(ops->pid(f->servers[1].process)));
}

static bool file_grew(struct fixture *f, void *size)
{
    cleanup_free char *text = runtime_fixture_file(f, "beat");
    size_t now = strlen(text);
    bool grew = now > *(size_t *)size;
    *(size_t *)size = now;
    return grew;
}

/* Whether the state in /proc is one of a process that does not run: stopped or frozen. Its beat stands still too. */
static bool stands_still(struct fixture *f, void *unused)
{
    (void)unused;
    size_t size = 0;
    file_grew(f, &size);
    for (int looks = 0; looks < 5; looks++) {
        uv_run(&f->loop, UV_RUN_ONCE); /* one tick of the fixture */
        if (file_grew(f, &size)) {
            return false;
        }
    }
    return true;
}

static void a_pause_freezes_and_a_resume_goes_on(void **state)
{
    struct fixture *f = *state;
    size_t size = 0;
    start(f, 0, "while :; do echo x >>$FOLDER/beat; done");
    assert_true(runtime_fixture_wait(f, file_grew, &size));
    assert_int_equal(ops->pause(f->servers[0].process, NULL), 0);
    assert_true(runtime_fixture_wait(f, stands_still, NULL));
    assert_int_equal(ops->resume(f->servers[0].process, NULL), 0);
    assert_true(runtime_fixture_wait(f, file_grew, &size));
    assert_int_equal(f->servers[0].exits, 0);
}

static void a_paused_server_can_be_killed(void **state)
{
    struct fixture *f = *state;
    char name[] = "pid";
    start(f, 0, ESCAPED("pid") "exec sleep 1000");
    assert_true(runtime_fixture_wait(f, has_pid, name));
    assert_int_equal(ops->pause(f->servers[0].process, NULL), 0);
    assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
    assert_true(runtime_fixture_wait_exit(f, 0));
    assert_int_equal(f->servers[0].exit.signal, SIGKILL);
    assert_true(runtime_fixture_wait(f, is_gone, name));
}

static void a_server_starts_again_in_the_same_place(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        start(f, 0, "echo ready >&3; exec sleep 1000");
        assert_true(runtime_fixture_wait_ready(f, 0));
        assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
        assert_int_equal(ops->kill(f->servers[0].process, NULL), 0);
        assert_true(runtime_fixture_wait_exit(f, 0));
        assert_int_equal(f->servers[0].exits, 1);
    }
}

static struct runtime_exit ended;
static void forget(void *owner)
{
    (void)owner;
}
static void keep(void *owner, const struct runtime_exit *exit)
{
    (void)owner;
    ended = *exit;
}

static void on_swept(void *over)
{
    *(bool *)over = true;
}

static bool is_true(struct fixture *f, void *value)
{
    (void)f;
    return *(bool *)value;
}

/* An earlier farmd of the same instance is gone without clearing up: here it only stands aside. */
static void leftovers_of_an_earlier_run_are_cleared(void **state)
{
    struct fixture *f = *state;
    char name[] = "pid";
    unsigned slices = runtime_fixture_cgroups(f);
    start(f, 0, ESCAPED("pid") "exec sleep 1000");
    assert_true(runtime_fixture_wait(f, has_pid, name));
    assert_int_equal(ops->pause(f->servers[0].process, NULL), 0); /* frozen, the worst case */
    struct runtime *next;
    struct error err = {0};
    struct runtime_options options = {
        .loop = &f->loop,
        .instance = f->instance,
        .runtime_dir = f->folder,
        .enforce = strcmp(ops->enforcement(f->runtime), "none") == 0 ? ENFORCE_NONE : ENFORCE_AUTO,
        .events = {.on_ready = forget, .on_exit = keep, .on_oom = forget},
    };
    assert_int_equal(ops->open(&next, &options, &err), 0);
    assert_false(runtime_fixture_is_gone(pid_in(f, name)));
    bool over = false;
    ops->sweep(next, &(struct runtime_sweep){.done = on_swept, .data = &over});
    assert_true(runtime_fixture_wait(f, is_true, &over));
    assert_true(runtime_fixture_is_gone(pid_in(f, name)));
    assert_int_equal(runtime_fixture_cgroups(f), slices);
    assert_true(runtime_fixture_wait_exit(f, 0));
    ops->close(next);
}

static void a_bad_instance_is_refused(void **state)
{
    struct fixture *f = *state;
    struct runtime *runtime = NULL;
    struct error err;
    struct runtime_options options = {.loop = &f->loop, .instance = "../x", .runtime_dir = f->folder};
    assert_int_equal(ops->open(&runtime, &options, &err), -EINVAL);
    assert_null(runtime);
}

static void without_cgroups_the_warning_has_two_lines(void **state)
{
    struct fixture *f = *state;
    struct runtime_limits_in_force limits;
    struct runtime_sample sample;
    assert_string_equal(ops->enforcement(f->runtime), "none");
    assert_non_null(strstr(ops->warning(f->runtime), "limits are not in force: "));
    assert_non_null(strstr(ops->warning(f->runtime), "\n  fix: "));
    start(f, 0, "echo ready >&3; exec sleep 1000");
    assert_true(runtime_fixture_wait_ready(f, 0));
    ops->limits_in_force(f->servers[0].process, &limits);
    assert_true(limits.cpu == 0 && limits.memory == 0 && limits.pids == 0);
    ops->sample(f->servers[0].process, &sample);
    assert_false(sample.have & (RUNTIME_HAVE_OOM | RUNTIME_HAVE_THROTTLED | RUNTIME_HAVE_IO));
    assert_non_null(strstr(ops->warning(f->runtime), "leave out --enforce none"));
}

#define BURNT_NS 200000000 /* by each of two processes */

static bool both_have_burnt(struct fixture *f, void *sample)
{
    struct runtime_sample *now = sample;
    ops->sample(f->servers[0].process, now);
    return now->pids == 2 && now->cpu_ns >= 2 * BURNT_NS;
}

static void without_cgroups_cpu_and_memory_are_measured(void **state)
{
    struct fixture *f = *state;
    struct runtime_sample sample, other;
    start(f, 0, "setsid sh -c 'while :; do :; done' & while :; do :; done");
    start(f, 1, "echo ready >&3; exec sleep 1000");
    assert_true(runtime_fixture_wait_ready(f, 1));
    assert_true(runtime_fixture_wait(f, both_have_burnt, &sample));
    const unsigned all = RUNTIME_HAVE_CPU | RUNTIME_HAVE_MEMORY | RUNTIME_HAVE_PIDS;
    assert_int_equal(sample.have, all);
    assert_in_range(sample.memory, 16 << 10, 64 << 20); /* two shells */
    ops->sample(f->servers[1].process, &other);
    assert_int_equal(other.have, all);
    assert_int_equal(other.pids, 1);
    assert_true(other.cpu_ns < BURNT_NS); /* nobody else's */
}

/* More descriptors than a server may have, and farmd's own table reaches above the server's limit. */
static void a_server_starts_from_a_farmd_with_many_descriptors(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 16384 + 100 };
    struct rlimit before, more;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    if (before.rlim_max < MANY + 200) {
        skip();
    }
    more = (struct rlimit){before.rlim_max, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
    int *fds = xcalloc(MANY, sizeof(*fds));
    for (int i = 0; i < MANY; i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    start(f, 0, "ulimit -n; echo ready >&3; exec sleep 1000");
    bool ready = runtime_fixture_wait_ready(f, 0);
    for (int i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    free(fds);
    assert_string_equal(f->servers[0].exit.detail, "");
    assert_true(ready);
    cleanup_free char *log = runtime_fixture_log(f);
    assert_string_equal(log, "16384\n");
}

/* Only a trial tells how far a limit may be raised; here by one who may not at all. */
static void descriptors_are_raised_as_far_as_allowed(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit small = {200, 1000}, now;
        bool right = setrlimit(RLIMIT_NOFILE, &small) == 0 && (geteuid() != 0 || setuid(65534) == 0) &&
                     descriptors_raise(50) == 1000 && descriptors_needed(50) < 1000 &&
                     descriptors_raise(5000) == 1000 && descriptors_needed(5000) > 1000 &&
                     getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 1000;
        _exit(right ? 0 : 1);
    }
    int status;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define WITH(test, suffix, setup)                                                                                      \
    {                                                                                                                  \
#test suffix, test, setup, runtime_fixture_tear_down, NULL                                                     \
    }
#define IN_CGROUPS(test) WITH(test, "", runtime_fixture_set_up)
#define WITHOUT(test) WITH(test, " (without cgroups)", runtime_fixture_set_up_none)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CGROUPS(readiness_and_a_signal_are_told),
        IN_CGROUPS(an_exit_code_comes_with_what_was_said),
        IN_CGROUPS(a_missing_program_is_refused_at_once),
        IN_CGROUPS(a_program_that_cannot_be_executed_tells_why),
        IN_CGROUPS(a_taken_port_is_told_before_the_start),
        IN_CGROUPS(a_port_taken_on_one_address_is_seen),
        IN_CGROUPS(a_port_taken_elsewhere_is_free),
        IN_CGROUPS(a_server_starts_from_a_farmd_with_many_descriptors),
        IN_CGROUPS(nothing_is_inherited_but_what_is_needed),
        IN_CGROUPS(as_root_a_server_has_its_own_name_and_user),
        IN_CGROUPS(a_kill_takes_grandchildren_along),
        IN_CGROUPS(what_outlives_the_main_process_is_ended),
        IN_CGROUPS(many_endings_leave_time_for_others),
        IN_CGROUPS(a_kill_touches_no_other_server),
        IN_CGROUPS(a_pause_freezes_and_a_resume_goes_on),
        IN_CGROUPS(a_paused_server_can_be_killed),
        IN_CGROUPS(a_server_starts_again_in_the_same_place),
        IN_CGROUPS(leftovers_of_an_earlier_run_are_cleared),
        IN_CGROUPS(a_bad_instance_is_refused),
        cmocka_unit_test(descriptors_are_raised_as_far_as_allowed),
        WITHOUT(without_cgroups_the_warning_has_two_lines),
        WITHOUT(without_cgroups_cpu_and_memory_are_measured),
        WITHOUT(readiness_and_a_signal_are_told),
        WITHOUT(a_kill_takes_grandchildren_along),
        WITHOUT(what_outlives_the_main_process_is_ended),
        WITHOUT(a_kill_touches_no_other_server),
        WITHOUT(a_pause_freezes_and_a_resume_goes_on),
        WITHOUT(a_paused_server_can_be_killed),
        WITHOUT(leftovers_of_an_earlier_run_are_cleared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
