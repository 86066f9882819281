/*
 * Who holds a port; see port_holder in runtime.h. Only a look at every descriptor of every process tells, which takes a
 * millisecond on a small machine and hundreds on one with thousands of servers. So one look finds the holders of all ports,
 * is taken by a thread, and serves all who ask: a finding is told for as long as the descriptor that it names still is the
 * same socket, and what it does not tell is looked for again only when a multiple of the time that the last look took has
 * gone by.
 */
#include "supervisor/runtime/process/port_holder.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/procfs.h"
#include "supervisor/runtime/runtime.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>
#include <uv.h>

#define LOOK_MAX_NS (1 * NS_PER_SECOND)
#define LOOK_WAITED_FOR_NS (5 * NS_PER_SECOND) /* by a person, before anything runs */
#define PAUSE_FACTOR 10                        /* looking takes a tenth of one core at most */
#define STATE_LISTEN "0A"
#define UNKNOWN "another program"
#define HOLDER_MAX 64

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

struct asker {
    STAILQ_ENTRY(asker) link;
    uint16_t port;
    void (*tell)(const char *holder, void *data);
    void *data;
};

STAILQ_HEAD(askers, asker);

static struct {
    uv_work_t work;
    bool is_running;
    struct listeners found;  /* of the last look */
    struct listeners coming; /* the thread's, while it runs */
    int64_t took_ns, pause_until_ns;
    struct askers askers; /* wait for the look that runs */
} look = {.askers = STAILQ_HEAD_INITIALIZER(look.askers)};

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

static struct listeners find_listeners(int64_t max_ns)
{
    struct listeners listeners = {0};
    const int64_t deadline_ns = clock_monotonic_ns() + max_ns;
    add_listeners(&listeners, "/proc/net/tcp");
    add_listeners(&listeners, "/proc/net/tcp6");
    if (listeners.count == 0) {
        return listeners;
    }
    qsort(listeners.list, listeners.count, sizeof(*listeners.list), by_inode);
    size_t unknown = listeners.count;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry;
         dir != NULL && unknown > 0 && clock_monotonic_ns() < deadline_ns && (entry = readdir(dir)) != NULL;) {
        pid_t pid = procfs_pid_of_entry(entry->d_name);
        unknown -= pid > 0 ? note_holder(&listeners, pid) : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return listeners;
}

/* --- telling --- */

/* 0: not known. */
static pid_t holder_pid(const struct listeners *found, uint16_t port)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct listener *listener = &found->list[i];
        char path[64];
        if (listener->port != port || listener->pid == 0) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)listener->pid, listener->fd);
        if (socket_inode(-1, path) == listener->inode) {
            return listener->pid;
        }
    }
    return 0;
}

static bool describe(const struct listeners *found, uint16_t port, char *out, size_t size)
{
    char comm[PROCFS_COMM_MAX];
    pid_t pid = holder_pid(found, port);
    if (pid == 0) {
        snprintf(out, size, UNKNOWN);
        return false;
    }
    procfs_comm(pid, comm);
    snprintf(out, size, "%s (pid %d)", *comm == '\0' ? "a program" : comm, (int)pid);
    return true;
}

pid_t process_port_holder_pid(uint16_t port)
{
    struct listeners found = find_listeners(LOOK_WAITED_FOR_NS);
    pid_t pid = holder_pid(&found, port);
    free(found.list);
    return pid;
}

void process_port_holder_known(uint16_t port, char *out, size_t size)
{
    describe(&look.found, port, out, size);
}

void runtime_port_holder(uint16_t port, char *out, size_t size)
{
    struct listeners found = find_listeners(LOOK_WAITED_FOR_NS);
    describe(&found, port, out, size);
    free(found.list);
}

/* --- asking --- */

static void on_look(uv_work_t *work)
{
    (void)work;
    int64_t began_ns = clock_monotonic_ns();
    look.coming = find_listeners(LOOK_MAX_NS);
    look.took_ns = clock_monotonic_ns() - began_ns;
}

static void on_looked(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
    free(look.found.list);
    look.found = look.coming;
    look.is_running = false;
    look.pause_until_ns = clock_monotonic_ns() + look.took_ns * PAUSE_FACTOR;
    struct askers askers = STAILQ_HEAD_INITIALIZER(askers);
    STAILQ_CONCAT(&askers, &look.askers); /* who asks from inside is of the next look */
    struct asker *asker;
    while ((asker = STAILQ_FIRST(&askers)) != NULL) {
        char holder[HOLDER_MAX];
        STAILQ_REMOVE_HEAD(&askers, link);
        describe(&look.found, asker->port, holder, sizeof(holder));
        asker->tell(holder, asker->data);
        free(asker);
    }
}

void process_port_holder(uv_loop_t *loop, uint16_t port, void (*tell)(const char *holder, void *data), void *data)
{
    char holder[HOLDER_MAX];
    bool may_look = look.is_running || clock_monotonic_ns() >= look.pause_until_ns;
    if (describe(&look.found, port, holder, sizeof(holder)) || !may_look) {
        tell(holder, data);
        return;
    }
    struct asker *asker = xcalloc(1, sizeof(*asker));
    asker->port = port;
    asker->tell = tell;
    asker->data = data;
    STAILQ_INSERT_TAIL(&look.askers, asker, link);
    if (!look.is_running) {
        look.is_running = true;
        uv_queue_work(loop, &look.work, on_look, on_looked); /* fails only without a function */
    }
}
