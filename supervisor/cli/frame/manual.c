/*
 * See manual.h. `make docs` writes both documents; a test fails when they are not what this prints.
 */
#include "supervisor/cli/frame/manual.h"

#include "core/memory.h"
#include "supervisor/cli/frame/args.h"
#include "supervisor/cli/frame/help.h"
#include "supervisor/cli/frame/topics.h"
#include "supervisor/config/settings.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Calls each for the verbs of every section, in order. */
static void each_verb(void (*each)(const struct cli_verb *verb, struct buffer *out), struct buffer *out)
{
    for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
        if ((*verb)->section != SECTION_HIDDEN)
            each(*verb, out);
    }
}

/* --- Markdown --- */

/* Text for a paragraph or a cell of a table. Words between backquotes stay as they are. */
static void append_markdown(struct buffer *out, const char *text, bool cell)
{
    bool code = false;
    for (const char *c = text; *c; c++) {
        code = code != (*c == '`');
        bool special = !code && (*c == '<' || *c == '*' || *c == '_');
        if (special || (cell && *c == '|'))
            buffer_append_char(out, '\\');
        if (cell && *c == '\n')
            buffer_append_char(out, ' ');
        else
            buffer_append_char(out, *c);
    }
}

static void append_markdown_flag(const struct cli_flag *flag, void *data)
{
    struct buffer *out = data, text = BUFFER_EMPTY;
    char words[160];
    help_flag_words(flag, words, sizeof(words));
    help_flag_text(flag, &text);
    buffer_printf(out, "| `%s` | ", words);
    append_markdown(out, text.data, true);
    buffer_append_text(out, " |\n");
    buffer_done(&text);
}

static void append_markdown_verb(const struct cli_verb *verb, struct buffer *out)
{
    buffer_printf(out, "### farmd %s\n\n```\n", verb->name);
    help_usage(verb, out);
    buffer_append_text(out, "\n```\n\n");
    append_markdown(out, verb->details, false);
    buffer_append_text(out, "\n\n");
    if (verb->flag_sets[0])
        buffer_append_text(out, "| Flag | |\n|---|---|\n");
    args_each_flag(verb, append_markdown_flag, out);
    if (verb->flag_sets[0])
        buffer_append_char(out, '\n');
    if (verb->takes_settings)
        buffer_append_text(out, "And the [flags of the settings](#flags-of-the-settings).\n\n");
    if (verb->examples)
        buffer_append_text(out, "```\n");
    size_t widest = 0;
    for (const struct cli_example *example = verb->examples; example && example->command; example++)
        widest = strlen(example->command) > widest ? strlen(example->command) : widest;
    for (const struct cli_example *example = verb->examples; example && example->command; example++)
        buffer_printf(out, "farmd %-*s   # %s\n", (int)widest, example->command, example->what);
    if (verb->examples)
        buffer_append_text(out, "```\n\n");
}

/* The anchor of a heading has dashes for blanks. */
static void append_markdown_row(struct buffer *out, const struct cli_verb *verb)
{
    buffer_printf(out, "| [%s](#farmd-", verb->name);
    for (const char *c = verb->name; *c; c++)
        buffer_append_char(out, *c == ' ' ? '-' : *c);
    buffer_printf(out, ") | %s |\n", verb->summary);
}

static void append_markdown_contents(struct buffer *out)
{
    for (int section = 0; section < SECTION_COUNT; section++) {
        buffer_printf(out, "| **%s** | |\n", help_section_title((enum cli_section)section));
        for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
            if ((*verb)->section == (enum cli_section)section)
                append_markdown_row(out, *verb);
        }
    }
    buffer_append_char(out, '\n');
}

static void append_markdown_topics(struct buffer *out)
{
    for (const struct topic *topic = topics; topic->name; topic++) {
        buffer_printf(out, "## %s\n\n", topic->title);
        append_markdown(out, topic->text, false);
        buffer_append_text(out, "\n\n| | |\n|---|---|\n");
        for (const struct topic_row *row = topic->rows; row->left; row++) {
            buffer_printf(out, "| `%s` | ", row->left);
            append_markdown(out, row->right, true);
            buffer_append_text(out, " |\n");
        }
        buffer_append_char(out, '\n');
        if (topic->after) {
            append_markdown(out, topic->after, false);
            buffer_append_text(out, "\n\n");
        }
    }
}

static void append_markdown_settings(struct buffer *out)
{
    buffer_append_text(out, "## Flags of the settings\n\nWhat up, down, upgrade, check, doctor and export take; "
                            "[settings.md](settings.md) tells more of each.\n\n| Flag | |\n|---|---|\n");
    for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++) {
        buffer_printf(out, "| `%s%s%s` | ", flag->flag, flag->argument ? " " : "",
                      flag->argument ? flag->argument : "");
        append_markdown(out, flag->text, true);
        if (flag->preset && flag->argument)
            buffer_printf(out, " (%s)", flag->preset);
        buffer_append_text(out, " |\n");
    }
}

void manual_markdown(struct buffer *out)
{
    buffer_append_text(
        out, "# The command line\n\n"
             "Made of farmd's own tables by `make docs`; `farmd help` shows the same.\n\n"
             "`farmd` alone starts a farm in the foreground; `farmd COMMAND` works with one that runs, by its "
             "API.\n\n| Command | |\n|---|---|\n");
    append_markdown_contents(out);
    append_markdown_topics(out);
    buffer_append_text(out, "## Commands\n\n");
    each_verb(append_markdown_verb, out);
    append_markdown_settings(out);
}

/* --- mdoc --- */

/* Text of a paragraph: a dash in a flag is a minus, a dot or quote at the start of a line is no macro. */
static void append_mdoc(struct buffer *out, const char *text)
{
    bool start = true;
    for (const char *c = text; *c; c++) {
        if (c[0] == '\n' && c[1] == '\n') {
            buffer_append_text(out, "\n.Pp\n");
            start = true;
            c++;
            continue;
        }
        if (start && (*c == '.' || *c == '\''))
            buffer_append_text(out, "\\&");
        start = *c == '\n';
        if (*c == '\\')
            buffer_append_text(out, "\\e");
        else if (*c == '-')
            buffer_append_text(out, "\\-");
        else if (*c == '`')
            buffer_append_text(out, "\\(dq");
        else
            buffer_append_char(out, *c);
        /* A sentence a line, as the other pages are written. */
        if (c[0] == '.' && c[1] == ' ' && (isupper((unsigned char)c[2]) || c[2] == '\0')) {
            buffer_append_char(out, '\n');
            start = true;
            c++;
        }
    }
    buffer_append_char(out, '\n');
}

/* A word as an argument of a macro, which must not look like one itself. */
static void append_mdoc_word(struct buffer *out, const char *text)
{
    buffer_append_char(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            buffer_append_text(out, "\"\"");
        else if (*c == '-')
            buffer_append_text(out, "\\-");
        else
            buffer_append_char(out, *c);
    }
    buffer_append_char(out, '"');
}

static void append_mdoc_flag(const struct cli_flag *flag, void *data)
{
    struct buffer *out = data;
    buffer_append_text(out, ".It ");
    if (flag->letter)
        buffer_printf(out, "Fl %c , ", flag->letter);
    buffer_printf(out, "Fl \\-%s", flag->name + 2);
    if (flag->argument) {
        buffer_append_text(out, " Ar ");
        append_mdoc_word(out, flag->argument);
    }
    buffer_append_char(out, '\n');
    append_mdoc(out, flag->help);
    if (flag->preset)
        buffer_printf(out, "Default:\n.Cm %s .\n", flag->preset);
}

static void append_mdoc_verb(const struct cli_verb *verb, struct buffer *out)
{
    buffer_printf(out, ".It Cm %s", verb->name);
    if (verb->operands.usage) {
        buffer_append_text(out, " Ar ");
        append_mdoc_word(out, verb->operands.usage);
    }
    buffer_append_char(out, '\n');
    append_mdoc(out, verb->details);
    if (verb->flag_sets[0]) {
        buffer_append_text(out, ".Bl -tag -width Ds\n");
        args_each_flag(verb, append_mdoc_flag, out);
        buffer_append_text(out, ".El\n");
    }
    if (verb->takes_settings)
        buffer_append_text(out, ".Pp\nTakes the flags of the settings below.\n");
    for (const struct cli_example *example = verb->examples; example && example->command; example++) {
        buffer_append_text(out, example == verb->examples ? ".Pp\n.Dl " : ".Dl ");
        append_mdoc_word(out, "$ farmd ");
        buffer_append_text(out, " Ns ");
        append_mdoc_word(out, example->command);
        buffer_append_char(out, '\n');
    }
}

static void append_mdoc_settings(struct buffer *out)
{
    buffer_append_text(out, ".Sh FLAGS OF THE SETTINGS\n"
                            "They stand above everything else that sets something; see\n.Xr farm.yaml 5\n"
                            "for what a group of servers sets itself.\n.Bl -tag -width Ds\n");
    for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++) {
        buffer_printf(out, ".It Fl \\-%s%s%s\n", flag->flag + 2, flag->argument ? " Ar " : "",
                      flag->argument ? flag->argument : "");
        append_mdoc(out, flag->text);
        if (flag->preset && flag->argument)
            buffer_printf(out, "Default:\n.Cm %s .\n", flag->preset);
    }
    buffer_append_text(out, ".El\n");
}

static void append_mdoc_topic(const struct topic *topic, struct buffer *out)
{
    buffer_append_text(out, ".Sh ");
    for (const char *c = topic->title; *c; c++)
        buffer_append_char(out, (char)toupper((unsigned char)*c));
    buffer_append_char(out, '\n');
    append_mdoc(out, topic->text);
    buffer_append_text(out, ".Bl -tag -width Ds\n");
    for (const struct topic_row *row = topic->rows; row->left; row++) {
        buffer_append_text(out, ".It Cm ");
        append_mdoc_word(out, row->left);
        buffer_append_char(out, '\n');
        append_mdoc(out, row->right);
    }
    buffer_append_text(out, ".El\n");
    if (topic->after) {
        buffer_append_text(out, ".Pp\n");
        append_mdoc(out, topic->after);
    }
}

void manual_man(struct buffer *out)
{
    buffer_append_text(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
    each_verb(append_mdoc_verb, out);
    buffer_append_text(out, ".El\n");
    append_mdoc_settings(out);
    for (const struct topic *topic = topics; topic->name; topic++)
        append_mdoc_topic(topic, out);
}
