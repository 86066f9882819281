/* runtime/swarm: the port that leads to another node. 127.0.0.2 is that node here; what listens there echoes. */
#include "supervisor/runtime/swarm/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define THERE "127.0.0.2"
#define MUCH ((size_t)2 << 20)
#define PATIENCE_S 20
#define FIRST_PORT 20000
#define PORTS 10000U

struct world {
    uv_loop_t loop;
    uv_async_t done;
    struct relay *relay;
    uint16_t port;
    int echo; /* listens; -1: nobody does */
    pthread_t echoing, client;
    size_t got; /* by the client */
    bool same;
    int connected; /* 0, or errno */
};

static struct sockaddr_in address_of(const char *host, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

/* -1: another program has it. */
static int listen_at(const char *host, uint16_t port)
{
    struct sockaddr_in address = address_of(host, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 16) == 0)
        return fd;
    close(fd);
    return -1;
}

/* On a port that is free here too, below those that the kernel gives away: it hands out one of these for THERE while a
 * connection of another program has it on 127.0.0.1, or gives it to one between two of the relay's. */
static int listen_there(uint16_t *port)
{
    for (unsigned try = 0; try < PORTS; try++) {
        *port = (uint16_t)(FIRST_PORT + ((unsigned)getpid() + try) % PORTS);
        int here = listen_at("127.0.0.1", *port);
        int there = here >= 0 ? listen_at(THERE, *port) : -1;
        if (here >= 0)
            close(here);
        if (there >= 0)
            return there;
    }
    fail_msg("no port is free");
    return -1;
}

static void *echo(void *data)
{
    struct world *world = data;
    char piece[4096];
    ssize_t n;
    int fd = accept(world->echo, NULL, NULL);

    while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0) {
        for (ssize_t sent = 0, more; sent < n; sent += more) {
            more = write(fd, piece + sent, (size_t)(n - sent));
            if (more <= 0)
                break;
        }
    }
    close(fd);
    return NULL;
}

static int connect_here(uint16_t port)
{
    struct sockaddr_in address = address_of("127.0.0.1", port);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

static void *write_all(void *data)
{
    int fd = *(int *)data;
    char piece[8192];

    for (size_t sent = 0; sent < MUCH; sent += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = (char)((sent + i) * 31 >> 3);
        if (send(fd, piece, sizeof(piece), MSG_NOSIGNAL) != (ssize_t)sizeof(piece))
            break;
    }
    shutdown(fd, SHUT_WR);
    return NULL;
}

/* Writes much, says that this was all, and reads what comes back until the end. */
static void *talk(void *data)
{
    struct world *world = data;
    pthread_t writer;
    char piece[4096];
    ssize_t n;
    int fd = connect_here(world->port);

    world->connected = fd < 0 ? errno : 0;
    world->same = true;
    if (fd >= 0) {
        pthread_create(&writer, NULL, write_all, &fd);
        while ((n = read(fd, piece, sizeof(piece))) > 0) {
            for (ssize_t i = 0; i < n; i++)
                world->same = world->same && piece[i] == (char)((world->got + (size_t)i) * 31 >> 3);
            world->got += (size_t)n;
        }
        pthread_join(writer, NULL);
        close(fd);
    }
    uv_async_send(&world->done);
    return NULL;
}

static void on_done(uv_async_t *async)
{
    uv_stop(async->loop);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    uv_loop_init(&world->loop);
    uv_async_init(&world->loop, &world->done, on_done);
    world->echo = listen_there(&world->port);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    relay_close(world->relay);
    uv_close((uv_handle_t *)&world->done, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    int left = uv_loop_close(&world->loop);
    if (world->echo >= 0)
        close(world->echo);
    free(world);
    return left; /* a handle that was not closed */
}

static void open_relay(struct world *world)
{
    struct error err;
    if (relay_open(&world->loop, THERE, world->port, &world->relay, &err) != 0)
        fail_msg("%s", err.message);
}

static void bytes_pass_unchanged_both_ways_and_so_does_their_end(void **state)
{
    struct world *world = *state;

    open_relay(world);
    pthread_create(&world->echoing, NULL, echo, world);
    pthread_create(&world->client, NULL, talk, world);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    pthread_join(world->client, NULL);
    pthread_join(world->echoing, NULL);
    assert_int_equal(world->connected, 0);
    assert_int_equal(world->got, MUCH);
    assert_true(world->same);
}

static void where_nobody_listens_a_connection_ends(void **state)
{
    struct world *world = *state;

    open_relay(world);
    close(world->echo);
    world->echo = -1;
    pthread_create(&world->client, NULL, talk, world);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    pthread_join(world->client, NULL);
    assert_int_equal(world->connected, 0);
    assert_int_equal(world->got, 0);
}

static void a_closed_one_gives_up_its_port_and_its_connections(void **state)
{
    struct world *world = *state;

    open_relay(world);
    int fd = connect_here(world->port); /* the kernel takes it for the listener */
    assert_true(fd >= 0);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    relay_close(world->relay);
    world->relay = NULL;
    uv_run(&world->loop, UV_RUN_NOWAIT);
    char byte;
    assert_true(read(fd, &byte, 1) <= 0 && errno != EAGAIN);
    close(fd);
    assert_int_equal(connect_here(world->port), -1);
    assert_int_equal(errno, ECONNREFUSED);
    open_relay(world); /* it can be had again at once */
}

/* Whether what is sent comes back, the loop being run meanwhile. */
static bool is_echoed(struct world *world, int fd, char byte)
{
    char back = 0;

    if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
        return false;
    for (int ms = 0; ms < PATIENCE_S * 1000; ms++) {
        uv_run(&world->loop, UV_RUN_NOWAIT);
        ssize_t n = recv(fd, &back, 1, MSG_DONTWAIT);
        if (n >= 0 || errno != EAGAIN)
            return n == 1 && back == byte;
        usleep(1000);
    }
    return false;
}

static void a_retired_one_gives_up_its_port_and_not_its_connections(void **state)
{
    struct world *world = *state;

    open_relay(world);
    pthread_create(&world->echoing, NULL, echo, world);
    int fd = connect_here(world->port);
    assert_true(fd >= 0);
    assert_true(is_echoed(world, fd, 'a'));
    relay_retire(world->relay);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    int other = listen_at("127.0.0.1", world->port);
    assert_true(other >= 0);
    assert_true(is_echoed(world, fd, 'b'));
    close(other);
    close(fd);
    relay_close(world->relay);
    world->relay = NULL;
    uv_run(&world->loop, UV_RUN_NOWAIT);
    pthread_join(world->echoing, NULL);
}

static void a_taken_port_is_told(void **state)
{
    struct world *world = *state;
    struct relay *second = NULL;
    struct error err;

    open_relay(world);
    assert_int_equal(relay_open(&world->loop, THERE, world->port, &second, &err), -EADDRINUSE);
    assert_null(second);
    assert_int_equal(relay_open(&world->loop, "no address", world->port, &second, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_pass_unchanged_both_ways_and_so_does_their_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_nobody_listens_a_connection_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_one_gives_up_its_port_and_its_connections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_retired_one_gives_up_its_port_and_not_its_connections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_taken_port_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
