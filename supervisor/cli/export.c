/*
 * `farmd export`: the farm in the words of another program.
 */
#include "supervisor/cli/export.h"

#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/verbs.h"

#include <string.h>

static const struct cli_flag flags[] = {
    {.name = "--listen",
     .kind = CLI_INT,
     .argument = "PORT",
     .min = 1,
     .max = 65535,
     .preset = "8080",
     .help = "nginx, haproxy: where the balancer listens, on 127.0.0.1"},
    {.name = "--image",
     .kind = CLI_TEXT,
     .argument = "NAME",
     .help = "compose, k8s: an image that has the servers' program as its command; else farm-worker: of this machine, "
             "mounted into busybox (compose), or as an image that the cluster has (k8s)"},
    {.name = NULL},
};

void export_each_server(const struct settings *settings, export_server_fn *visit, void *data)
{
    unsigned id = 1;
    for (size_t i = 0; i < settings->group_count; i++) {
        const struct group_settings *group = &settings->groups[i];
        for (unsigned j = 0; j < group->count; j++)
            visit(group, id++, (uint16_t)(group->base_port + j), data);
    }
}

static int write_format(const char *format, const struct settings *settings, const struct export_options *options,
                        struct buffer *out, struct error *err)
{
    if (strcmp(format, "compose") == 0)
        return export_compose(settings, options, out, err);
    if (strcmp(format, "k8s") == 0)
        return export_k8s(settings, options, out, err);
    if (strcmp(format, "nginx") == 0)
        export_nginx(settings, options, out);
    else if (strcmp(format, "haproxy") == 0)
        export_haproxy(settings, options, out);
    else
        settings_print_environment(settings, out);
    return 0;
}

static int run(const struct cli_call *call)
{
    const struct export_options options = {.listen = (uint16_t)cli_int(call, "--listen"),
                                           .image = cli_text(call, "--image")};
    struct settings *settings;
    struct buffer out = BUFFER_EMPTY;
    struct error err;
    if (settings_load(call->settings_argc, call->settings_argv, &settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    int code = write_format(call->operands[0], settings, &options, &out, &err);
    settings_free(settings);
    code = code < 0 ? cli_fail(CLI_USAGE, "%s", err.message) : output_write(&out, NULL);
    buffer_done(&out);
    return code;
}

const struct cli_verb verb_export = {
    .name = "export",
    .section = SECTION_MORE,
    .operands = {.usage = "FORMAT",
                 .least = 1,
                 .most = 1,
                 .missing = "say what to export: compose, k8s, nginx, haproxy or env",
                 .completes = COMPLETES_WORDS,
                 .words = "compose k8s nginx haproxy env"},
    .takes_settings = true,
    .flag_sets = {flags},
    .summary = "the farm for compose, Kubernetes, nginx or haproxy, or as .env file",
    .details =
        "Made of the settings (farm.yaml, environment, flags); no farm has to run. compose: a service for each server "
        "with its limits, for docker compose; farmd --runtime docker takes over what runs of it. k8s: a Deployment and "
        "a Service for each, for kubectl. nginx, haproxy: a balancer in front of all servers, and an upstream for each "
        "group. env: the settings as variables, for a .env file.",
    .examples = (const struct cli_example[]){{"export nginx --servers 10 > farm.conf", "ten servers behind nginx"},
                                             {"export compose > docker-compose.yml", "the same farm in containers"},
                                             {"export k8s | kubectl apply -f -", "… in a cluster"},
                                             {NULL, NULL}},
    .run = run,
};
