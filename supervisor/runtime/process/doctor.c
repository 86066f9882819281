/*
 * The findings of `farmd doctor`; see doctor.h.
 */
#include "supervisor/runtime/process/doctor.h"

#include "core/memory.h"
#include "supervisor/runtime/process/descriptors.h"
#include "supervisor/runtime/process/kernel_file.h"
#include "supervisor/runtime/process/port.h"
#include "supervisor/runtime/process/port_holder.h"
#include "supervisor/runtime/process/seccomp.h"
#include "supervisor/runtime/process/slice.h"
#include "supervisor/runtime/process/spawn.h"
#include "supervisor/runtime/runtime.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_PER_SERVER 4
#define PORTS_NAMED 3

struct list {
    struct doctor_finding *findings;
    size_t count;
};

/* Adds a finding and returns it for its texts. */
static struct doctor_finding *add(struct list *list, const char *name, bool ok)
{
    struct doctor_finding *finding = &list->findings[list->count++];
    *finding = (struct doctor_finding){.name = name, .ok = ok};
    return finding;
}

#define SAY(field, ...) snprintf((field), sizeof(field), __VA_ARGS__)

static void controllers(struct list *list, const struct slice *slice)
{
    char have[128] = "", lack[128] = "";
    bool ok = true;
    for (int c = 0; c < CONTROLLER_COUNT; c++) {
        const char *name = controller_name((enum controller)c, slice->version);
        if (name == NULL) {
            continue;
        }
        bool usable = slice->hierarchies[c].usable;
        char *text = usable ? have : lack;
        size_t used = strlen(text);
        snprintf(text + used, sizeof(have) - used, "%s%s", used > 0 ? ", " : "", name);
        ok = ok && usable;
    }
    struct doctor_finding *finding = add(list, "controllers", ok);
    SAY(finding->text, "%s%s%s", have, ok ? "" : "; missing: ", lack);
    if (!ok) {
        SAY(finding->fix,
            "boot with the missing controllers enabled (cgroup_enable=memory where memory is off), or delegate "
            "them to farmd's unit: Delegate=yes");
    }
}

/* The warning is two lines, the second begins with its fix. */
static void limits(struct list *list, const struct slice *slice)
{
    const char *warning = slice->warning;
    size_t line = strcspn(warning, "\n");
    struct doctor_finding *finding = add(list, "limits", *warning == '\0');
    if (*warning == '\0') {
        SAY(finding->text, "enforced by cgroup v%d, below %.250s", slice->version == CGROUP_VERSION_2 ? 2 : 1,
            slice->hierarchies[CONTROLLER_MEMORY].directory);
        return;
    }
    SAY(finding->text, "%.*s", (int)line, warning);
    const char *fix = strstr(warning, "fix: ");
    const char *why = fix == NULL ? NULL : strstr(fix, "     why: "); /* which leads here */
    if (why != NULL) {
        SAY(finding->fix, "%.*s", (int)(why - fix) - 5, fix + 5);
    }
}

static void cgroups(struct list *list, enum enforce_mode enforce)
{
    char name[LEAF_NAME_MAX];
    struct error err = {0};
    struct slice *slice;
    SAY(name, "farmd-doctor-%d", (int)getpid());
    int rc = slice_open(&slice, name, NULL, enforce == ENFORCE_REQUIRED ? ENFORCE_AUTO : enforce, &err);
    if (rc != 0) {
        struct doctor_finding *finding = add(list, "limits", false);
        SAY(finding->text, "%.300s", err.message);
        SAY(finding->fix, "run farmd where cgroups can be written");
        return;
    }
    limits(list, slice);
    if (slice->ops != &slice_none_ops) {
        controllers(list, slice);
    }
    slice_close(slice);
}

static void seccomp_filters(struct list *list)
{
    unsigned action = SECCOMP_RET_ERRNO;
    struct error err = {0};
    struct sock_fprog *filter = NULL;
    bool kernel = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    bool built = kernel && seccomp_filter_build(&filter, &err) == 0;
    struct doctor_finding *finding = add(list, "seccomp", built);
    if (built) {
        SAY(finding->text,
            filter == NULL ? "none in a build with sanitizers" : "farm-worker runs behind a filter of %u instructions",
            filter == NULL ? 0U : filter->len);
    } else {
        SAY(finding->text, "%.300s", kernel ? err.message : "this kernel cannot filter system calls");
        SAY(finding->fix, "use a kernel with CONFIG_SECCOMP_FILTER, and a container runtime that allows seccomp");
    }
    seccomp_filter_free(filter);
}

static void descriptors(struct list *list, unsigned servers)
{
    /* Raised as at a start, since who may raise it how far is found out by trying only; it is doctor's own limit. */
    unsigned long long need = descriptors_needed(servers), limit = descriptors_raise(servers);
    struct doctor_finding *finding = add(list, "descriptors", limit >= need);
    SAY(finding->text, "%u servers need about %llu, farmd may have %llu", servers, need, limit);
    if (limit < need) {
        SAY(finding->fix, "ulimit -Hn %llu as root before, or LimitNOFILE=%llu in the unit", need, need);
    }
}

static unsigned long long number_in(const char *path)
{
    char text[64];
    return kernel_file_read(path, text, sizeof(text)) > 0 ? kernel_text_number(text, UINT64_MAX) : UINT64_MAX;
}

static void processes(struct list *list, unsigned servers)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    getrlimit(RLIMIT_NPROC, &limit);
    unsigned long long need = (unsigned long long)servers * PROCESSES_PER_SERVER + 64;
    unsigned long long of_user = geteuid() == 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
    unsigned long long pid_max = number_in("/proc/sys/kernel/pid_max");
    unsigned long long threads_max = number_in("/proc/sys/kernel/threads-max");
    unsigned long long most = pid_max < threads_max ? pid_max : threads_max;
    most = of_user < most ? of_user : most;
    struct doctor_finding *finding = add(list, "processes", most >= need);
    SAY(finding->text, "%u servers need about %llu processes and threads, %llu are allowed", servers, need, most);
    if (most < need) {
        SAY(finding->fix, of_user == most ? "ulimit -u %llu" : "sysctl kernel.pid_max=%llu kernel.threads-max=%llu",
            need, need);
    }
}

static void host_names(struct list *list)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(unshare(CLONE_NEWUTS) == 0 ? 0 : 1);
    }
    int status = 0;
    bool ok = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    struct doctor_finding *finding = add(list, "host names", ok);
    SAY(finding->text, ok ? "each server has its own (UTS namespaces)" : "servers show this machine's");
    if (!ok) {
        SAY(finding->fix, "start farmd as root for names and users of their own");
    }
}

static void worker(struct list *list)
{
    struct error err = {0};
    int fd = spawn_open_worker(&err);
    struct doctor_finding *finding = add(list, "farm-worker", fd >= 0);
    SAY(finding->text, "%.300s", fd >= 0 ? "found" : err.message);
    if (fd >= 0) {
        close(fd);
    } else {
        SAY(finding->fix, "make, or set FARM_WORKER to its path");
    }
}

static bool is_own(const struct doctor_question *question, uint16_t port)
{
    for (size_t i = 0; i < question->own_port_count; i++) {
        if (question->own_ports[i] == port) {
            return true;
        }
    }
    return question->farmd != 0 && process_port_holder_pid(port) == question->farmd;
}

static void ports(struct list *list, const struct doctor_question *question)
{
    char taken[256] = "";
    size_t count = 0, own = 0;
    for (size_t i = 0; i < question->port_count; i++) {
        if (port_check(question->ports[i], NULL) != -EADDRINUSE) {
            continue;
        }
        if (is_own(question, question->ports[i])) {
            own++;
        } else if (count++ < PORTS_NAMED) {
            char holder[64];
            size_t used = strlen(taken);
            runtime_port_holder(question->ports[i], holder, sizeof(holder));
            snprintf(taken + used, sizeof(taken) - used, "%sport %u is taken by %.64s", used > 0 ? "; " : "",
                     question->ports[i], holder);
        }
    }
    struct doctor_finding *finding = add(list, "ports", count == 0);
    if (count == 0 && own == 0) {
        SAY(finding->text, "all %zu are free", question->port_count);
    } else if (count == 0) {
        SAY(finding->text, "%zu of %zu are held by this farm, which runs (farmd's pid %d)%s", own, question->port_count,
            (int)question->farmd, own < question->port_count ? "; the others are free" : "");
    } else {
        SAY(finding->text, "%s%s (%zu of %zu)", taken, count > PORTS_NAMED ? "; …" : "", count, question->port_count);
        SAY(finding->fix, "stop those programs, or start farmd on others: --base-port, --port");
    }
}

size_t doctor_examine_farmd(const struct doctor_question *question, struct doctor_finding findings[DOCTOR_FINDINGS_MAX],
                            size_t count)
{
    struct list list = {findings, count};
    descriptors(&list, question->servers);
    worker(&list);
    ports(&list, question);
    return list.count;
}

size_t doctor_examine(const struct doctor_question *question, struct doctor_finding findings[DOCTOR_FINDINGS_MAX])
{
    struct list list = {findings, 0};
    cgroups(&list, question->enforce);
    seccomp_filters(&list);
    descriptors(&list, question->servers);
    processes(&list, question->servers);
    host_names(&list);
    worker(&list);
    ports(&list, question);
    return list.count;
}
