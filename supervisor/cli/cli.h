/*
 * farmd's command line: one table of verbs, one file per verb. A verb's row says all of it: operands, flags, help and
 * examples. Parsing, --help, the man page, docs/cli.md and the shells' completion come from these rows.
 */
#ifndef SUPERVISOR_CLI_CLI_H
#define SUPERVISOR_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes of every verb. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,      /* it was tried and did not work */
    CLI_USAGE = 2,       /* a wrong flag, verb, selector or setting: nothing was tried */
    CLI_UNREACHABLE = 3, /* no farm answers, or it went away meanwhile */
    CLI_PARTLY = 4,      /* done for some servers, not for others */
    CLI_TIMED_OUT = 124,
    CLI_INTERRUPTED = 130, /* by Ctrl-C */
};

enum cli_kind {
    CLI_SWITCH, /* takes no value */
    CLI_TEXT,
    CLI_WORD, /* one of `words` */
    CLI_INT,
    CLI_NUMBER,
    CLI_DURATION, /* as in the settings: 250ms, 3s, 5m; bounds are milliseconds */
    CLI_AGE,      /* how long ago: a duration, or an instant as text_parse_ago takes it; bounds are milliseconds */
    CLI_SIZE,     /* 256M; bounds are bytes */
};

struct cli_flag {
    const char *name; /* "--tail" */
    char letter;      /* 'n' for -n; 0: none */
    enum cli_kind kind;
    bool repeats;         /* may be given several times, and each counts; otherwise the last one does */
    const char *argument; /* what the value is called in help: "N"; NULL for a switch */
    const char *words;    /* CLI_WORD: what it may be, between blanks */
    double min, max;      /* of numbers; a verb that knows the bounds only later checks by itself and leaves 0, 0 */
    const char *preset;   /* what holds without it; NULL: nothing */
    const char *help;
};

enum cli_completes { COMPLETES_NOTHING, COMPLETES_SERVERS, COMPLETES_VERBS, COMPLETES_WORDS };

/* What follows the verb and is no flag. */
struct cli_operands {
    const char *usage;   /* "[SERVERS]"; NULL: none */
    unsigned least;      /* how many at least … */
    unsigned most;       /* … and at most; 0 with a usage: any number */
    const char *missing; /* said when there are too few */
    enum cli_completes completes;
    const char *words; /* COMPLETES_WORDS: between blanks; the first operand must be one of them */
};

struct cli_example {
    const char *command; /* without "farmd " */
    const char *what;
};

/* The headings of `farmd help`, in their order. */
enum cli_section {
    SECTION_RUN,
    SECTION_LOOK,
    SECTION_ACT,
    SECTION_LOAD,
    SECTION_MORE,
    SECTION_COUNT,
    SECTION_HIDDEN = SECTION_COUNT, /* for programs: in no list */
};

#define CLI_FLAG_SETS 6

struct cli_call;

struct cli_verb {
    const char *name; /* "load", or two words: "load compare" */
    enum cli_section section;
    struct cli_operands operands;
    bool takes_settings;                             /* and the flags of settings_flags() */
    const struct cli_flag *flag_sets[CLI_FLAG_SETS]; /* each ended by a row with name NULL; NULL behind the last */
    const char *summary;                             /* one line of `farmd help` */
    const char *details;                             /* the paragraphs of `farmd help VERB` */
    const struct cli_example *examples;              /* ended by a row with command NULL */
    int (*run)(const struct cli_call *call);         /* returns the exit code */
};

/* All verbs in the order of help, ended by NULL. */
extern const struct cli_verb *const cli_verbs[];
const struct cli_verb *cli_verb_find(const char *name); /* NULL when there is none */

/* The verb that a command line begins with, two words before one; `*taken` says how many. NULL when there is none. */
const struct cli_verb *cli_verb_of(char *const *words, int count, int *taken);

/* Finds the verb, or the one that was probably meant, and runs it. Takes main's arguments, returns the exit code. */
int cli_main(int argc, char **argv);

/* "farmd: <sentence>" to stderr. Returns `code`. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- what a verb was called with; every value has been checked against its flag's row --- */

struct cli_call {
    const struct cli_verb *verb;
    char **operands;
    size_t operand_count;
    struct cli_value *values; /* flags as given, in their order */
    size_t value_count;
    char **settings_argv; /* flags of the settings as given, for settings_load */
    int settings_argc;
};

/* Whether a flag was given. */
bool cli_given(const struct cli_call *call, const char *flag);

/* The value given, or the preset; NULL or 0 when there is neither. */
const char *cli_text(const struct cli_call *call, const char *flag);
int64_t cli_int(const struct cli_call *call, const char *flag);
double cli_number(const struct cli_call *call, const char *flag);
int64_t cli_duration_ms(const struct cli_call *call, const char *flag);
int64_t cli_age_ms(const struct cli_call *call, const char *flag); /* as of now */
uint64_t cli_size(const struct cli_call *call, const char *flag);

/* Of a flag that repeats: the value given at place `index`, NULL behind the last one. */
const char *cli_text_at(const struct cli_call *call, const char *flag, size_t index);

#endif
