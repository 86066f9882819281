/*
 * Starting a process: born in its cgroup with a pidfd (clone3), stripped of everything it should not have, then exec.
 * The parent's part is spawn.c. The child's part, spawn_child.c, runs in a copy of farmd with threads missing, so it uses
 * system calls on prepared data only: no allocation, no stdio, no locks.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_SPAWN_H
#define SUPERVISOR_RUNTIME_PROCESS_SPAWN_H

#include "core/error.h"
#include "supervisor/runtime/process/identity.h"
#include "supervisor/runtime/process/slice.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

/* The descriptors that a server is started with, beside stdin and the log on 1 and 2. */
enum spawn_fd { SPAWN_FD_READY = 3, SPAWN_FD_COUNTERS = 4, SPAWN_FD_EXECUTABLE = 5, SPAWN_FD_END = 6 };

#define SPAWN_EXIT_FAILED 127 /* the child could not get to its program; the readiness pipe says why */

/* Everything is prepared before the clone. Descriptors are farmd's numbers; -1 for none. */
struct spawn_request {
    const char *host_name; /* in a UTS namespace of its own; NULL: shares farmd's */
    const char *path;      /* of the program; NULL: the executable descriptor is executed */
    char *const *argv;
    char *const *envp;
    int log_fd;
    int ready_fd; /* write end; the child also tells through it what failed before exec */
    int counters_fd;
    int executable_fd;
    struct identity identity;
    const struct sock_fprog *filter; /* seccomp; NULL: none */
    const struct leaf_entry *entry;
};

struct spawn_result {
    pid_t pid;
    int pidfd;
};

/* Starts the child and returns without waiting for its exec. */
int spawn_start(const struct spawn_request *request, struct spawn_result *result, struct error *err);

/* The path of a program as a shell finds it, through PATH of `envp`. The caller frees. NULL with `err` filled. */
char *spawn_find_program(const char *program, char *const *envp, struct error *err);

/* An O_PATH descriptor of farm-worker, so that it can be executed also where the unprivileged user cannot go. */
int spawn_open_worker(struct error *err);

/* The child's part; never returns. `joined` tells that it was born in its cgroup. */
_Noreturn void spawn_child(const struct spawn_request *request, bool joined, bool has_namespace);

#endif
