/*
 * What a test tells the preloaded libraries of this folder: a table of faults in a small file, mapped by farmd and by the
 * test (tests/integration/faultlib.py has the same layout), so that a fault is switched on and off while farmd runs. A
 * fault names a call; for calls on files, a pattern of their paths too. Everything here is static: each library maps the
 * file for itself.
 */
#ifndef TESTS_FAULTS_CONTROL_H
#define TESTS_FAULTS_CONTROL_H

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FAULTS_MAX 32
#define FAULT_ALWAYS UINT32_MAX

struct fault {
    _Atomic uint32_t armed; /* set last; the rest is only changed while it is 0 */
    _Atomic uint32_t left;  /* how many calls still fail; FAULT_ALWAYS: all */
    _Atomic uint32_t hits;  /* how many did */
    int32_t error;          /* errno */
    int64_t amount;         /* memory: the least size in bytes that fails; clock: ns that are added */
    char call[24];
    char path[208]; /* fnmatch(3), "*" matches "/" too; "": any */
};
_Static_assert(sizeof(struct fault) == 256, "the layout that faultlib.py knows");

static struct fault *fault_table;

__attribute__((constructor)) static void map_faults(void)
{
    const char *path = getenv("FARMD_FAULTS");
    int fd = path == NULL ? -1 : (int)open(path, O_RDWR | O_CLOEXEC);
    void *memory =
        fd < 0 ? MAP_FAILED : mmap(NULL, FAULTS_MAX * sizeof(struct fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) {
        close(fd);
        fault_table = memory;
    }
}

/* Takes one of the failures that are left. */
static inline bool fault_take(struct fault *fault)
{
    uint32_t left = atomic_load(&fault->left);
    while (left != FAULT_ALWAYS) {
        if (left == 0) {
            return false;
        }
        if (atomic_compare_exchange_weak(&fault->left, &left, left - 1)) {
            break;
        }
    }
    atomic_fetch_add(&fault->hits, 1);
    return true;
}

/* The next fault of this call behind `after` (NULL: the first), NULL when there is none. */
static inline struct fault *fault_find(const char *call, const struct fault *after)
{
    size_t i = after == NULL ? 0 : (size_t)(after - fault_table) + 1;
    for (; fault_table != NULL && i < FAULTS_MAX; i++) {
        if (atomic_load(&fault_table[i].armed) != 0 && strcmp(fault_table[i].call, call) == 0) {
            return &fault_table[i];
        }
    }
    return NULL;
}

#endif
