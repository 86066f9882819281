/*
 * The floor that a server's CPU time per request is compared with: epoll, read, write of a fixed answer, and nothing
 * else. It parses nothing: whatever one read brings counts as one request.
 *
 *   raw_epoll PORT BODY     prints its port (PORT 0 takes a free one)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 1024
#define ANSWER_MAX 65536

static char answer[ANSWER_MAX];
static size_t answer_length;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The same head as the servers that this one is compared with, with a date that stands still. */
static void build_answer(const char *body)
{
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 08:30:00 GMT\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          strlen(body), body);
    if (length < 0 || (size_t)length >= sizeof answer) {
        fprintf(stderr, "the answer is too long\n");
        exit(2);
    }
    answer_length = (size_t)length;
}

static int listen_on(unsigned long port)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        die("bind");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl");
    }
}

static void serve(int fd)
{
    static char input[ANSWER_MAX];
    ssize_t n = read(fd, input, sizeof input);
    if (n > 0)
        n = write(fd, answer, answer_length);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: raw_epoll PORT BODY\n");
        return 2;
    }
    build_answer(argv[2]);
    int listener = listen_on(strtoul(argv[1], NULL, 10));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        die("epoll");
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
