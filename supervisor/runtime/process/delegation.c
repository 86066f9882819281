/*
 * Delegation in cgroup v2; see delegation.h.
 */
#include "supervisor/runtime/process/delegation.h"

#include "core/memory.h"
#include "supervisor/runtime/process/kernel_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NEEDED (CONTROLLER_BIT(CONTROLLER_CPU) | CONTROLLER_BIT(CONTROLLER_MEMORY))
#define PATH_SIZE (CGROUP_PATH_MAX * 3)

/* A cgroup that could hold the slice. */
struct candidate {
    char path[CGROUP_PATH_MAX]; /* relative to the mount, "" for the mount itself */
    bool is_own;                /* farmd sits in it */
    bool is_delegated;          /* and it is ours altogether: others in it may be moved as well */
    bool is_left;               /* it sits in the leaf there already: an earlier farmd made it, and was killed */
};

unsigned delegation_parse_controllers(const char *text)
{
    unsigned mask = 0;
    while (*text != '\0') {
        text += strspn(text, " \n");
        size_t length = strcspn(text, " \n");
        for (int c = 0; c < CONTROLLER_COUNT; c++) {
            const char *name = controller_name((enum controller)c, CGROUP_VERSION_2);
            if (name != NULL && strlen(name) == length && strncmp(text, name, length) == 0) {
                mask |= CONTROLLER_BIT(c);
            }
        }
        text += length;
    }
    return mask;
}

bool delegation_strip_leaf(char *own, const char *slice)
{
    char tail[LEAF_NAME_MAX + 16];
    int n = snprintf(tail, sizeof(tail), "%s/" DELEGATION_LEAF, slice);
    size_t length = strlen(own);
    if (n > 0 && length >= (size_t)n && strcmp(own + length - (size_t)n, tail) == 0) {
        length -= (size_t)n;
        if (length == 0 || own[length - 1] == '/') {
            own[length > 0 ? length - 1 : 0] = '\0';
            return true;
        }
    }
    return false;
}

static unsigned controllers_in(const char *directory, const char *file)
{
    char path[PATH_SIZE], text[512];
    snprintf(path, sizeof(path), "%s/%s", directory, file);
    return kernel_file_read(path, text, sizeof(text)) < 0 ? 0 : delegation_parse_controllers(text);
}

/* systemd marks what it delegates; root's own mark is the trusted one. */
static bool is_delegated(const char *directory)
{
    static const char *const marks[] = {"user.delegate", "trusted.delegate"};
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        char value[8];
        ssize_t n = getxattr(directory, marks[i], value, sizeof(value));
        if (n > 0 && value[0] == '1') {
            return true;
        }
    }
    return false;
}

/* Switches controllers on or off for the children of a directory, one by one: one that is refused must not take the
 * others with it. Returns those that could not be. */
static unsigned switch_controllers(const char *directory, unsigned mask, char sign)
{
    char path[PATH_SIZE], text[32];
    unsigned refused = 0;
    snprintf(path, sizeof(path), "%s/cgroup.subtree_control", directory);
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        if ((mask & CONTROLLER_BIT(c)) != 0) {
            snprintf(text, sizeof(text), "%c%s", sign, controller_name((enum controller)c, CGROUP_VERSION_2));
            if (kernel_file_write(path, text) != 0) {
                refused |= CONTROLLER_BIT(c);
            }
        }
    }
    return refused;
}

/* Moves every process of one cgroup to another; farmd alone when `only_self`. */
static int move_processes(const char *from, const char *to, bool only_self)
{
    char path[PATH_SIZE], text[32];
    snprintf(path, sizeof(path), "%s/cgroup.procs", to);
    if (only_self) {
        snprintf(text, sizeof(text), "%d", (int)getpid());
        return kernel_file_write(path, text);
    }
    char source[PATH_SIZE];
    snprintf(source, sizeof(source), "%s/cgroup.procs", from);
    cleanup_free char *pids = kernel_file_read_all(source, NULL);
    int rc = pids == NULL ? -errno : 0;
    char *rest = pids;
    for (char *line; rc == 0 && (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        rc = kernel_file_write(path, line);
        rc = rc == -ESRCH ? 0 : rc; /* it ended meanwhile */
    }
    return rc;
}

static int make_cgroup(const char *path)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

/* Whether processes of a cgroup keep it from passing controllers on. They never do in the root of the whole tree, which
 * is the one cgroup without a type. */
static bool is_occupied(const char *directory)
{
    char path[PATH_SIZE], text[16];
    snprintf(path, sizeof(path), "%s/cgroup.type", directory);
    if (access(path, F_OK) != 0) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
    return kernel_file_read(path, text, sizeof(text)) != 0;
}

/* Controllers for the slice, from its base and for its leaves. farmd leaves the base when it is in the way, before any
 * controller is switched on: the kernel would accept cpu and pids in spite of processes inside, and by that make the
 * base a root of threads, whose children can hold no process at all. */
static unsigned enable(struct slice *slice, const struct candidate *candidate, unsigned wanted)
{
    const char *directory = slice->hierarchies[CONTROLLER_CPU].directory;
    char leaf[PATH_SIZE];
    snprintf(leaf, sizeof(leaf), "%s/" DELEGATION_LEAF, directory);
    unsigned missing = wanted & ~controllers_in(slice->base, "cgroup.subtree_control");
    if (missing != 0 && candidate->is_own && is_occupied(slice->base) && make_cgroup(leaf) == 0) {
        slice->moved = true; /* some of them at least */
        move_processes(slice->base, leaf, !candidate->is_delegated);
    }
    /* What is on was switched on by the farmd that left: with a process in the base nobody else could. */
    bool was_moved = candidate->is_own && candidate->is_left;
    unsigned refused = missing;
    if (missing != 0 && !is_occupied(slice->base)) {
        refused = switch_controllers(slice->base, missing, '+');
    }
    slice->moved |= was_moved;
    slice->enabled = was_moved ? wanted & ~refused : missing & ~refused;
    unsigned usable = wanted & ~refused;
    return usable & ~switch_controllers(directory, usable, '+');
}

/* Whether a server is still there. */
static bool has_leaves(const char *directory)
{
    bool found = false;
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir != NULL && !found && (entry = readdir(dir)) != NULL;) {
        found = entry->d_type == DT_DIR && entry->d_name[0] != '.' && strcmp(entry->d_name, DELEGATION_LEAF) != 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

void delegation_close(struct slice *slice)
{
    const char *directory = slice->hierarchies[CONTROLLER_CPU].directory;
    if (has_leaves(directory)) {
        return; /* their limits stay in force: the next farmd finds them */
    }
    char leaf[PATH_SIZE];
    snprintf(leaf, sizeof(leaf), "%s/" DELEGATION_LEAF, directory);
    if (slice->moved) {
        switch_controllers(directory, controllers_in(directory, "cgroup.subtree_control"), '-');
        switch_controllers(slice->base, slice->enabled, '-');
        if (move_processes(leaf, slice->base, false) == 0) {
            rmdir(leaf);
        }
        slice->moved = false;
    } else {
        rmdir(leaf); /* of the farmd that made the slice, when this one came from elsewhere */
    }
    rmdir(directory);
}

/* Whether these controllers are worth a slice: cpu and memory, or when a part will do, one of them. */
static bool suffice(unsigned controllers, bool part)
{
    return part ? (controllers & NEEDED) != 0 : (controllers & NEEDED) == NEEDED;
}

static int try_candidate(struct slice *slice, const char *mount, const struct candidate *candidate, bool part,
                         struct error *err)
{
    char base[CGROUP_PATH_MAX], name[CGROUP_PATH_MAX], directory[CGROUP_PATH_MAX];
    const char *slash = candidate->path[0] == '\0' ? "" : "/";
    const size_t size = CGROUP_PATH_MAX - LEAF_NAME_MAX; /* a leaf's name still fits behind */
    if ((size_t)snprintf(base, sizeof(base), "%s%s%s", mount, slash, candidate->path) >= size ||
        (size_t)snprintf(name, size, "%s%s%s", candidate->path, slash, slice->name) >= size ||
        (size_t)snprintf(directory, size, "%s/%s", base, slice->name) >= size) {
        return error_set(err, ENAMETOOLONG, "the path of its cgroup is too long");
    }
    unsigned wanted = controllers_in(base, "cgroup.controllers");
    if (!suffice(wanted, part)) {
        return error_set(err, ENOTSUP, "the cgroup %s has no cpu and memory controllers", base);
    }
    int rc = make_cgroup(directory);
    if (rc != 0) {
        return error_set_errno(
            err, -rc, "%s", geteuid() == 0 ? "its cgroups cannot be written here" : "this user may not create cgroups");
    }
    slice->version = CGROUP_VERSION_2;
    memcpy(slice->base, base, sizeof(slice->base));
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        memcpy(slice->hierarchies[c].name, name, sizeof(name));
        memcpy(slice->hierarchies[c].directory, directory, sizeof(directory));
    }
    unsigned usable = enable(slice, candidate, wanted);
    if (!suffice(usable, part)) {
        delegation_close(slice);
        return error_set(err, EPERM, "the cpu and memory controllers of %s cannot be passed on", base);
    }
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        slice->hierarchies[c].usable = (usable & CONTROLLER_BIT(c)) != 0;
    }
    return 0;
}

/* A delegated cgroup is the place for everyone. Otherwise root goes below the root of the tree; a user into farmd's own
 * cgroup when it is theirs and farmd is alone in it, or beside it. */
static size_t list_candidates(const char *mount, const char *own, bool is_left, struct candidate list[3])
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", mount, own);
    size_t n = 0;
    memset(list, 0, 3 * sizeof(*list));
    if (is_delegated(path)) {
        list[n].is_own = list[n].is_delegated = true;
        list[n].is_left = is_left;
        snprintf(list[n++].path, CGROUP_PATH_MAX, "%s", own);
    }
    if (geteuid() == 0) {
        list[n++].is_own = *own == '\0';
        return n;
    }
    if (n == 0 && access(path, W_OK) == 0) {
        list[n].is_own = true;
        list[n].is_left = is_left;
        snprintf(list[n++].path, CGROUP_PATH_MAX, "%s", own);
    }
    const char *slash = strrchr(own, '/');
    snprintf(list[n++].path, CGROUP_PATH_MAX, "%.*s", slash == NULL ? 0 : (int)(slash - own), own);
    return n;
}

static bool is_listed(const struct candidate *list, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* How much of two cgroup paths is the nearest cgroup that both are in. */
static size_t common_length(const char *a, const char *b)
{
    size_t common = 0;
    for (size_t i = 0;; i++) {
        if ((a[i] == '/' || a[i] == '\0') && (b[i] == '/' || b[i] == '\0')) {
            common = i;
        }
        if (a[i] != b[i] || a[i] == '\0') {
            return common;
        }
    }
}

/* Whether a process may go from one cgroup to another: that takes the right to write to the nearest common one. */
static bool may_move(const char *mount, const char *from, const char *to)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%.*s/cgroup.procs", mount, (int)common_length(from, to), from);
    return access(path, W_OK) == 0;
}

int slice_v2_open(struct slice *slice, const char *own_cgroups, const char *mountinfo, bool part, struct error *err)
{
    char mount[CGROUP_PATH_MAX], root[CGROUP_PATH_MAX], own[CGROUP_PATH_MAX], relative[CGROUP_PATH_MAX];
    char library_mount[CGROUP_PATH_MAX];
    if (!cgroup_paths_mount(mountinfo, NULL, mount, root) || !cgroup_paths_own(own_cgroups, NULL, own) ||
        !cgroup_paths_relative(own, root, relative)) {
        return error_set(err, ENOTSUP, "cgroup v2 is not mounted");
    }
    if (cgroup_mount_point(CONTROLLER_MEMORY, CGROUP_VERSION_2, library_mount, sizeof(library_mount)) != 0 ||
        strcmp(library_mount, mount) != 0) {
        return error_set(err, ENOTSUP, "this system has no cgroup controllers for cpu and memory");
    }
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        memcpy(slice->hierarchies[c].root, root, sizeof(root));
    }
    char own_relative[CGROUP_PATH_MAX];
    memcpy(own_relative, relative, sizeof(relative));
    bool is_left = delegation_strip_leaf(relative, slice->name);
    struct candidate list[3], earlier = {0};
    size_t count = list_candidates(mount, relative, is_left, list);
    int rc = -ENOTSUP;
    if (slice_earlier_base(slice, mount, earlier.path) && !is_listed(list, count, earlier.path) &&
        may_move(mount, own_relative, earlier.path)) {
        rc = try_candidate(slice, mount, &earlier, part, err);
    }
    for (size_t i = 0; i < count && rc != 0; i++) {
        rc = try_candidate(slice, mount, &list[i], part, err);
    }
    return rc;
}
