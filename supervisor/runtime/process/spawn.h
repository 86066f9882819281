/*
 * Starting a process: born in its cgroup with a pidfd, stripped of everything it should not have, then exec. The parent's
 * part is spawn.c, and spawn_shared.c for a child that does without a copy of farmd's memory. The child's part,
 * spawn_child.c, runs in a copy of farmd with threads missing, or in its memory, so it uses system calls on prepared data
 * only: no allocation, no stdio, no locks.
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

#define SPAWN_OOM_SCORE_ADJUST "300" /* when the machine itself runs out, a server goes before farmd and others */
#define SPAWN_EXIT_FAILED 127        /* the child could not get to its program; the readiness pipe says why */

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
    /* The child may use farmd's memory until its exec. Its preference for the OOM killer is then the caller's to set, when
     * the child has told that it runs. Not for a program that may use all the memory of its cgroup before it has begun:
     * whom the kernel kills for it, it kills with all who share memory with it. */
    bool shares_memory;
};

struct spawn_result {
    pid_t pid;
    int pidfd;
};

/* Starts the child and returns without waiting for its exec. */
int spawn_start(const struct spawn_request *request, struct spawn_result *result, struct error *err);

/* Starts a child in farmd's own memory, in a UTS namespace of its own if asked for: `*pid` is its pid, or -1 with errno.
 * False when that cannot be done, or not now: a copy is to be made. */
bool spawn_shared(const struct spawn_request *request, bool new_namespace, pid_t *pid, int *pidfd);
/* Takes back what children used who have got to their program or ended. Now and then. */
void spawn_shared_settle(void);

/* The path of a program as a shell finds it, through PATH of `envp`. The caller frees. NULL with `err` filled. */
char *spawn_find_program(const char *program, char *const *envp, struct error *err);

/* An O_PATH descriptor of farm-worker, so that it can be executed also where the unprivileged user cannot go. */
int spawn_open_worker(struct error *err);

/* The child's part; never returns. `joined` tells that it was born in its cgroup. */
_Noreturn void spawn_child(const struct spawn_request *request, bool joined, bool has_namespace);

#endif
