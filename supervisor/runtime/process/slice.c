/*
 * Opening a slice (which kind can be had here, and what to tell the person when it is not full enforcement) and what the
 * two cgroup kinds share; see slice.h.
 */
#include "supervisor/runtime/process/slice.h"

#include "core/memory.h"
#include "core/units.h"
#include "supervisor/runtime/process/kernel_file.h"
#include "supervisor/runtime/process/procfs.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPU_ROUNDED 2e-5 /* cores: the kernel counts a quota in microseconds of 100 ms */

void slice_trouble(const struct slice *slice, enum runtime_trouble trouble, const struct error *err)
{
    if (slice->on_trouble != NULL) {
        slice->on_trouble(slice->farm, trouble, err);
    }
}

static void set_warning(struct slice *slice, enum enforce_mode enforce, const char *reason)
{
    if (enforce == ENFORCE_NONE) {
        snprintf(slice->warning, sizeof(slice->warning),
                 "limits are not in force: %s\n"
                 "  fix: leave out --enforce none (in farm.yaml: enforce: none)",
                 reason);
    } else if (geteuid() == 0) {
        snprintf(slice->warning, sizeof(slice->warning),
                 "limits are not in force: %s\n"
                 "  fix: run farmd where cgroups can be written (in a container: --privileged)     why: farmd doctor",
                 reason);
    } else {
        snprintf(slice->warning, sizeof(slice->warning),
                 "limits are not in force: %s\n"
                 "  fix: systemd-run --user --scope -p Delegate=yes ./farmd     why: farmd doctor",
                 reason);
    }
}

/* Some of the controllers that carry limits are missing: say which limits are therefore only wishes. */
static unsigned missing_limits(const struct slice *slice, char *names, size_t size)
{
    static const enum controller carriers[] = {CONTROLLER_CPU, CONTROLLER_MEMORY, CONTROLLER_PIDS};
    unsigned missing = 0;
    names[0] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(carriers); i++) {
        if (!slice->hierarchies[carriers[i]].usable) {
            size_t used = strlen(names);
            snprintf(names + used, size - used, "%s%s", used > 0 ? ", " : "",
                     controller_name(carriers[i], CGROUP_VERSION_2));
            missing++;
        }
    }
    return missing;
}

static int open_kind(struct slice *slice, struct error *err)
{
    cleanup_free char *own = kernel_file_read_all("/proc/self/cgroup", NULL);
    cleanup_free char *mountinfo = kernel_file_read_all("/proc/self/mountinfo", NULL);
    if (own == NULL || mountinfo == NULL) {
        return error_set(err, ENOTSUP, "this kernel has no cgroups");
    }
    int rc = cgroup_library_open(err);
    if (rc != 0) {
        return rc;
    }
    /* v2 when it has memory and cpu; else v1; else what v2 has. The reason told is v1's only where v1 was the nearer one. */
    slice->ops = &slice_v2_ops;
    rc = slice_v2_open(slice, own, mountinfo, false, err);
    if (rc != 0) {
        struct error v1_error = {0}, part_error = {0};
        slice->ops = &slice_v1_ops;
        int v1_rc = slice_v1_open(slice, own, mountinfo, &v1_error);
        if (v1_rc != -ENOTSUP) {
            *err = v1_error;
            rc = v1_rc;
        }
        if (rc != 0 && slice_v2_open(slice, own, mountinfo, true, &part_error) == 0) {
            slice->ops = &slice_v2_ops;
            rc = 0;
        }
    }
    return rc;
}

static int without_enforcement(struct slice *slice, enum enforce_mode enforce, const struct error *reason,
                               struct error *err)
{
    if (enforce == ENFORCE_REQUIRED) {
        return error_set(err, EPERM,
                         "enforcement is required, but limits cannot be put in force here: %s; "
                         "see farmd doctor, or start with --enforce auto",
                         reason->message);
    }
    memset(slice->hierarchies, 0, sizeof(slice->hierarchies));
    slice->ops = &slice_none_ops;
    set_warning(slice, enforce, reason->message);
    return 0;
}

bool slice_earlier_base(const struct slice *slice, const char *mount, char base[CGROUP_PATH_MAX])
{
    size_t length = strlen(mount);
    for (size_t i = 0; slice->earlier != NULL && i < slice->earlier->count; i++) {
        const char *path = slice->earlier->list[i], *last = strrchr(path, '/');
        if (strncmp(path, mount, length) != 0 || path[length] != '/' || strcmp(last + 1, slice->name) != 0 ||
            access(path, W_OK) != 0) {
            continue;
        }
        const char *inside = path + length + 1;
        snprintf(base, CGROUP_PATH_MAX, "%.*s", last > inside ? (int)(last - inside) : 0, inside);
        return true;
    }
    return false;
}

int slice_open(struct slice **result, const char *name, const struct slice_places *earlier, enum enforce_mode enforce,
               struct error *err)
{
    struct slice *slice = xcalloc(1, sizeof(*slice));
    slice->earlier = earlier;
    snprintf(slice->name, sizeof(slice->name), "%s", name);
    slice->required = enforce == ENFORCE_REQUIRED;
    struct error reason = {0};
    int rc =
        enforce == ENFORCE_NONE ? error_set(&reason, EPERM, "the setting enforce is none") : open_kind(slice, &reason);
    char names[64];
    if (rc == 0 && missing_limits(slice, names, sizeof(names)) > 0) {
        if (slice->required) {
            slice_close(slice);
            return error_set(err, EPERM,
                             "enforcement is required, but there is no cgroup controller for: %s; "
                             "see farmd doctor, or start with --enforce auto",
                             names);
        }
        snprintf(slice->warning, sizeof(slice->warning),
                 "limits are not in force for %s: no such cgroup controller here\n"
                 "  fix: enable it on this system     why: farmd doctor",
                 names);
    }
    if (rc != 0) {
        rc = without_enforcement(slice, enforce, &reason, err);
    }
    slice->earlier = NULL;
    if (rc == 0) {
        *result = slice;
        return 0;
    }
    free(slice);
    return rc;
}

void slice_close(struct slice *slice)
{
    if (slice != NULL) {
        slice->ops->close(slice);
        procfs_members_free(slice->members);
        free(slice);
    }
}

int leaf_create(struct slice *slice, const char *name, const struct limits *limits, struct leaf *leaf,
                struct error *err)
{
    *leaf = (struct leaf){.slice = slice, .asked = *limits, .pidfd = -1};
    snprintf(leaf->name, sizeof(leaf->name), "%s", name);
    int rc = slice->ops->apply(leaf, limits, true, err);
    if (rc != 0) {
        slice->ops->remove(leaf);
    }
    return rc;
}

/* Whether what the kernel says of a leaf is what these limits come to, controller by controller. A reservation is read back
 * only where one is asked for, so without one nothing is known. */
static bool limits_hold(struct leaf *leaf, const struct limits *limits)
{
    const struct runtime_limits_in_force *now = leaf_limits(leaf);
    if (now == NULL) {
        return false;
    }
    const struct slice_hierarchy *hierarchies = leaf->slice->hierarchies;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE); /* the kernel rounds down to whole ones */
    bool hold = true;
    if (hierarchies[CONTROLLER_CPU].usable) {
        hold = fabs(now->cpu - limits->cpu) < CPU_ROUNDED && limits->cpu_reservation > 0 &&
               fabs(now->cpu_reservation - limits->cpu_reservation) < CPU_ROUNDED;
    }
    if (hierarchies[CONTROLLER_MEMORY].usable) {
        hold = hold && now->memory / page == limits->memory / page && limits->memory_reservation > 0 &&
               now->memory_reservation / page == limits->memory_reservation / page;
    }
    return hold && (!hierarchies[CONTROLLER_PIDS].usable || now->pids == limits->pids);
}

int leaf_adopt(struct slice *slice, const struct runtime_adoption *adoption, int pidfd, bool ended, struct leaf *leaf,
               struct error *err)
{
    const struct runtime_leftover *leftover = &adoption->leftover;
    *leaf = (struct leaf){
        .slice = slice, .asked = adoption->limits, .unverified = true, .pid = leftover->pid, .pidfd = pidfd};
    snprintf(leaf->name, sizeof(leaf->name), "%s", leftover->name);
    if (ended) {
        return 0;
    }
    int rc = slice->ops->recognise(leaf, leftover, err);
    if (rc == 0 && !limits_hold(leaf, &adoption->limits)) {
        return leaf_set_limits(leaf, &adoption->limits, err);
    }
    if (rc == 0) {
        leaf_reserve(leaf, &adoption->limits);
    }
    leaf->unverified = false;
    return rc;
}

int leaf_set_limits(struct leaf *leaf, const struct limits *limits, struct error *err)
{
    const struct limits before = leaf->asked;
    leaf_limits(leaf); /* what is in force now decides the order of writing */
    int rc = leaf->slice->ops->apply(leaf, limits, false, err);
    leaf->asked = *limits;
    leaf->in_force_known = false;
    if (rc != 0 && !leaf->unverified) {
        leaf_limits(leaf);
        leaf->slice->ops->apply(leaf, &before, false, NULL); /* was in force a moment ago */
        leaf->asked = before;
        leaf->in_force_known = false;
    }
    leaf->unverified = false;
    return rc;
}

const struct runtime_limits_in_force *leaf_limits(struct leaf *leaf)
{
    if (!leaf->in_force_known) {
        leaf->in_force_known = leaf->slice->ops->read_limits(leaf) == 0;
    }
    return leaf->in_force_known ? &leaf->in_force : NULL;
}

void leaf_path(const struct leaf *leaf, enum controller controller, const char *file, char path[CGROUP_PATH_MAX])
{
    int n = snprintf(path, CGROUP_PATH_MAX, "%s/%s%s%s", leaf->slice->hierarchies[controller].directory, leaf->name,
                     *file == '\0' ? "" : "/", file);
    if (n >= CGROUP_PATH_MAX) {
        path[0] = '\0'; /* opens nothing, rather than something else */
    }
}

int leaf_make(struct leaf *leaf, struct error *err)
{
    const struct slice_hierarchy *hierarchies = leaf->slice->hierarchies;
    leaf->is_new = true;
    const char *last = "";
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        char path[CGROUP_PATH_MAX];
        if (!hierarchies[c].usable || strcmp(hierarchies[c].directory, last) == 0) {
            continue; /* in v2 all are one directory, in v1 cpu and cpuacct often are */
        }
        last = hierarchies[c].directory;
        leaf_path(leaf, (enum controller)c, "", path);
        if (mkdir(path, 0755) != 0) {
            if (errno != EEXIST) {
                return error_set_errno(err, errno, "cannot make the cgroup %s", path);
            }
            leaf->is_new = false;
        }
    }
    return 0;
}

int leaf_remove(struct leaf *leaf)
{
    const struct slice_hierarchy *hierarchies = leaf->slice->hierarchies;
    const char *last = "";
    int rc = 0;
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        char path[CGROUP_PATH_MAX];
        if (!hierarchies[c].usable || strcmp(hierarchies[c].directory, last) == 0) {
            continue;
        }
        last = hierarchies[c].directory;
        leaf_path(leaf, (enum controller)c, "", path);
        if (rmdir(path) != 0 && errno != ENOENT && rc == 0) {
            rc = -errno;
        }
    }
    if (rc == 0) {
        leaf_reserve(leaf, NULL);
    }
    return rc;
}

static int write_value(const struct leaf *leaf, bool create, const struct cgroup_value *value, struct error *err)
{
    const struct slice *slice = leaf->slice;
    if (create) {
        char path[CGROUP_PATH_MAX];
        leaf_path(leaf, value->controller, value->file, path);
        int rc = kernel_file_write(path, value->text);
        return rc == 0 ? 0 : error_set_errno(err, -rc, "the kernel refuses it");
    }
    char name[CGROUP_PATH_MAX * 2];
    snprintf(name, sizeof(name), "%s/%s", slice->hierarchies[value->controller].name, leaf->name);
    struct cgroup_place place = {slice->version, CONTROLLER_BIT(value->controller), name};
    return cgroup_place_set(&place, value, err);
}

int leaf_uses_more(const struct leaf *leaf, uint64_t wanted, struct error *err)
{
    const struct leaf_stat_row *row = &leaf->slice->ops->stats[LEAF_STAT_MEMORY];
    char path[CGROUP_PATH_MAX], text[32], used_text[24], wanted_text[24];
    leaf_path(leaf, row->controller, row->file, path);
    if (kernel_file_read(path, text, sizeof(text)) <= 0) {
        return error_set(err, EBUSY, "%s uses more memory than that", leaf->name);
    }
    units_format_size(used_text, kernel_text_number(text, 0));
    units_format_size(wanted_text, wanted);
    return error_set(err, EBUSY, "%s uses %s, more than %s", leaf->name, used_text, wanted_text);
}

/* What may be otherwise at the next try. */
static bool is_want(int code)
{
    return code == ENOMEM || code == EMFILE || code == ENFILE || code == EAGAIN || code == EBUSY || code == ENOSPC;
}

int leaf_write(struct leaf *leaf, bool create, const struct cgroup_value *values, size_t count, struct error *err)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        const struct cgroup_value *value = &values[i];
        struct error reason = {0};
        if (!leaf->slice->hierarchies[value->controller].usable || write_value(leaf, create, value, &reason) == 0) {
            continue;
        }
        if (create && !leaf->slice->required && !is_want(reason.code)) {
            error_set(&reason, reason.code, "%s: %s = %s: %s", leaf->name, value->file, value->text, reason.message);
            slice_trouble(leaf->slice, RUNTIME_TROUBLE_LIMITS, &reason);
            all = false;
        } else if (value->controller == CONTROLLER_MEMORY && reason.code == EBUSY) {
            return leaf_uses_more(leaf, kernel_text_number(value->text, 0), err);
        } else {
            /* A value that is none was refused by farmd's own checks: it does not go with what else is set here. */
            int code = !create && reason.code == EINVAL ? EBUSY : reason.code;
            return error_set(err, code, "%s: %s = %s: %s", leaf->name, value->file, value->text, reason.message);
        }
    }
    if (create && all) {
        slice_trouble(leaf->slice, RUNTIME_TROUBLE_LIMITS, NULL);
    }
    return 0;
}

static uint64_t carried(const struct slice_reserve_row *row, uint64_t sum)
{
    return sum < row->least ? row->least : sum > row->most ? row->most : sum;
}

/* A leaf's reservation counts only up to what its parent has, so the slice carries the sum of its leaves': less would
 * void theirs. A farm that reserves little still weighs as much as any other program. */
void leaf_reserve(struct leaf *leaf, const struct limits *limits)
{
    struct slice *slice = leaf->slice;
    uint64_t figures[RESERVED_COUNT] = {0};
    if (limits != NULL && slice->ops->reserved != NULL) {
        slice->ops->reserved(limits, figures);
    }
    for (int kind = 0; kind < RESERVED_COUNT; kind++) {
        const struct slice_reserve_row *row = &slice->ops->reserves[kind];
        const struct slice_hierarchy *hierarchy = &slice->hierarchies[row->controller];
        uint64_t before = slice->reserved[kind], sum = before - leaf->reserved[kind] + figures[kind];
        slice->reserved[kind] = sum;
        leaf->reserved[kind] = figures[kind];
        if (row->file != NULL && hierarchy->usable &&
            (!slice->carries[kind] || carried(row, sum) != carried(row, before))) {
            slice->carries[kind] = true;
            char path[CGROUP_PATH_MAX * 2], text[32];
            snprintf(path, sizeof(path), "%s/%s", hierarchy->directory, row->file);
            snprintf(text, sizeof(text), "%llu", (unsigned long long)carried(row, sum));
            kernel_file_write(path, text);
        }
    }
}

size_t cgroup_values_changed(struct cgroup_value *values, const struct cgroup_value *before, size_t count)
{
    size_t changed = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(values[i].text, before[i].text) != 0) {
            values[changed++] = values[i];
        }
    }
    return changed;
}

/* Whether the text of /proc/PID/cgroup has this leaf for a controller. */
static bool is_inside(const struct leaf *leaf, enum controller controller, const char *text)
{
    const struct slice_hierarchy *hierarchy = &leaf->slice->hierarchies[controller];
    const char *name = leaf->slice->version == CGROUP_VERSION_1 ? controller_name(controller, CGROUP_VERSION_1) : NULL;
    char path[CGROUP_PATH_MAX], relative[CGROUP_PATH_MAX];
    size_t length = strlen(hierarchy->name);
    return cgroup_paths_own(text, name, path) && cgroup_paths_relative(path, hierarchy->root, relative) &&
           strncmp(relative, hierarchy->name, length) == 0 && relative[length] == '/' &&
           strcmp(relative + length + 1, leaf->name) == 0;
}

/* One file of the process tells all, where the lists of members would be one to read for each hierarchy. */
int cgroup_recognise(const struct leaf *leaf, const struct runtime_leftover *leftover, struct error *err)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)leftover->pid);
    cleanup_free char *text = kernel_file_read_all(path, NULL);
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        if (leaf->slice->hierarchies[c].usable && (text == NULL || !is_inside(leaf, (enum controller)c, text))) {
            return error_set(err, ESTALE, "%s (pid %d) is not in its cgroup below %s", leaf->name, (int)leftover->pid,
                             leaf->slice->hierarchies[c].directory);
        }
    }
    return 0;
}

int cgroup_kill_listed(const char *directory)
{
    char path[CGROUP_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/cgroup.procs", directory);
    cleanup_free char *text = kernel_file_read_all(path, NULL);
    if (text == NULL) {
        return errno == ENOENT || errno == ENODEV ? 0 : -errno;
    }
    int listed = 0;
    for (char *line = text; *line != '\0';) {
        char *end;
        long pid = strtol(line, &end, 10);
        /* 0 stands for a process of another pid namespace, and must never reach kill(): it would be our own group. */
        if (pid > 1 && pid != getpid()) {
            kill((pid_t)pid, SIGKILL);
            listed++;
        }
        line = *end == '\n' ? end + 1 : strchrnul(end, '\n');
    }
    return listed;
}

int cgroup_value_set(struct cgroup_value *value, enum controller controller, const char *file, const char *fmt, ...)
{
    va_list arguments;
    va_start(arguments, fmt);
    value->controller = controller;
    value->file = file;
    int n = vsnprintf(value->text, sizeof(value->text), fmt, arguments);
    va_end(arguments);
    return n < (int)sizeof(value->text) ? 0 : -ERANGE;
}
