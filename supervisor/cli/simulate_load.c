/*
 * `farmd simulate-load`: servers burn CPU and hold memory, within their limits or beyond.
 */
#include "core/units.h"
#include "supervisor/cli/frame/action.h"
#include "supervisor/cli/verbs.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdint.h>

static const struct cli_flag flags[] = {
    {.name = "--cpu",
     .kind = CLI_DURATION,
     .argument = "TIME",
     .min = 0,
     .max = 3600000,
     .preset = "2s",
     .help = "burn CPU for so long"},
    {.name = "--memory",
     .kind = CLI_SIZE,
     .argument = "SIZE",
     .min = 0,
     .max = 1024.0 * 1024 * 1024 * 1024,
     .preset = "100M",
     .help = "and hold so much memory meanwhile; more than the limit provokes an OOM kill"},
    {.name = NULL},
};

/* Who writes 400 means megabytes, and would wait in vain for what 400 bytes bring about. */
static int check_memory(const struct cli_call *call)
{
    uint64_t bytes = (uint64_t)cli_size(call, "--memory");

    if (bytes == 0 || bytes >= MIB)
        return CLI_DONE;
    return cli_fail(CLI_USAGE, "--memory: %llu bytes are too few; write 0 for none, or with a unit: %lluM",
                    (unsigned long long)bytes, (unsigned long long)bytes);
}

static int run(const struct cli_call *call)
{
    int code = check_memory(call);
    if (code != CLI_DONE)
        return code;
    struct deed deed = {.target = "/api/simulate-load", .field = "server_ids", .done = "done"};
    deed.body = cJSON_CreateObject();
    cJSON_AddNumberToObject(deed.body, "cpu_duration", (double)cli_duration_ms(call, "--cpu") / 1000);
    cJSON_AddNumberToObject(deed.body, "memory_mb", ceil((double)cli_size(call, "--memory") / (double)MIB));
    return acting_run(call, &deed);
}

const struct cli_verb verb_simulate_load = {
    .name = "simulate-load",
    .section = SECTION_LOAD,
    .operands = ACTION_OPERANDS,
    .flag_sets = {flags, selection_flags, acting_flags, output_flags, client_flags},
    .summary = "make servers burn CPU and hold memory",
    .details = "All at once; waits until they have done it. A server that is killed for it meanwhile fails with the "
               "reason.\n\n" SELECTION_HELP,
    .examples = (const struct cli_example[]){{"simulate-load 1-5 --cpu 10s", "five busy servers for ten seconds"},
                                             {"simulate-load 7 --cpu 0 --memory 400M", "an OOM kill"},
                                             {NULL, NULL}},
    .run = run,
};
