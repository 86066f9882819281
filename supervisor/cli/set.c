/*
 * `farmd set`: limits, changed while the servers run.
 */
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"
#include "supervisor/config/settings.h"

#include <cjson/cJSON.h>

static const struct cli_flag flags[] = {
    {.name = "--cpu",
     .kind = CLI_NUMBER,
     .argument = "CORES",
     .min = LIMITS_MIN_CPU,
     .max = LIMITS_MAX_CPU,
     .help = "CPU limit: 0.5 is half of one"},
    {.name = "--memory",
     .kind = CLI_SIZE,
     .argument = "SIZE",
     .min = LIMITS_MIN_MEMORY,
     .max = LIMITS_MAX_MEMORY,
     .help = "memory limit: 256M, 1G"},
    {.name = "--cpu-reservation",
     .kind = CLI_NUMBER,
     .argument = "CORES",
     .min = 0,
     .max = LIMITS_MAX_CPU,
     .help = "share of CPU that is kept for it when CPU is short"},
    {.name = "--memory-reservation",
     .kind = CLI_SIZE,
     .argument = "SIZE",
     .min = 0,
     .max = LIMITS_MAX_MEMORY,
     .help = "memory that is kept for it when memory is short"},
    {.name = "--pids",
     .kind = CLI_INT,
     .argument = "N",
     .min = LIMITS_MIN_PIDS,
     .max = LIMITS_MAX_PIDS,
     .help = "processes and threads that it may have"},
    {.name = NULL},
};

static void add_limits(const struct cli_call *call, cJSON *body)
{
    if (cli_given(call, "--cpu"))
        cJSON_AddNumberToObject(body, "cpu", cli_number(call, "--cpu"));
    if (cli_given(call, "--cpu-reservation"))
        cJSON_AddNumberToObject(body, "cpu_reservation", cli_number(call, "--cpu-reservation"));
    if (cli_given(call, "--memory"))
        cJSON_AddNumberToObject(body, "memory", (double)cli_size(call, "--memory"));
    if (cli_given(call, "--memory-reservation"))
        cJSON_AddNumberToObject(body, "memory_reservation", (double)cli_size(call, "--memory-reservation"));
    if (cli_given(call, "--pids"))
        cJSON_AddNumberToObject(body, "pids", (double)cli_int(call, "--pids"));
}

static int run(const struct cli_call *call)
{
    struct deed deed = {.method = "PATCH", .target = "/api/servers", .field = "ids", .done = "changed"};
    deed.body = cJSON_CreateObject();
    add_limits(call, deed.body);
    if (!deed.body->child) {
        cJSON_Delete(deed.body);
        return cli_fail(CLI_USAGE,
                        "say what to set: --cpu, --memory, --cpu-reservation, --memory-reservation or --pids");
    }
    return acting_run(call, &deed);
}

const struct cli_verb verb_set = {
    .name = "set",
    .section = SECTION_ACT,
    .operands = ACTION_OPERANDS,
    .flag_sets = {flags, selection_flags, acting_flags, output_flags, client_flags},
    .summary = "change the limits of servers while they run",
    .details =
        "What is not named stays as it is, but a reservation follows its limit down. The limits hold until they are "
        "set again or the farm is started anew; farm.yaml has those that last.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"set 7 --cpu 0.25", "half of what it has by default"},
                                             {"set all --memory 128M --memory-reservation 32M", "every server"},
                                             {NULL, NULL}},
    .run = run,
};
