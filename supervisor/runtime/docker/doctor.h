/*
 * What stands in the way of a farm of containers here. Only looks. For `farmd doctor`.
 */
#ifndef SUPERVISOR_RUNTIME_DOCKER_DOCTOR_H
#define SUPERVISOR_RUNTIME_DOCKER_DOCTOR_H

#include "supervisor/runtime/process/doctor.h"

/* As doctor_examine, of the Engine that DOCKER_HOST names. */
size_t docker_doctor_examine(const struct doctor_question *question,
                             struct doctor_finding findings[DOCTOR_FINDINGS_MAX]);

/* `text` as a finding; of a failure (code negative), which may have its fix on a second line. */
void docker_doctor_note(struct doctor_finding *finding, const char *name, int code, const char *text);

#endif
