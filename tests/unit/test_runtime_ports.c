/* runtime/process: who holds a port is told rightly, and costs little however many ask. */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PORTS 300
#define DEADLINE_MS 10000

static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static bool is_told(uint16_t port, pid_t pid)
{
    struct error err;
    char expected[32];
    assert_int_equal(port_check(port, &err), -EADDRINUSE);
    snprintf(expected, sizeof(expected), "(pid %d)", (int)pid);
    return strstr(err.message, expected) != NULL;
}

/* A look that was just taken, or one that takes long, makes an answer late, not wrong. */
static void expect_told(uint16_t port, pid_t pid)
{
    int64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;
    while (!is_told(port, pid)) {
        assert_true(clock_monotonic_ms() < deadline_ms);
        usleep(5000);
    }
}

static void many_that_ask_share_one_look(void **state)
{
    (void)state;
    int fds[PORTS];
    uint16_t ports[PORTS];
    for (int i = 0; i < PORTS; i++) {
        fds[i] = listen_somewhere(&ports[i]);
    }
    int64_t began_ns = clock_monotonic_ns();
    expect_told(ports[0], getpid());
    int64_t one_ns = clock_monotonic_ns() - began_ns;
    began_ns = clock_monotonic_ns();
    for (int i = 0; i < PORTS; i++) {
        assert_true(is_told(ports[i], getpid()));
    }
    assert_true(clock_monotonic_ns() - began_ns < one_ns * PORTS / 4);
    for (int i = 0; i < PORTS; i++) {
        close(fds[i]);
    }
}

static void a_holder_that_let_go_is_not_told(void **state)
{
    (void)state;
    uint16_t port, other;
    int fd = listen_somewhere(&port), gate[2];
    expect_told(port, getpid());
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    pid_t child = fork(); /* has the socket too */
    assert_true(child >= 0);
    if (child == 0) {
        char byte;
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) != 0);
    }
    close(gate[0]);
    close(fd);
    fd = listen_somewhere(&other); /* by the number of the one that is gone */
    assert_false(is_told(port, getpid()));
    expect_told(port, child);
    close(gate[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(port_check(port, NULL), 0);
    close(fd);
}

/* Taken, but not by a listener. */
static void a_holder_that_cannot_be_found_is_another_program(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    struct error err;
    char expected[64];
    assert_int_equal(port_check(ntohs(address.sin_port), &err), -EADDRINUSE);
    snprintf(expected, sizeof(expected), "port %u is taken by another program", ntohs(address.sin_port));
    assert_string_equal(err.message, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_that_ask_share_one_look),
        cmocka_unit_test(a_holder_that_let_go_is_not_told),
        cmocka_unit_test(a_holder_that_cannot_be_found_is_another_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
