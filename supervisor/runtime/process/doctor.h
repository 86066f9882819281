/*
 * What this machine lets farmd do, as a list of findings, each with its fix: cgroups and their controllers, delegation,
 * system call filters, limits of descriptors and processes, host names, ports. Only looks; what it makes to find out (a
 * slice of its own) it removes. For `farmd doctor`.
 */
#ifndef SUPERVISOR_RUNTIME_PROCESS_DOCTOR_H
#define SUPERVISOR_RUNTIME_PROCESS_DOCTOR_H

#include "supervisor/config/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DOCTOR_FINDINGS_MAX 16

struct doctor_finding {
    const char *name; /* "limits", "controllers", "delegation", "seccomp", "descriptors", … */
    bool ok;
    char text[320];
    char fix[320]; /* "" when it is ok */
};

struct doctor_question {
    unsigned servers;
    enum enforce_mode enforce;
    const uint16_t *ports; /* those that the farm would listen on */
    size_t port_count;
    /* Of this very farm, if it runs: what it holds stands in nobody's way. */
    pid_t farmd;               /* 0: it does not */
    const uint16_t *own_ports; /* of its servers that run */
    size_t own_port_count;
};

/* Returns how many findings there are. */
size_t doctor_examine(const struct doctor_question *question, struct doctor_finding findings[DOCTOR_FINDINGS_MAX]);

/* Of these only what concerns farmd itself, whatever runs the servers; appended to `count` that are there. */
size_t doctor_examine_farmd(const struct doctor_question *question, struct doctor_finding findings[DOCTOR_FINDINGS_MAX],
                            size_t count);

#endif
