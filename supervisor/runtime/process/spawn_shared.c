/*
 * Children that use farmd's memory until their exec, as those of vfork do, but while farmd goes on: a copy of farmd costs
 * more than all that the child does in it. What such a child reads is put aside for it (struct birth), and taken back when
 * the kernel says that the child has left this memory. It writes to nothing but its own stack.
 */
#include "supervisor/runtime/process/spawn.h"

#include "core/memory.h"
#include "supervisor/runtime/process/system_call.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define BIRTHS_MAX 64 /* at a time: children may be slow, or frozen with their cgroup; the next ones get a copy then */
#define STACK_SIZE (32 * 1024)
#define TEXT_MAX (8 * 1024) /* arguments and environment with their pointers; more gets a copy */

struct birth {
    pid_t tid; /* 0, by the kernel, when the child has left */
    struct birth *next;
    bool has_namespace;
    struct spawn_request request;
    struct leaf_entry entry;
    char host_name[LEAF_NAME_MAX];
    _Alignas(char *) char text[TEXT_MAX];
    _Alignas(16) char stack[STACK_SIZE];
};

static struct birth *under_way, *idle;
static unsigned births; /* in both lists */
static bool was_dumpable;

/* The kernel takes it from the memory when a child gives its privileges up, and it is farmd's. */
static void note_dumpable(void)
{
    if (under_way == NULL) {
        was_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    }
}

static void restore_dumpable(void)
{
    if (was_dumpable) {
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
}

static bool has_left(const struct birth *birth)
{
    return __atomic_load_n(&birth->tid, __ATOMIC_ACQUIRE) == 0;
}

void spawn_shared_settle(void)
{
    for (struct birth **link = &under_way; *link != NULL;) {
        struct birth *birth = *link;
        if (!has_left(birth)) {
            link = &birth->next;
            continue;
        }
        *link = birth->next;
        birth->next = idle;
        idle = birth;
    }
    if (under_way != NULL || idle == NULL) {
        return;
    }
    restore_dumpable();
    while (idle != NULL) { /* nothing is kept when the rush is over */
        struct birth *birth = idle;
        idle = birth->next;
        free(birth);
        births--;
    }
}

static struct birth *take_birth(void)
{
    struct birth *birth = idle;
    if (birth != NULL) {
        idle = birth->next;
    } else if (births < BIRTHS_MAX) {
        birth = xmalloc(sizeof(*birth));
        births++;
    }
    return birth;
}

/* Copies a list of strings to `*at`, which moves on. NULL when there is no room for it. */
static char **copy_list(char *const *list, char **at, const char *end)
{
    size_t count = 0;
    while (list[count] != NULL) {
        count++;
    }
    if ((size_t)(end - *at) < (count + 1) * sizeof(char *)) {
        return NULL;
    }
    char **copy = (char **)(void *)*at;
    char *text = *at + (count + 1) * sizeof(char *);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(list[i]) + 1;
        if ((size_t)(end - text) < size) {
            return NULL;
        }
        copy[i] = memcpy(text, list[i], size);
        text += size;
    }
    copy[count] = NULL;
    *at = text;
    return copy;
}

/* False when there is no room for it. The filter is the runtime's, which outlives its children. */
static bool put_aside(struct birth *birth, const struct spawn_request *request)
{
    char *at = birth->text;
    const char *end = birth->text + sizeof(birth->text);
    birth->request = *request;
    birth->entry = *request->entry;
    birth->request.entry = &birth->entry;
    birth->request.envp = copy_list(request->envp, &at, end);
    at += (sizeof(char *) - (uintptr_t)at % sizeof(char *)) % sizeof(char *);
    birth->request.argv = birth->request.envp == NULL || at > end ? NULL : copy_list(request->argv, &at, end);
    if (request->host_name != NULL) {
        size_t length = strlen(request->host_name);
        if (length >= sizeof(birth->host_name)) {
            return false;
        }
        birth->request.host_name = memcpy(birth->host_name, request->host_name, length + 1);
    }
    return birth->request.argv != NULL;
}

/* AddressSanitizer does not know this stack, and would say so on the way into a function that does not return. */
__attribute__((no_sanitize("address"))) static int run(void *data)
{
    const struct birth *birth = data;
    spawn_child(&birth->request, false, birth->has_namespace);
}

/* Into a cgroup of v2 only clone3 leads, for which the C library has no function that takes a stack. */
static bool can_share(const struct spawn_request *request)
{
    return SYSTEM_CALL_SPARES_ERRNO && request->shares_memory && request->path == NULL && request->entry->cgroup_fd < 0;
}

bool spawn_shared(const struct spawn_request *request, bool new_namespace, pid_t *pid, int *pidfd)
{
    spawn_shared_settle();
    struct birth *birth = can_share(request) ? take_birth() : NULL;
    if (birth == NULL) {
        return false;
    }
    pid_t child = -1;
    bool tried = put_aside(birth, request);
    if (tried) {
        note_dumpable();
        birth->has_namespace = new_namespace;
        birth->tid = 1;
        int flags = CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID | (new_namespace ? CLONE_NEWUTS : 0) | SIGCHLD;
        child = clone(run, birth->stack + STACK_SIZE, flags, birth, pidfd, NULL, &birth->tid);
    }
    struct birth **list = child > 0 ? &under_way : &idle;
    birth->next = *list;
    *list = birth;
    *pid = child;
    return tried && (child > 0 || (errno != ENOSYS && errno != EINVAL));
}
