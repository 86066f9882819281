/*
 * The floor that starting a farm is measured against: vfork and exec of COUNT copies of a program that does nothing but
 * write "ready" to a pipe. Separate from farmd so that nothing of farmd's work is in it. Prints the milliseconds from
 * the first vfork to the last "ready".
 *
 *   spawn_floor COUNT PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_LINE "ready\n"
#define MAX_COUNT 10000

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void fail(const char *what)
{
    fprintf(stderr, "spawn_floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void spawn(char **argv)
{
    /* The child shares this stack until it execs, and does nothing else. */
    pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork): it is what is measured */
    if (pid == 0) {
        execve(argv[0], argv, environ);
        _exit(127);
    }
    if (pid < 0)
        fail("vfork");
}

/* The lines of all children come through one pipe; each is shorter than PIPE_BUF, so none is torn. */
static void await_ready(int fd, int count)
{
    size_t wanted = (size_t)count * strlen(READY_LINE);
    char buffer[4096];

    while (wanted > 0) {
        ssize_t got = read(fd, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || (size_t)got > wanted) {
            fprintf(stderr, "spawn_floor: not every child said ready\n");
            exit(1);
        }
        wanted -= (size_t)got;
    }
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[1]) : 0; /* NOLINT(cert-err34-c): anything but a count is refused below */
    if (count < 1 || count > MAX_COUNT) {
        fprintf(stderr, "usage: spawn_floor COUNT PROGRAM [ARGUMENT...]\n");
        return 2;
    }

    int ends[2];
    if (pipe(ends) < 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0)
        fail("pipe");
    char number[16];
    snprintf(number, sizeof(number), "%d", ends[1]);
    setenv("FARMD_READY_FD", number, 1);

    double began = now_ms();
    for (int i = 0; i < count; i++)
        spawn(argv + 2);
    close(ends[1]);
    await_ready(ends[0], count);
    double ready = now_ms();

    while (wait(NULL) > 0)
        continue;
    printf("%.3f\n", ready - began);
    return 0;
}
