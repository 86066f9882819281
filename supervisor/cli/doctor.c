/*
 * `farmd doctor`: what this machine can do for the farm of these settings, and how to get the rest.
 */
#include "supervisor/cli/verbs.h"

#include "core/memory.h"
#include "core/streams.h"
#include "supervisor/config/settings.h"
#include "supervisor/runtime/process/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Every port that the farm would listen on; the caller frees them. */
static uint16_t *ports_of(const struct settings *settings, size_t *count)
{
    uint16_t *ports = xcalloc(settings_total_servers(settings) + 2, sizeof(*ports));
    *count = 0;
    ports[(*count)++] = settings->api.port;
    if (settings->dashboard.port != 0)
        ports[(*count)++] = settings->dashboard.port;
    for (size_t i = 0; i < settings->group_count; i++) {
        for (unsigned j = 0; j < settings->groups[i].count; j++)
            ports[(*count)++] = (uint16_t)(settings->groups[i].base_port + j);
    }
    return ports;
}

static void print_finding(const struct doctor_finding *finding, bool colour)
{
    const char *paint = !colour ? "" : finding->ok ? "\033[32m" : "\033[31m";
    printf("  %s%-3s%s %-12s %s\n", paint, finding->ok ? "ok" : "BAD", colour ? "\033[0m" : "", finding->name,
           finding->text);
    if (finding->fix[0] != '\0')
        printf("      %-12s fix: %s\n", "", finding->fix);
}

static int print_findings(const struct doctor_finding *findings, size_t count, unsigned servers)
{
    bool colour = streams_colour(STDOUT_FILENO);
    size_t bad = 0;
    printf("farmd " FARMD_VERSION ": this machine and a farm of %u server%s\n", servers, servers == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        print_finding(&findings[i], colour);
        bad += !findings[i].ok;
    }
    if (bad == 0)
        printf("nothing stands in the way\n");
    else
        printf("%zu of %zu stand%s in the way; each has its fix behind it\n", bad, count, bad == 1 ? "s" : "");
    return bad == 0 ? CLI_DONE : CLI_FAILED;
}

static int run(const struct cli_call *call)
{
    struct settings *settings;
    struct error err;
    if (settings_load(call->settings_argc, call->settings_argv, &settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);

    struct doctor_question question = {.servers = settings_total_servers(settings), .enforce = settings->enforce};
    uint16_t *ports = ports_of(settings, &question.port_count);
    question.ports = ports;
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t count = doctor_examine(&question, findings);
    free(ports);
    settings_free(settings);
    return print_findings(findings, count, question.servers);
}

const struct cli_verb verb_doctor = {
    .name = "doctor",
    .section = SECTION_RUN,
    .takes_settings = true,
    .summary = "say what this machine can enforce, what stands in the way, and the fix",
    .details =
        "Looks at cgroups and their delegation, at the limits of descriptors and processes, and at the ports of the "
        "farm. Exit code 0: nothing in the way; 1: something is, with the fix behind it; 2: the settings are wrong.",
    .examples =
        (const struct cli_example[]){{"doctor --servers 1000", "whether a thousand would run here"}, {NULL, NULL}},
    .run = run,
};
