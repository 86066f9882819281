/* runtime/process: who holds a port is told rightly, and costs little however many ask. */
#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/port.h"
#include "supervisor/runtime/process/port_holder.h"

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
#include <uv.h>

#include <cmocka.h>

#define PORTS 300
#define DEADLINE_MS 10000
#define HOLDER_MAX 64

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

static uv_loop_t loop;

static void on_told(const char *holder, void *data)
{
    snprintf(data, HOLDER_MAX, "%s", holder);
}

/* What is told of a port, after a look if one is needed. */
static const char *ask(uint16_t port)
{
    static char told[HOLDER_MAX];
    told[0] = '\0';
    process_port_holder(&loop, port, on_told, told);
    if (*told == '\0') {
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    assert_true(*told != '\0');
    return told;
}

static bool is_told(uint16_t port, pid_t pid)
{
    char expected[32];
    assert_int_equal(port_check(port, NULL), -EADDRINUSE);
    snprintf(expected, sizeof(expected), "(pid %d)", (int)pid);
    return strstr(ask(port), expected) != NULL;
}

/* After a look that was just taken there is none for a while. */
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
    assert_int_equal(port_check(ntohs(address.sin_port), NULL), -EADDRINUSE);
    assert_string_equal(ask(ntohs(address.sin_port)), "another program");
}

/* The loop goes on while the thread looks, however long that takes. */
static void the_loop_does_not_wait_for_the_look(void **state)
{
    (void)state;
    uint16_t ports[PORTS];
    int fds[PORTS];
    static char told[PORTS][HOLDER_MAX];
    for (int i = 0; i < PORTS; i++) {
        fds[i] = listen_somewhere(&ports[i]);
    }
    char known[HOLDER_MAX];
    process_port_holder_known(ports[0], known, sizeof(known));
    assert_string_equal(known, "another program");
    /* until there may be a look again */
    for (int64_t end_ms = clock_monotonic_ms() + DEADLINE_MS; told[0][0] != '\0' || uv_loop_alive(&loop) == 0;) {
        assert_true(clock_monotonic_ms() < end_ms);
        told[0][0] = '\0';
        process_port_holder(&loop, ports[0], on_told, told[0]);
    }
    for (int i = 1; i < PORTS; i++) {
        process_port_holder(&loop, ports[i], on_told, told[i]);
        assert_true(told[i][0] == '\0'); /* all wait for the one look */
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < PORTS; i++) {
        assert_non_null(strstr(told[i], "(pid "));
        close(fds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_does_not_wait_for_the_look),
        cmocka_unit_test(many_that_ask_share_one_look),
        cmocka_unit_test(a_holder_that_let_go_is_not_told),
        cmocka_unit_test(a_holder_that_cannot_be_found_is_another_program),
    };
    uv_loop_init(&loop);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    uv_loop_close(&loop);
    return failed;
}
