/*
 * `farmd check`: what would hold if the farm were started with these flags, here, now.
 */
#include "supervisor/cli/cli.h"

#include "core/buffer.h"
#include "supervisor/cli/console.h"
#include "supervisor/config/settings.h"

#include <stdio.h>

int cli_check(int argc, char **argv)
{
    struct settings *settings;
    struct error err;
    if (settings_load(argc, argv, &settings, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);

    console_settings_warnings(settings);
    struct buffer text = BUFFER_EMPTY;
    unsigned total = settings_total_servers(settings);
    buffer_printf(&text, "# in order: %u server%s; %s%s\n", total, total == 1 ? "" : "s",
                  settings->config_path ? "settings from " : "no farm.yaml here, so defaults",
                  settings->config_path ? settings->config_path : "");
    settings_print(settings, &text);
    settings_free(settings);
    int written = fputs(text.data, stdout);
    buffer_done(&text);
    if (written < 0 || fflush(stdout) != 0)
        return cli_fail(CLI_FAILED, "cannot write the settings to the standard output");
    return CLI_DONE;
}
