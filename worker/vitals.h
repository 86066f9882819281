/*
 * How this process is doing, by its own control group where that has a limit, else by the machine's figures: CPU,
 * memory, disk. The files are found at the first question, not at start, and stay open from then on.
 */
#ifndef WORKER_VITALS_H
#define WORKER_VITALS_H

#include <stdbool.h>
#include <stdint.h>

/* CPU time used so far and how much there is. Two readings make a percentage if both are of the same kind. */
struct vitals_cpu {
    bool limited; /* of the own group; false: of the machine */
    double cores; /* the limit, or the machine's processors */
    uint64_t used_ns;
};

struct vitals_memory {
    uint64_t total;
    uint64_t used;
    uint64_t available;
    double percent;
};

struct vitals_disk {
    uint64_t total;
    uint64_t used;
    uint64_t free;
    double percent; /* of what an unprivileged user may use */
};

struct vitals_cpu vitals_cpu(void);
struct vitals_memory vitals_memory(void);
struct vitals_disk vitals_disk(void);
unsigned vitals_cpu_count(void); /* the machine's */

/* --- the texts of the kernel's files, for vitals itself and its tests --- */

/* cpu.max: "50000 100000" gives 0.5; "max 100000" is no limit: false. */
bool vitals_parse_cpu_max(const char *text, double *cores);

/* memory.max or memory.limit_in_bytes: false for "max" and for anything that is no number. */
bool vitals_parse_bytes(const char *text, uint64_t *bytes);

/* The value of a line "key value" or "key: value kB" (as it stands). */
bool vitals_parse_stat(const char *text, const char *key, uint64_t *value);

/* The first line of /proc/stat: clock ticks in which the processors were busy. */
bool vitals_parse_busy_ticks(const char *text, uint64_t *ticks);

#endif
