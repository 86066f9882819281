/*
 * What stands in the way of a farm of containers here. Only looks. For `farmd doctor`.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_DOCTOR_H
#define SUPERVISOR_RUNTIME_DOCKER_DOCTOR_H

#include "supervisor/runtime/process/doctor.h"

/* As doctor_examine, of the Engine that DOCKER_HOST names. */
size_t docker_doctor_examine(const struct doctor_question *question,
                             struct doctor_finding findings[DOCTOR_FINDINGS_MAX]);

#endif
