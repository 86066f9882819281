/*
 * Who holds a port; see runtime_port_holder in runtime.h. Only a look at every descriptor of every process tells, which
 * takes a millisecond on a small machine and hundreds on one with thousands of servers. So one look finds the holders of
 * all ports, is taken by a thread, and serves all who ask: a finding is told for as long as the descriptor that it names
 * still is the same socket, and what it does not tell is looked for again only when a multiple of the work that the last
 * look took has gone by.
 */
#include "supervisor/runtime/runtime.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/procfs.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What the loop may stand still for a look: this much of its work. On a machine that has no time for it the work is late,
 * and the loop waits longer, since so short a look is worth it. */
#define WAIT_WORK_NS (200 * NS_PER_MS)
#define WAIT_MAX_NS (1000 * NS_PER_MS)
#define WAIT_STEP_NS (10 * NS_PER_MS)
#define PAUSE_FACTOR 10 /* looking takes a tenth of one core at most */
#define STATE_LISTEN "0A"

struct listener {
    unsigned long long inode;
    uint16_t port;
    pid_t pid; /* 0: nobody was seen to hold it, or farmd may not look */
    int fd;
};

struct listeners {
    struct listener *list; /* by inode */
    size_t count, capacity;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_running;
    pthread_t thread; /* while it runs */
    int64_t began_ns, pause_until_ns;
    struct listeners found;
} look = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

/* --- looking, in a thread --- */

/* Adds the listeners of /proc/net/tcp or tcp6. A row's fields: number, local address:port (hex), remote, state, queues,
 * timer, retransmits, uid, timeout, inode. The kernel lists listeners first, and of the rest there may be very many. */
static void add_listeners(struct listeners *listeners, const char *path)
{
    FILE *file = fopen(path, "re");
    char row[256], local[64], state[8];
    bool more = file != NULL && fgets(row, sizeof(row), file) != NULL; /* the heading */
    while (more && fgets(row, sizeof(row), file) != NULL) {
        unsigned long long inode;
        /* NOLINTNEXTLINE(cert-err34-c): the kernel writes no number that is out of range */
        if (sscanf(row, "%*s %63s %*s %7s %*s %*s %*s %*s %*s %llu", local, state, &inode) != 3) {
            continue;
        }
        const char *colon = strrchr(local, ':');
        more = strcmp(state, STATE_LISTEN) == 0;
        if (!more || colon == NULL) {
            continue;
        }
        if (listeners->count == listeners->capacity) {
            listeners->capacity = listeners->capacity == 0 ? 64 : listeners->capacity * 2;
            listeners->list = xrealloc(listeners->list, listeners->capacity * sizeof(*listeners->list));
        }
        listeners->list[listeners->count++] =
            (struct listener){.inode = inode, .port = (uint16_t)strtoul(colon + 1, NULL, 16)};
    }
    if (file != NULL) {
        fclose(file);
    }
}

static int by_inode(const void *left, const void *right)
{
    const struct listener *a = left, *b = right;
    return (a->inode > b->inode) - (a->inode < b->inode);
}

/* The inode of the socket that a descriptor is; 0 when it is none. */
static unsigned long long socket_inode(int directory, const char *path)
{
    static const char prefix[] = "socket:[";
    char target[64];
    ssize_t length = readlinkat(directory, path, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    return strncmp(target, prefix, strlen(prefix)) == 0 ? strtoull(target + strlen(prefix), NULL, 10) : 0;
}

/* Notes which listeners a process holds; of several processes the first has it. Returns how many it took. */
static size_t note_holder(struct listeners *listeners, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    size_t taken = 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        struct listener key = {.inode = socket_inode(dirfd(dir), entry->d_name)};
        struct listener *listener =
            key.inode == 0 ? NULL
                           : bsearch(&key, listeners->list, listeners->count, sizeof(*listeners->list), by_inode);
        if (listener != NULL && listener->pid == 0) {
            listener->pid = pid;
            listener->fd = atoi(entry->d_name); /* NOLINT(cert-err34-c): likewise */
            taken++;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return taken;
}

static struct listeners find_listeners(void)
{
    struct listeners listeners = {0};
    add_listeners(&listeners, "/proc/net/tcp");
    add_listeners(&listeners, "/proc/net/tcp6");
    if (listeners.count == 0) {
        return listeners;
    }
    qsort(listeners.list, listeners.count, sizeof(*listeners.list), by_inode);
    size_t unknown = listeners.count;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir != NULL && unknown > 0 && (entry = readdir(dir)) != NULL;) {
        pid_t pid = procfs_pid_of_entry(entry->d_name);
        unknown -= pid > 0 ? note_holder(&listeners, pid) : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return listeners;
}

/* What a look has cost so far; how long it took tells more of the others on this machine. 0 when nobody can say. */
static int64_t work_ns(pthread_t thread)
{
    clockid_t clock;
    struct timespec used = {0};
    if (pthread_getcpuclockid(thread, &clock) == 0) {
        clock_gettime(clock, &used);
    }
    return used.tv_sec * NS_PER_SECOND + used.tv_nsec;
}

static void *run_look(void *unused)
{
    struct listeners found = find_listeners();
    pthread_mutex_lock(&look.lock);
    free(look.found.list);
    look.found = found;
    look.is_running = false;
    look.pause_until_ns = clock_monotonic_ns() + work_ns(pthread_self()) * PAUSE_FACTOR;
    pthread_cond_broadcast(&look.ended);
    pthread_mutex_unlock(&look.lock);
    return unused;
}

/* --- asking; the lock is held --- */

static void begin_look(void)
{
    int64_t now_ns = clock_monotonic_ns();
    if (look.is_running || now_ns < look.pause_until_ns) {
        return;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the loop's thread */
    if (pthread_create(&look.thread, NULL, run_look, NULL) == 0) {
        pthread_detach(look.thread);
        look.is_running = true;
        look.began_ns = now_ns;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Counted from the beginning of the look, so that many who ask during a long one wait once together. */
static void wait_for_look(void)
{
    const int64_t deadline_ns = look.began_ns + WAIT_MAX_NS;
    for (int64_t now_ns = clock_monotonic_ns();
         look.is_running && now_ns < deadline_ns && work_ns(look.thread) < WAIT_WORK_NS;
         now_ns = clock_monotonic_ns()) {
        int64_t until_ns = now_ns + WAIT_STEP_NS < deadline_ns ? now_ns + WAIT_STEP_NS : deadline_ns;
        struct timespec until = {.tv_sec = until_ns / NS_PER_SECOND, .tv_nsec = until_ns % NS_PER_SECOND};
        pthread_cond_clockwait(&look.ended, &look.lock, CLOCK_MONOTONIC, &until);
    }
}

static bool tell(uint16_t port, char *out, size_t size)
{
    for (size_t i = 0; i < look.found.count; i++) {
        const struct listener *listener = &look.found.list[i];
        char path[64], comm[PROCFS_COMM_MAX];
        if (listener->port != port || listener->pid == 0) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)listener->pid, listener->fd);
        if (socket_inode(-1, path) == listener->inode) {
            procfs_comm(listener->pid, comm);
            snprintf(out, size, "%s (pid %d)", *comm == '\0' ? "a program" : comm, (int)listener->pid);
            return true;
        }
    }
    return false;
}

void runtime_port_holder(uint16_t port, char *out, size_t size)
{
    pthread_mutex_lock(&look.lock);
    bool told = tell(port, out, size);
    if (!told) {
        begin_look();
        wait_for_look();
        told = tell(port, out, size);
    }
    pthread_mutex_unlock(&look.lock);
    if (!told) {
        snprintf(out, size, "another program");
    }
}
