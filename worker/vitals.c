/*
 * The kernel's files are read with pread into a buffer on the stack; a file that isn't there reads as "no limit".
 */
#include "worker/vitals.h"

#include "core/clock.h"
#include "core/memory.h"
#include "worker/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STAT_TEXT_MAX 4096 /* memory.stat of v2 has about 2 KB */
#define DISK_PATH "/"

enum vitals_file {
    FILE_CPU_LIMIT,  /* v2 cpu.max; v1 cpu.cfs_quota_us */
    FILE_CPU_PERIOD, /* v1 only */
    FILE_CPU_USAGE,
    FILE_MEMORY_LIMIT,
    FILE_MEMORY_USAGE,
    FILE_MEMORY_STAT,
    FILE_COUNT
};

/* Which file of which controller's directory, by cgroup version. */
static const struct {
    const char *controller;
    const char *v1;
    const char *v2;
} FILES[FILE_COUNT] = {
    [FILE_CPU_LIMIT] = {"cpu", "cpu.cfs_quota_us", "cpu.max"},
    [FILE_CPU_PERIOD] = {"cpu", "cpu.cfs_period_us", NULL},
    [FILE_CPU_USAGE] = {"cpuacct", "cpuacct.usage", "cpu.stat"},
    [FILE_MEMORY_LIMIT] = {"memory", "memory.limit_in_bytes", "memory.max"},
    [FILE_MEMORY_USAGE] = {"memory", "memory.usage_in_bytes", "memory.current"},
    [FILE_MEMORY_STAT] = {"memory", "memory.stat", "memory.stat"},
};

/* There is one set for the process. */
static struct {
    bool located;
    int version[FILE_COUNT];
    int fd[FILE_COUNT];
    unsigned cpu_count;
    uint64_t memory_total;
} own;

/* --- parsing --- */

bool vitals_parse_bytes(const char *text, uint64_t *bytes)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || (*end != '\n' && *end != '\0'))
        return false;
    *bytes = value;
    return true;
}

bool vitals_parse_cpu_max(const char *text, double *cores)
{
    char *end;

    if (text[0] < '0' || text[0] > '9') /* "max", and v1's -1 */
        return false;
    unsigned long long quota = strtoull(text, &end, 10);
    unsigned long long period = strtoull(end, NULL, 10);
    if (quota == 0 || period == 0)
        return false;
    *cores = (double)quota / (double)period;
    return true;
}

bool vitals_parse_stat(const char *text, const char *key, uint64_t *value)
{
    size_t length = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) != 0 || (line[length] != ' ' && line[length] != ':'))
            continue;
        const char *number = line + length + 1;
        number += strspn(number, " \t");
        if (*number < '0' || *number > '9')
            return false;
        *value = strtoull(number, NULL, 10);
        return true;
    }
    return false;
}

bool vitals_parse_busy_ticks(const char *text, uint64_t *ticks)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, TICK_FIELDS };
    uint64_t busy = 0;

    if (strncmp(text, "cpu ", 4) != 0)
        return false;
    char *field = (char *)text + 4;
    for (int i = USER; i < TICK_FIELDS; i++) {
        char *end;
        uint64_t value = strtoull(field, &end, 10);
        if (end == field)
            return false;
        if (i != IDLE && i != IOWAIT)
            busy += value;
        field = end;
    }
    *ticks = busy;
    return true;
}

/* --- reading --- */

/* The file's text with a NUL; false when it can't be read. */
static bool read_text(int fd, char *text, size_t size)
{
    ssize_t length = fd < 0 ? -1 : pread(fd, text, size - 1, 0);

    if (length < 0)
        return false;
    text[length] = '\0';
    return true;
}

static bool read_path(const char *path, char *text, size_t size)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    return read_text(fd, text, size);
}

static bool read_own_bytes(enum vitals_file file, uint64_t *bytes)
{
    char text[64];

    return read_text(own.fd[file], text, sizeof(text)) && vitals_parse_bytes(text, bytes);
}

/* A v1 controller may be compiled out or mounted elsewhere while v2 has none: then the file is missing, no limit. */
static void open_own_files(void)
{
    struct cgroup_place place = {0};
    const char *controller = "";
    bool located = false;
    char path[CGROUP_PATH_MAX + 64];

    for (int i = 0; i < FILE_COUNT; i++) {
        if (strcmp(controller, FILES[i].controller) != 0) {
            controller = FILES[i].controller;
            located = cgroup_locate(&place, controller);
        }
        own.fd[i] = -1;
        const char *name = !located ? NULL : place.version == 1 ? FILES[i].v1 : FILES[i].v2;
        if (!name)
            continue;
        snprintf(path, sizeof(path), "%s/%s", place.directory, name);
        own.fd[i] = open(path, O_RDONLY | O_CLOEXEC);
        own.version[i] = place.version;
    }
}

static bool read_meminfo(uint64_t *total, uint64_t *available)
{
    char text[STAT_TEXT_MAX];

    if (!read_path("/proc/meminfo", text, sizeof(text)) || !vitals_parse_stat(text, "MemTotal", total) ||
        !vitals_parse_stat(text, "MemAvailable", available))
        return false;
    *total *= 1024;
    *available *= 1024;
    return true;
}

static void locate(void)
{
    uint64_t available;

    if (own.located)
        return;
    own.located = true;
    open_own_files();
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    own.cpu_count = count > 0 ? (unsigned)count : 1;
    if (!read_meminfo(&own.memory_total, &available))
        own.memory_total = UINT64_MAX;
}

unsigned vitals_cpu_count(void)
{
    locate();
    return own.cpu_count;
}

static bool read_own_cpu_limit(double *cores)
{
    char text[64];

    if (!read_text(own.fd[FILE_CPU_LIMIT], text, sizeof(text)))
        return false;
    if (own.version[FILE_CPU_LIMIT] == 1) { /* the quota and the period make the line that v2 has */
        char *end = text + strcspn(text, "\n");
        *end = ' ';
        if (!read_text(own.fd[FILE_CPU_PERIOD], end + 1, sizeof(text) - (size_t)(end + 1 - text)))
            return false;
    }
    return vitals_parse_cpu_max(text, cores);
}

static bool read_own_cpu_usage(uint64_t *used_ns)
{
    char text[STAT_TEXT_MAX];
    uint64_t usec;

    if (own.version[FILE_CPU_USAGE] == 1)
        return read_own_bytes(FILE_CPU_USAGE, used_ns);
    if (!read_text(own.fd[FILE_CPU_USAGE], text, sizeof(text)) || !vitals_parse_stat(text, "usage_usec", &usec))
        return false;
    *used_ns = usec * 1000;
    return true;
}

struct vitals_cpu vitals_cpu(void)
{
    struct vitals_cpu cpu = {.limited = true};
    char text[512];
    uint64_t ticks;

    locate();
    if (read_own_cpu_limit(&cpu.cores) && cpu.cores < own.cpu_count && read_own_cpu_usage(&cpu.used_ns))
        return cpu;
    cpu = (struct vitals_cpu){.cores = own.cpu_count};
    if (read_path("/proc/stat", text, sizeof(text)) && vitals_parse_busy_ticks(text, &ticks))
        cpu.used_ns = ticks * (uint64_t)(NS_PER_SECOND / sysconf(_SC_CLK_TCK));
    return cpu;
}

/* What the group uses, without the file cache that the kernel can drop at once (as docker counts). */
static bool read_own_memory(uint64_t *limit, uint64_t *used)
{
    char text[STAT_TEXT_MAX];
    uint64_t inactive;
    const char *key = own.version[FILE_MEMORY_STAT] == 1 ? "total_inactive_file" : "inactive_file";

    if (!read_own_bytes(FILE_MEMORY_LIMIT, limit) || *limit == 0 || *limit >= own.memory_total ||
        !read_own_bytes(FILE_MEMORY_USAGE, used))
        return false;
    if (read_text(own.fd[FILE_MEMORY_STAT], text, sizeof(text)) && vitals_parse_stat(text, key, &inactive))
        *used -= inactive < *used ? inactive : *used;
    return true;
}

struct vitals_memory vitals_memory(void)
{
    struct vitals_memory memory = {0};

    locate();
    if (read_own_memory(&memory.total, &memory.used)) {
        memory.available = memory.used < memory.total ? memory.total - memory.used : 0;
    } else if (read_meminfo(&memory.total, &memory.available)) {
        memory.used = memory.total - memory.available;
    }
    if (memory.total > 0)
        memory.percent = 100.0 * (double)memory.used / (double)memory.total;
    return memory;
}

struct vitals_disk vitals_disk(void)
{
    struct vitals_disk disk = {0};
    struct statvfs fs;

    if (statvfs(DISK_PATH, &fs) < 0)
        return disk;
    disk.total = (uint64_t)fs.f_blocks * fs.f_frsize;
    disk.free = (uint64_t)fs.f_bavail * fs.f_frsize;
    disk.used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
    if (disk.used + disk.free > 0)
        disk.percent = 100.0 * (double)disk.used / (double)(disk.used + disk.free);
    return disk;
}
