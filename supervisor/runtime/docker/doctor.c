/*
 * The Engine and what it can enforce; the rest is as in process mode.
 */
#include "supervisor/runtime/docker/doctor.h"

#include "supervisor/runtime/docker/docker.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void docker_doctor_note(struct doctor_finding *finding, const char *name, int code, const char *text)
{
    static const char separator[] = "\n  fix: ";
    const char *fix = code < 0 ? strstr(text, separator) : NULL;
    size_t length = fix ? (size_t)(fix - text) : strlen(text);

    *finding = (struct doctor_finding){.name = name, .ok = code == 0};
    snprintf(finding->text, sizeof(finding->text), "%.*s", (int)length, text);
    snprintf(finding->fix, sizeof(finding->fix), "%s", fix ? fix + strlen(separator) : "");
}

static int look_for_engine(struct engine_address *address, struct doctor_finding *finding)
{
    struct error err = {0};
    char text[ERROR_MESSAGE_MAX];
    int code = engine_find(getenv("DOCKER_HOST"), address, &err);

    if (code == 0)
        code = engine_connect(address, &err);
    snprintf(text, sizeof(text), "the Docker Engine at %s, version %s of its API", address->socket, address->version);
    docker_doctor_note(finding, "engine", code, code < 0 ? err.message : text);
    return code;
}

static void look_at_limits(const struct engine_address *address, enum enforce_mode enforce,
                           struct doctor_finding *finding)
{
    struct docker_enforcement enforcement;
    struct error err;

    if (docker_enforcement_of(address, &enforcement, &err) < 0)
        docker_doctor_note(finding, "limits", -1, err.message);
    else if (*enforcement.warning)
        docker_doctor_note(finding, "limits", enforce == ENFORCE_NONE ? 0 : -1, enforcement.warning);
    else
        docker_doctor_note(finding, "limits", 0, "CPU, memory and processes, by the Engine");
}

size_t docker_doctor_examine(const struct doctor_question *question,
                             struct doctor_finding findings[DOCTOR_FINDINGS_MAX])
{
    struct engine_address address = {0};
    size_t count = 0;

    if (look_for_engine(&address, &findings[count++]) == 0)
        look_at_limits(&address, question->enforce, &findings[count++]);
    return doctor_examine_farmd(question, findings, count);
}
