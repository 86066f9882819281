/*
 * `farmd help` and `farmd version`. The flags come from the table of settings, the commands from the table of verbs.
 */
#include "supervisor/cli/cli.h"

#include "supervisor/config/settings.h"

#include <stdio.h>

#define FLAG_WIDTH 32

static void print_flags(void)
{
    for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++) {
        char left[FLAG_WIDTH * 2];
        snprintf(left, sizeof(left), "%s%s%s", flag->flag, flag->argument ? " " : "",
                 flag->argument ? flag->argument : "");
        printf("  %-*s %s", FLAG_WIDTH, left, flag->text);
        if (flag->preset && flag->argument)
            printf(" (%s)", flag->preset);
        printf("\n");
    }
}

static void print_all(void)
{
    printf("farmd " FARMD_VERSION ", a farm of HTTP servers on this machine, each in a cgroup of its own\n\n"
           "  farmd [flags]            start the farm: 50 servers on ports 8001 to 8050, API 8000, dashboard 3000\n"
           "  farmd COMMAND [flags]\n\n"
           "Commands:\n");
    for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
        printf("  %-10s %s\n", verb->name, verb->summary);
    printf("\nFlags of up, down, upgrade, check and doctor (in brackets: the default):\n");
    print_flags();
    printf("\nThe same and more can stand in farm.yaml; variables of the environment and a .env file come above it,\n"
           "flags above all. farmd check shows what holds.\n"
           "More: man farmd, man farm.yaml, farmd help COMMAND\n");
}

int cli_help(int argc, char **argv)
{
    if (argc == 0) {
        print_all();
        return CLI_DONE;
    }
    const struct cli_verb *verb = cli_verb_find(argv[0]);
    if (!verb)
        return cli_fail(CLI_USAGE, "there is no help on \"%.100s\"; `farmd help` lists the commands", argv[0]);
    printf("farmd %s%s%s\n\n%s\n", verb->name, verb->arguments ? " " : "", verb->arguments ? verb->arguments : "",
           verb->details);
    if (verb->takes_flags)
        printf("\nThe flags are those of `farmd help`.\n");
    return CLI_DONE;
}

int cli_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("farmd " FARMD_VERSION "\n");
    return CLI_DONE;
}
