/*
 * Processes by /proc; see procfs.h.
 */
#include "supervisor/runtime/process/procfs.h"

#include "core/clock.h"
#include "core/memory.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENVIRON_MAX (128 * 1024)
#define FLAG_EXITING 0x4 /* the kernel's PF_EXITING: long before it is a zombie, when it has much to give back */

enum {
    STAT_FIELD_STATE = 3,
    STAT_FIELD_FLAGS = 9,
    STAT_FIELD_USER_TIME = 14, /* then system time, and both of the children that were waited for */
    STAT_FIELD_THREADS = 20,
    STAT_FIELD_START_TIME = 22
};

/* Where field `number` of the text of /proc/PID/stat begins, counted from 1 as in proc(5); NULL when there is none. The
 * second is the name in brackets, which may hold blanks and brackets itself, so counting begins behind the last bracket. */
static const char *find_field(const char *text, int number)
{
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < number; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? NULL : at + 1;
}

static bool read_file_of(pid_t pid, const char *name, char *text, size_t size)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return kernel_file_read(path, text, size) > 0;
}

static bool stat_field(pid_t pid, int number, uint64_t *value)
{
    char text[1024];
    const char *field = read_file_of(pid, "stat", text, sizeof(text)) ? find_field(text, number) : NULL;
    *value = field == NULL ? *value : kernel_text_number(field, 0);
    return field != NULL;
}

/* statm: all pages, those resident, and of these the ones that a file or shared memory backs. */
static uint64_t own_memory(const char *statm)
{
    const char *resident = strchr(statm, ' ');
    const char *shared = resident == NULL ? NULL : strchr(resident + 1, ' ');
    if (shared == NULL) {
        return 0;
    }
    uint64_t all = kernel_text_number(resident + 1, 0), backed = kernel_text_number(shared + 1, 0);
    return all > backed ? (all - backed) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

bool procfs_usage(pid_t pid, struct procfs_usage *usage)
{
    char text[1024];
    *usage = (struct procfs_usage){0};
    const char *field = read_file_of(pid, "stat", text, sizeof(text)) ? find_field(text, STAT_FIELD_USER_TIME) : NULL;
    if (field == NULL) {
        return false;
    }
    const char *threads = find_field(text, STAT_FIELD_THREADS);
    usage->threads = threads == NULL ? 1 : kernel_text_number(threads, 1);
    uint64_t ticks = 0;
    for (int i = 0; field != NULL && i < 4; i++) {
        ticks += kernel_text_number(field, 0);
        field = strchr(field, ' ');
        field = field == NULL ? NULL : field + 1;
    }
    usage->cpu_ns = ticks * (uint64_t)(NS_PER_SECOND / sysconf(_SC_CLK_TCK));
    usage->memory = read_file_of(pid, "statm", text, sizeof(text)) ? own_memory(text) : 0;
    return true;
}

uint64_t procfs_start_time(pid_t pid)
{
    uint64_t ticks = 0;
    return stat_field(pid, STAT_FIELD_START_TIME, &ticks) ? ticks : 0;
}

bool procfs_lives_since(pid_t pid, uint64_t start_time)
{
    char text[1024];
    const char *state = read_file_of(pid, "stat", text, sizeof(text)) ? find_field(text, STAT_FIELD_STATE) : NULL;
    const char *began = state == NULL ? NULL : find_field(text, STAT_FIELD_START_TIME);
    return began != NULL && *state != 'Z' && *state != 'X' && kernel_text_number(began, 0) == start_time;
}

bool procfs_is_ending(pid_t pid)
{
    uint64_t flags = 0;
    return stat_field(pid, STAT_FIELD_FLAGS, &flags) && (flags & FLAG_EXITING) != 0;
}

char procfs_state(pid_t pid)
{
    char text[1024];
    const char *state = read_file_of(pid, "stat", text, sizeof(text)) ? find_field(text, STAT_FIELD_STATE) : NULL;
    return state == NULL ? '\0' : *state;
}

bool procfs_kill_pending(pid_t pid)
{
    static const char *const keys[] = {"\nSigPnd:\t", "\nShdPnd:\t"};
    char text[4096];
    bool pending = false;
    if (!read_file_of(pid, "status", text, sizeof(text))) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *line = strstr(text, keys[i]);
        pending |= line != NULL && (strtoull(line + strlen(keys[i]), NULL, 16) >> (SIGKILL - 1) & 1) != 0;
    }
    return pending;
}

bool procfs_writes_to(pid_t pid, const char *path)
{
    struct stat wanted;
    bool same = false;
    if (stat(path, &wanted) != 0) {
        return false;
    }
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && !same; fd++) {
        char link[40];
        struct stat found;
        snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
        same = stat(link, &found) == 0 && found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino;
    }
    return same;
}

void procfs_comm(pid_t pid, char comm[PROCFS_COMM_MAX])
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    if (kernel_file_read(path, comm, PROCFS_COMM_MAX) <= 0) {
        comm[0] = '\0';
    }
    comm[strcspn(comm, "\n")] = '\0';
}

pid_t procfs_pid_of_entry(const char *name)
{
    char *end;
    long pid = *name >= '1' && *name <= '9' ? strtol(name, &end, 10) : 0;
    return pid > 0 && *end == '\0' ? (pid_t)pid : 0;
}

/* Whether the environment (strings ended by NUL, one behind the other) has the mark of this slice; the leaf's name then. */
static const char *find_mark(const char *environment, size_t length, const char *slice)
{
    const size_t key = strlen(PROCFS_MARK), name = strlen(slice);
    for (const char *at = environment; at < environment + length; at += strlen(at) + 1) {
        if (strncmp(at, PROCFS_MARK, key) == 0 && at[key] == '=' && strncmp(at + key + 1, slice, name) == 0 &&
            at[key + 1 + name] == '/') {
            return at + key + name + 2;
        }
    }
    return NULL;
}

/* The leaf's name in the mark of a process, within `environment` (ENVIRON_MAX), or NULL. */
static const char *mark_of(pid_t pid, const char *slice, char *environment)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    ssize_t length = kernel_file_read(path, environment, ENVIRON_MAX);
    return length > 0 ? find_mark(environment, (size_t)length, slice) : NULL;
}

struct procfs_members *procfs_members_find(const char *slice)
{
    struct procfs_members *members = xcalloc(1, sizeof(*members));
    char *environment = xmalloc(ENVIRON_MAX);
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        pid_t pid = procfs_pid_of_entry(entry->d_name);
        const char *leaf = pid > 1 && pid != getpid() ? mark_of(pid, slice, environment) : NULL;
        if (leaf == NULL) {
            continue;
        }
        if (members->count == members->capacity) {
            members->capacity = members->capacity == 0 ? 64 : members->capacity * 2;
            members->list = xrealloc(members->list, members->capacity * sizeof(*members->list));
        }
        struct procfs_member *member = &members->list[members->count++];
        member->pid = pid;
        snprintf(member->leaf, sizeof(member->leaf), "%s", leaf);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    free(environment);
    return members;
}

void procfs_members_free(struct procfs_members *members)
{
    if (members != NULL) {
        free(members->list);
        free(members);
    }
}

bool procfs_is_member(const char *slice, const char *leaf, pid_t pid)
{
    cleanup_free char *environment = xmalloc(ENVIRON_MAX);
    const char *found = mark_of(pid, slice, environment);
    return found != NULL && strcmp(found, leaf) == 0;
}

bool procfs_signal_member(const char *slice, const struct procfs_member *member, int signal)
{
    cleanup_close int pidfd = pidfd_open(member->pid, 0);
    if (pidfd < 0) {
        return errno != ESRCH; /* out of descriptors: the next round may reach it */
    }
    return procfs_is_member(slice, member->leaf, member->pid) && pidfd_send_signal(pidfd, signal, NULL, 0) == 0;
}
