/*
 * The table of verbs and the choice among them.
 */
#include "supervisor/cli/cli.h"

#include "supervisor/config/names.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

const struct cli_verb cli_verbs[] = {
    {.name = "up",
     .arguments = "[flags]",
     .takes_flags = true,
     .summary = "start the farm and keep it running; what farmd does without a command",
     .details = "Loads the settings, starts every server, serves the API and the dashboard, and lives until Ctrl-C.\n"
                "A second Ctrl-C doesn't wait for servers to finish. SIGHUP reloads farm.yaml and touches only what\n"
                "changed. Wrong settings: exit code 2, and nothing is started.",
     .run = cli_up},
    {.name = "down",
     .arguments = "[flags]",
     .takes_flags = true,
     .summary = "stop the farm, also one whose farmd is gone",
     .details =
         "Stops the farm of the state directory that the settings name (--state-dir): tells its farmd to stop and\n"
         "waits until it has. A second `farmd down` meanwhile doesn't wait for servers to finish. When the farmd\n"
         "has died, it stops the servers that were left, in order and within their grace, and removes their\n"
         "cgroups and files; logs stay. Exit code 0: nothing of the farm runs any more; 1: something does, and\n"
         "why; 2: the settings are wrong.",
     .run = cli_down},
    {.name = "upgrade",
     .arguments = "[flags]",
     .takes_flags = true,
     .summary = "put this farmd in the place of the running one; no server and no client notices",
     .details =
         "Run it from the new program: `/opt/farmd-2/farmd upgrade`. The running farmd of the state directory that\n"
         "the settings name (--state-dir) has the new one check the settings, waits for a moment in which nothing\n"
         "takes long, and becomes it, with the same pid, flags, environment, sockets and servers. No request is\n"
         "refused or cut. While a load test, a scale or a rolling restart goes on the upgrade is refused, after at\n"
         "most 10 s. Exit code 0: it runs; 1: it does not, and why; 2: the settings are wrong.",
     .run = cli_upgrade},
    {.name = "check",
     .arguments = "[flags]",
     .takes_flags = true,
     .summary = "validate the settings and print the effective ones",
     .details = "Reads farm.yaml, .env, the environment and the flags as `farmd up` does, starts nothing, and prints\n"
                "what holds as a farm.yaml. Exit code 0: all is in order; 2: one line says what is wrong and where.",
     .run = cli_check},
    {.name = "doctor",
     .arguments = "[flags]",
     .takes_flags = true,
     .summary = "say what this machine can enforce, what stands in the way, and the fix",
     .details = "Looks at cgroups and their delegation, at the limits of descriptors and processes, and at the ports\n"
                "of the farm. Exit code 0: nothing in the way; 1: something is, with the fix behind it; 2: the\n"
                "settings are wrong.",
     .run = cli_doctor},
    {.name = "help",
     .arguments = "[command]",
     .summary = "this page, or the page of a command",
     .details = "Without a command: all commands and all flags.",
     .run = cli_help},
    {.name = "version",
     .summary = "print the version",
     .details = "Prints \"farmd\" and the version on one line.",
     .run = cli_version},
    {.name = NULL},
};

const struct cli_verb *cli_verb_find(const char *name)
{
    for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

int cli_fail(int code, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "farmd: %s\n", text);
    return code;
}

static int unknown_verb(const char *name)
{
    struct names_nearest nearest = NAMES_NEAREST_INIT(name);
    for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
        names_nearest_offer(&nearest, verb->name);
    if (nearest.best)
        return cli_fail(CLI_USAGE, "\"%.100s\" is not a command; did you mean %s?", name, nearest.best);
    return cli_fail(CLI_USAGE, "\"%.100s\" is not a command; `farmd help` lists them", name);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int cli_main(int argc, char **argv)
{
    int count = argc > 0 ? argc - 1 : 0;
    char **words = argv + (argc > 0 ? 1 : 0);
    if (count > 0 && asks_for_help(words[0]))
        return cli_help(count - 1, words + 1);
    if (count > 0 && (strcmp(words[0], "--version") == 0 || strcmp(words[0], "-V") == 0))
        return cli_version(0, NULL);
    if (count == 0 || words[0][0] == '-')
        return cli_up(count, words);

    const struct cli_verb *verb = cli_verb_find(words[0]);
    if (!verb)
        return unknown_verb(words[0]);
    for (int i = 1; i < count; i++) {
        if (asks_for_help(words[i]))
            return cli_help(1, words);
    }
    return verb->run(count - 1, words + 1);
}
