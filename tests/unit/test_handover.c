/*
 * What one farmd leaves to the next in the same process, written and read back.
 */
#include "supervisor/cli/handover.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define VARIABLE "FARMD_HANDOVER"

static struct error err;

static int open_something(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* As a farmd gives with two sockets, the second of which has read ahead. */
static void fill(struct handover *given)
{
    handover_init(given);
    snprintf(given->version, sizeof(given->version), "1.2.3-rc");
    given->paused_ns = 123456789012;
    given->lock_fd = open_something();
    given->reply_fd = open_something();
    handover_add(given, &(struct api_socket){.socket = {.fd = open_something(), .listens = true}});
    handover_add(given, &(struct api_socket){
                            .dashboard = true,
                            .socket = {.fd = open_something(), .served = true, .input = "GET /\nend\n", .length = 10}});
    given->events = "last 0\n";
    given->events_length = 7;
}

static void close_all(struct handover *given)
{
    close(given->lock_fd);
    close(given->reply_fd);
    for (size_t i = 0; i < given->socket_count; i++)
        close(given->sockets[i].socket.fd);
    handover_done(given);
}

static void reads_back_what_was_written(void **state)
{
    (void)state;
    struct handover given, taken;
    fill(&given);
    int fd = handover_give(&given, &err);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(given.lock_fd, F_GETFD), 0);
    assert_int_equal(fcntl(given.reply_fd, F_GETFD), 0);
    assert_int_equal(fcntl(given.sockets[1].socket.fd, F_GETFD), 0);

    assert_int_equal(handover_take(&taken, &err), 1);
    assert_string_equal(taken.version, "1.2.3-rc");
    assert_int_equal(taken.paused_ns, 123456789012);
    assert_int_equal(taken.lock_fd, given.lock_fd);
    assert_int_equal(taken.reply_fd, given.reply_fd);
    assert_int_equal(taken.socket_count, 2);
    assert_int_equal(taken.sockets[0].socket.fd, given.sockets[0].socket.fd);
    assert_true(taken.sockets[0].socket.listens);
    assert_false(taken.sockets[0].dashboard);
    const struct api_socket *second = &taken.sockets[1];
    assert_true(second->dashboard && second->socket.served && !second->socket.listens);
    assert_int_equal(second->socket.length, 10);
    assert_memory_equal(second->socket.input, "GET /\nend\n", 10);

    assert_int_equal(taken.events_length, 7);
    assert_memory_equal(taken.events, "last 0\n", 7);

    assert_null(getenv(VARIABLE));
    assert_int_equal(fcntl(taken.lock_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(taken.sockets[1].socket.fd, F_GETFD), FD_CLOEXEC);
    handover_done(&taken);
    assert_int_equal(handover_take(&taken, &err), 0);
    close_all(&given);
}

static void a_failed_exec_is_undone(void **state)
{
    (void)state;
    struct handover given;
    fill(&given);
    int fd = handover_give(&given, &err);
    handover_withdraw(&given, fd);
    assert_null(getenv(VARIABLE));
    assert_int_equal(fcntl(given.lock_fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(given.sockets[0].socket.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    close_all(&given);
}

static void refuse(const char *text)
{
    struct handover taken;
    char number[16];
    int fd = memfd_create("test", 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    snprintf(number, sizeof(number), "%d", fd);
    setenv(VARIABLE, number, 1);
    memset(&err, 0, sizeof(err));
    assert_true(handover_take(&taken, &err) < 0);
    assert_non_null(strstr(err.message, VARIABLE));
    close(fd);
    unsetenv(VARIABLE);
}

static void what_another_process_left_is_refused(void **state)
{
    (void)state;
    refuse("");
    refuse("farmd-handover pid 1\nversion 1\npaused 1\nlock 3\nevents 0\nend\n");
    char text[256];
    static const char *const tails[] = {"", "nonsense\nend\n", "events 9\nx\nend\n",
                                        "socket 3 dashboard 0 listens 0 served 0 input 99\nabc"};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        snprintf(text, sizeof(text), "farmd-handover pid %d\nversion 1\npaused 1\nlock 3\n%s", (int)getpid(), tails[i]);
        refuse(text);
    }
}

static void a_variable_that_is_no_descriptor_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"", "x", "-1", "99999"};
    struct handover taken;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        setenv(VARIABLE, values[i], 1);
        assert_true(handover_take(&taken, &err) < 0);
    }
    unsetenv(VARIABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(a_failed_exec_is_undone),
        cmocka_unit_test(what_another_process_left_is_refused),
        cmocka_unit_test(a_variable_that_is_no_descriptor_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
