/*
 * `farmd doctor`: what this machine can do for the farm of these settings, and how to get the rest.
 */
#include "supervisor/cli/verbs.h"

#include "core/memory.h"
#include "core/streams.h"
#include "supervisor/config/settings.h"
#include "supervisor/farm/lock.h"
#include "supervisor/farm/paths.h"
#include "supervisor/farm/statefile.h"
#include "supervisor/runtime/docker/doctor.h"
#include "supervisor/runtime/process/doctor.h"
#include "supervisor/runtime/swarm/doctor.h"

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

/* Of the servers of a running farm that run; the caller frees them. */
static uint16_t *own_ports_of(const char *state_file, size_t *count)
{
    struct state *state = NULL;
    *count = 0;
    if (statefile_look(state_file, &state) < 0 || !state)
        return NULL;
    uint16_t *ports = xcalloc(state->server_count + 1, sizeof(*ports));
    for (size_t i = 0; i < state->server_count; i++) {
        const struct state_server *server = &state->servers[i];
        if (server->pid > 0 && server->port > 0)
            ports[(*count)++] = (uint16_t)server->port;
    }
    state_free(state);
    return ports;
}

static size_t examine(const struct settings *settings, struct doctor_finding findings[DOCTOR_FINDINGS_MAX])
{
    struct doctor_question question = {.servers = settings_total_servers(settings), .enforce = settings->enforce};
    struct farm_paths paths;
    farm_paths_init(&paths, settings);
    cleanup_free uint16_t *ports = ports_of(settings, &question.port_count), *own_ports = NULL;
    cleanup_close int holder = lock_holder(paths.lock, &question.farmd, NULL);
    if (holder >= 0)
        own_ports = own_ports_of(paths.state, &question.own_port_count);
    else
        question.farmd = 0;
    question.ports = ports;
    question.own_ports = own_ports;
    static size_t (*const examiners[])(const struct doctor_question *question,
                                       struct doctor_finding findings[DOCTOR_FINDINGS_MAX]) = {
        [RUNTIME_PROCESS] = doctor_examine,
        [RUNTIME_DOCKER] = docker_doctor_examine,
        [RUNTIME_SWARM] = swarm_doctor_examine,
    };
    size_t count = examiners[settings->runtime](&question, findings);
    farm_paths_done(&paths);
    return count;
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

    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t count = examine(settings, findings);
    unsigned servers = settings_total_servers(settings);
    settings_free(settings);
    return print_findings(findings, count, servers);
}

const struct cli_verb verb_doctor = {
    .name = "doctor",
    .section = SECTION_RUN,
    .takes_settings = true,
    .summary = "say what this machine can enforce, what stands in the way, and the fix",
    .details =
        "Looks at cgroups and their delegation, at the limits of descriptors and processes, and at the ports of the "
        "farm; those that this farm itself holds, because it runs, are in order. With --runtime docker or swarm it "
        "looks "
        "at the Engine, and at the Swarm, in the place of cgroups. Exit code 0: nothing in the way; 1: "
        "something is, with the fix behind it; 2: the settings are wrong.",
    .examples =
        (const struct cli_example[]){{"doctor --servers 1000", "whether a thousand would run here"}, {NULL, NULL}},
    .run = run,
};
