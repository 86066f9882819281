/*
 * Pages for the terminal. Text wraps at the terminal's width, or at 100 columns where there is none.
 */
#include "supervisor/cli/frame/help.h"

#include "core/memory.h"
#include "supervisor/cli/frame/args.h"
#include "supervisor/cli/frame/output.h"
#include "supervisor/cli/frame/text.h"
#include "supervisor/cli/frame/topics.h"
#include "supervisor/config/names.h"
#include "supervisor/config/settings.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAGE_WIDTH 100
#define LEFT_WIDTH 26 /* of commands and of flags, which stand before their text */
#define ROOM 160      /* for the words of a flag */

/* --- pieces --- */

const char *help_section_title(enum cli_section section)
{
    static const char *const titles[] = {
        [SECTION_RUN] = "Run a farm",        [SECTION_LOOK] = "Look at it", [SECTION_ACT] = "Change it",
        [SECTION_LOAD] = "Load and test it", [SECTION_MORE] = "More",
    };
    _Static_assert(ARRAY_SIZE(titles) == SECTION_COUNT, "every section has a title");
    return titles[section];
}

void help_flag_words(const struct cli_flag *flag, char *out, size_t size)
{
    char letter[8] = "";
    if (flag->letter)
        snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    snprintf(out, size, "%s%s%s%s", letter, flag->name, flag->argument ? " " : "",
             flag->argument ? flag->argument : "");
}

void help_flag_text(const struct cli_flag *flag, struct buffer *out)
{
    buffer_append_text(out, flag->help);
    if (flag->preset)
        buffer_printf(out, " (%s)", flag->preset);
}

void help_usage(const struct cli_verb *verb, struct buffer *out)
{
    bool flags = verb->flag_sets[0] || verb->takes_settings;
    buffer_printf(out, "farmd %s%s%s%s", verb->name, verb->operands.usage ? " " : "",
                  verb->operands.usage ? verb->operands.usage : "", flags ? " [flags]" : "");
}

static size_t page_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col;
    return PAGE_WIDTH;
}

/* Words of `text` from column `at` on, further lines from column `indent` on. Line ends in the text stay. */
static void append_wrapped(struct buffer *out, const char *text, size_t at, size_t indent)
{
    size_t width = page_width();
    bool first = true;
    while (*text) {
        if (*text == '\n') {
            buffer_append_char(out, '\n');
            text++;
            at = 0;
            first = true;
            continue;
        }
        size_t length = strcspn(text, " \n");
        cleanup_free char *word = xstrndup(text, length);
        size_t columns = text_columns(word);
        if (!first && at + 1 + columns > width) {
            buffer_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            buffer_append_char(out, ' ');
            at++;
        }
        buffer_append_text(out, word);
        at += columns;
        text += length;
        text += *text == ' ';
        first = false;
    }
    buffer_append_char(out, '\n');
}

static void append_row(struct buffer *out, const char *left, const char *right)
{
    size_t taken = text_columns(left);
    buffer_printf(out, "  %s", left);
    if (taken > LEFT_WIDTH) {
        buffer_printf(out, "\n%*s", LEFT_WIDTH + 4, "");
        taken = LEFT_WIDTH;
    } else {
        buffer_printf(out, "%*s", (int)(LEFT_WIDTH + 2 - taken), "");
    }
    append_wrapped(out, right, LEFT_WIDTH + 4, LEFT_WIDTH + 4);
}

/* --- the page of a verb --- */

static void append_flag(const struct cli_flag *flag, void *data)
{
    struct buffer *out = data, text = BUFFER_EMPTY;
    char words[ROOM];
    help_flag_words(flag, words, sizeof(words));
    help_flag_text(flag, &text);
    append_row(out, words, text.data);
    buffer_done(&text);
}

static void append_settings_flags(struct buffer *out)
{
    for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++) {
        char words[ROOM], text[400];
        snprintf(words, sizeof(words), "%s%s%s", flag->flag, flag->argument ? " " : "",
                 flag->argument ? flag->argument : "");
        snprintf(text, sizeof(text), "%s%s%s%s", flag->text, flag->preset && flag->argument ? " (" : "",
                 flag->preset && flag->argument ? flag->preset : "", flag->preset && flag->argument ? ")" : "");
        append_row(out, words, text);
    }
}

/* They are many, and what most people want of them here is the same farm. */
static void append_settings_hint(struct buffer *out)
{
    buffer_append_char(out, '\n');
    append_wrapped(out,
                   "Which farm: by farm.yaml, the environment and the flags of the settings, the same as for `farmd "
                   "up`. --config FILE, --state-dir DIR, --servers N, --base-port PORT, --port PORT and the others are "
                   "in `farmd help up`.",
                   0, 0);
}

static void append_verb(struct buffer *out, const struct cli_verb *verb)
{
    help_usage(verb, out);
    buffer_append_text(out, "\n\n");
    append_wrapped(out, verb->details, 0, 0);
    bool is_up = verb == cli_verb_find("up");
    if (verb->flag_sets[0] || is_up)
        buffer_append_text(out, "\nFlags:\n");
    args_each_flag(verb, append_flag, out);
    if (is_up)
        append_settings_flags(out);
    else if (verb->takes_settings)
        append_settings_hint(out);
    if (verb->examples)
        buffer_append_text(out, "\nExamples:\n");
    for (const struct cli_example *example = verb->examples; example && example->command; example++)
        buffer_printf(out, "  farmd %s\n      %s\n", example->command, example->what);
    if (is_up)
        buffer_append_text(out,
                           "\nThe same can stand in farm.yaml; variables of the environment and a .env file come above "
                           "it, flags above all.\n");
}

static void append_topic(struct buffer *out, const struct topic *topic)
{
    append_wrapped(out, topic->text, 0, 0);
    buffer_append_char(out, '\n');
    for (const struct topic_row *row = topic->rows; row->left; row++)
        append_row(out, row->left, row->right);
    if (topic->after) {
        buffer_append_char(out, '\n');
        append_wrapped(out, topic->after, 0, 0);
    }
}

/* --- the page of all --- */

static void append_all(struct buffer *out)
{
    buffer_append_text(
        out, "farmd " FARMD_VERSION ", a farm of HTTP servers on this machine, each in a cgroup of its own\n\n"
             "  farmd [flags]           start the farm: 50 servers on ports 8001 to 8050, API 8000, dashboard "
             "3000\n"
             "  farmd COMMAND [flags]   work with one that runs\n");
    for (int section = 0; section < SECTION_COUNT; section++) {
        buffer_printf(out, "\n%s:\n", help_section_title((enum cli_section)section));
        for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
            if ((*verb)->section == (enum cli_section)section)
                buffer_printf(out, "  %-16s %s\n", (*verb)->name, (*verb)->summary);
        }
    }
    buffer_append_text(out, "\nfarmd help COMMAND tells all of a command, with examples. There are also:");
    for (const struct topic *topic = topics; topic->name; topic++)
        buffer_printf(out, "\n  farmd help %-13s %s", topic->name, topic->title);
    buffer_append_text(out,
                       "\nfarmd help up has the flags of a farm; they can stand in farm.yaml too (man farm.yaml).\n");
}

static int unknown(const char *name)
{
    struct names_nearest nearest = NAMES_NEAREST_INIT(name);
    for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++)
        names_nearest_offer(&nearest, (*verb)->name);
    for (const struct topic *topic = topics; topic->name; topic++)
        names_nearest_offer(&nearest, topic->name);
    if (nearest.best)
        return cli_fail(CLI_USAGE, "there is no help on \"%.100s\"; did you mean %s?", name, nearest.best);
    return cli_fail(CLI_USAGE, "there is no help on \"%.100s\"; `farmd help` lists the commands", name);
}

static int print(struct buffer *page)
{
    int code = output_write(page, NULL);
    buffer_done(page);
    return code;
}

int help_show_verb(const struct cli_verb *verb)
{
    struct buffer page = BUFFER_EMPTY;
    append_verb(&page, verb);
    return print(&page);
}

int help_show(char *const *words, int count)
{
    struct buffer page = BUFFER_EMPTY;
    int taken = 1;
    const struct cli_verb *verb = cli_verb_of(words, count, &taken);
    const struct topic *topic = count > 0 ? topic_find(words[0]) : NULL;
    if (count > taken)
        return cli_fail(CLI_USAGE, "\"%.100s\": unexpected; it is `farmd help COMMAND`", words[taken]);
    if (count > 0 && !verb && !topic)
        return unknown(words[0]);
    if (verb)
        append_verb(&page, verb);
    else if (topic)
        append_topic(&page, topic);
    else
        append_all(&page);
    return print(&page);
}
