/*
 * farmd's command line: one table of verbs, one file per verb. Without a verb farmd runs the farm.
 */
#ifndef SUPERVISOR_CLI_CLI_H
#define SUPERVISOR_CLI_CLI_H

#include <stdbool.h>

/* Exit codes of every verb. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1, /* it was tried and did not work */
    CLI_USAGE = 2,  /* a wrong flag, verb or setting: nothing was tried */
};

struct cli_verb {
    const char *name;
    const char *arguments;             /* for the usage line: "[flags]"; NULL for none */
    bool takes_flags;                  /* those of settings_flags() */
    const char *summary;               /* one line of `farmd help` */
    const char *details;               /* the paragraph of `farmd help VERB` */
    int (*run)(int argc, char **argv); /* what follows the verb; returns the exit code */
};

/* All verbs, ended by a row with name NULL. */
extern const struct cli_verb cli_verbs[];
const struct cli_verb *cli_verb_find(const char *name); /* NULL when there is none */

/* Finds the verb, or the one that was probably meant, and runs it. Takes main's arguments, returns the exit code. */
int cli_main(int argc, char **argv);

/* "farmd: <sentence>" to stderr. Returns `code`. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The verbs; argv holds what follows the verb. */
int cli_up(int argc, char **argv);
int cli_down(int argc, char **argv);
int cli_upgrade(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_help(int argc, char **argv);
int cli_version(int argc, char **argv);

#endif
