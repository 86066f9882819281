/*
 * `farmd check`: what would hold if the farm were started with these flags, here, now.
 */
#include "supervisor/cli/verbs.h"

#include "core/buffer.h"
#include "core/memory.h"
#include "supervisor/cli/console.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/preflight.h"
#include "supervisor/config/settings.h"
#include "supervisor/runtime/process/spawn.h"
#include "supervisor/runtime/runtime.h"

#include <stdlib.h>

/* Asked by a running farmd, which this one is to follow: its addresses and directories must be the same here, and servers
 * must be there to be started. */
static int check_successor(const struct settings *settings, struct error *err)
{
    const char *bound = getenv(PREFLIGHT_VARIABLE);
    if (!bound)
        return 0;
    int code = settings_check_bound(settings, bound, err);
    for (size_t i = 0; i < settings->group_count && code == 0; i++) {
        if (settings->groups[i].command || settings->groups[i].image)
            continue;
        cleanup_close int worker = spawn_open_worker(err);
        code = worker < 0 ? worker : 0;
    }
    return code;
}

static int run(const struct cli_call *call)
{
    struct settings *settings;
    struct error err;
    if (settings_load(call->settings_argc, call->settings_argv, &settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    if (runtime_accepts(settings, &err) < 0 || check_successor(settings, &err) < 0) {
        settings_free(settings);
        return cli_fail(CLI_USAGE, "%s", err.message);
    }

    console_settings_warnings(settings);
    struct buffer text = BUFFER_EMPTY;
    unsigned total = settings_total_servers(settings);
    buffer_printf(&text, "# in order: %u server%s; %s%s\n", total, total == 1 ? "" : "s",
                  settings->config_path ? "settings from " : "no farm.yaml here, so defaults",
                  settings->config_path ? settings->config_path : "");
    settings_print(settings, &text);
    settings_free(settings);
    int code = output_write(&text, NULL);
    buffer_done(&text);
    return code;
}

const struct cli_verb verb_check = {
    .name = "check",
    .section = SECTION_RUN,
    .takes_settings = true,
    .summary = "validate the settings and print the effective ones",
    .details = "Reads farm.yaml, .env, the environment and the flags as `farmd up` does, starts nothing, and prints "
               "what holds "
               "as a farm.yaml. Exit code 0: all is in order; 2: one line says what is wrong and where.",
    .examples =
        (const struct cli_example[]){{"check --config farm.yaml", "what would hold with this file"}, {NULL, NULL}},
    .run = run,
};
