/*
 * The choice among the verbs.
 */
#include "supervisor/cli/cli.h"

#include "core/buffer.h"
#include "supervisor/cli/frame/args.h"
#include "supervisor/cli/frame/help.h"
#include "supervisor/config/names.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct cli_verb *cli_verb_find(const char *name)
{
    for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
        if (strcmp((*verb)->name, name) == 0)
            return *verb;
    }
    return NULL;
}

const struct cli_verb *cli_verb_of(char *const *words, int count, int *taken)
{
    char name[64];

    if (count > 1) {
        snprintf(name, sizeof(name), "%.30s %.30s", words[0], words[1]);
        const struct cli_verb *verb = cli_verb_find(name);
        *taken = 2;
        if (verb)
            return verb;
    }
    *taken = 1;
    return count > 0 ? cli_verb_find(words[0]) : NULL;
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
    for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
        if ((*verb)->section != SECTION_HIDDEN)
            names_nearest_offer(&nearest, (*verb)->name);
    }
    if (nearest.best)
        return cli_fail(CLI_USAGE, "\"%.100s\" is not a command; did you mean %s?", name, nearest.best);
    return cli_fail(CLI_USAGE, "\"%.100s\" is not a command; `farmd help` lists them", name);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(const struct cli_verb *verb, int argc, char **argv)
{
    struct cli_call call;
    struct error err;
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (asks_for_help(argv[i]))
            return help_show_verb(verb);
    }
    if (args_parse(verb, argc, argv, &call, &err) < 0)
        return cli_fail(CLI_USAGE, "%s", err.message);
    int code = verb->run(&call);
    args_done(&call);
    return code;
}

/* `farmd --api :9000 ps`: which command stands behind its flags; NULL: none. */
static const struct cli_verb *verb_behind_flags(int count, char **words, int *at)
{
    for (int i = 1; i < count; i++) {
        const struct cli_verb *verb = cli_verb_find(words[i]);
        if (verb && verb->section != SECTION_HIDDEN) {
            *at = i;
            return verb;
        }
    }
    return NULL;
}

/* Without a command it is `up`. One that stands behind flags is no mystery when these are not flags of `up`. */
static int run_up(int count, char **words)
{
    struct cli_call call;
    struct error err;
    int at = 0;
    const struct cli_verb *up = cli_verb_find("up"), *meant = verb_behind_flags(count, words, &at);
    if (!meant || args_parse(up, count, words, &call, &err) == 0) {
        if (meant)
            args_done(&call);
        return run(up, count, words);
    }
    struct buffer line = BUFFER_EMPTY;
    for (int i = 0; i < count; i++) {
        if (i != at)
            buffer_printf(&line, " %s", words[i]);
    }
    cli_fail(CLI_USAGE, "flags stand behind the command: farmd %s%.600s", meant->name, line.data);
    buffer_done(&line);
    return CLI_USAGE;
}

/* Started without one of the three (`farmd ps >&-`), the next file opened would take its number, and what is printed
 * would go into that. */
static void open_standard_streams(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd >= 0)
        close(fd);
}

int cli_main(int argc, char **argv)
{
    open_standard_streams();
    int count = argc > 0 ? argc - 1 : 0;
    char **words = argv + (argc > 0 ? 1 : 0);
    if (count > 0 && asks_for_help(words[0]))
        return help_show(words + 1, count - 1);
    if (count > 0 && (strcmp(words[0], "--version") == 0 || strcmp(words[0], "-V") == 0))
        return run(cli_verb_find("version"), 0, words);
    if (count == 0 || words[0][0] == '-')
        return run_up(count, words);

    int taken;
    const struct cli_verb *verb = cli_verb_of(words, count, &taken);
    return verb ? run(verb, count - taken, words + taken) : unknown_verb(words[0]);
}
