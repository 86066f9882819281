/*
 * Other processes as /proc shows them: when one started, what it is called, and which processes carry farmd's mark in
 * their environment. The mark is how the members of a server are found where there is no cgroup to ask.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_PROCFS_H
#define SUPERVISOR_RUNTIME_PROCESS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCFS_MARK "FARMD_SERVER" /* FARMD_SERVER=farmd-8000/server-7 */
#define PROCFS_COMM_MAX 17

uint64_t procfs_start_time(pid_t pid); /* ticks since boot, 0 when it cannot be had */
/* Whether it lives (a zombie does not) and began at that time. */
bool procfs_lives_since(pid_t pid, uint64_t start_time);
/* Whether it is on its way out: it has no environment then, and on v1 no cgroup of its own any more. */
bool procfs_is_ending(pid_t pid);
char procfs_state(pid_t pid);        /* 'R', 'T', … of proc(5); '\0' when it cannot be had */
bool procfs_kill_pending(pid_t pid); /* a SIGKILL that it could not take yet: it is frozen by a v1 cgroup */
/* Whether its output goes to this file. Tells whose it is where a program has overwritten its environment. */
bool procfs_writes_to(pid_t pid, const char *path);
void procfs_comm(pid_t pid, char comm[PROCFS_COMM_MAX]); /* "" when it cannot be had */

/* What a process has used so far and uses now. CPU time includes its children that have ended and been waited for. */
struct procfs_usage {
    uint64_t cpu_ns;
    uint64_t memory; /* resident bytes that no file backs: what is its own */
    uint64_t threads;
};
bool procfs_usage(pid_t pid, struct procfs_usage *usage); /* false when it is gone */

/* The name of a /proc entry as a pid, 0 when it is none. */
pid_t procfs_pid_of_entry(const char *name);

/* The processes with the mark of one slice, farmd itself excepted. */
struct procfs_member {
    pid_t pid;
    char leaf[64]; /* "server-7" */
};

struct procfs_members {
    size_t count, capacity;
    struct procfs_member *list;
};

/* Looks through all of /proc: some 15 µs a process. */
struct procfs_members *procfs_members_find(const char *slice);
void procfs_members_free(struct procfs_members *members); /* NULL is fine */

/* Sends a signal to a member that still carries the mark of its slice: its number may be another process's since it was
 * found. False when it is gone, or is another. */
bool procfs_signal_member(const char *slice, const struct procfs_member *member, int signal);

/* Whether a process carries the mark of this leaf. */
bool procfs_is_member(const char *slice, const char *leaf, pid_t pid);

#endif
