/*
 * What stands in the way of a farm of services here. Only looks. For `farmd doctor`.
 */
#ifndef SUPERVISOR_RUNTIME_SWARM_DOCTOR_H
#define SUPERVISOR_RUNTIME_SWARM_DOCTOR_H

#include "supervisor/runtime/process/doctor.h"

/* As docker_doctor_examine, and the Swarm. */
size_t swarm_doctor_examine(const struct doctor_question *question,
                            struct doctor_finding findings[DOCTOR_FINDINGS_MAX]);

#endif
