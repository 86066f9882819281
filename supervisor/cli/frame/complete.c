/*
 * See complete.h. Words are parted at blanks; a quoted blank in a command line that is being written is rare enough.
 */
#include "supervisor/cli/frame/complete.h"

#include "core/memory.h"
#include "supervisor/cli/frame/args.h"
#include "supervisor/cli/frame/topics.h"
#include "supervisor/config/settings.h"
#include "supervisor/farm/selector.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 256

struct completion {
    const struct cli_verb *verb; /* NULL: it is being written */
    const char *before;          /* the word before it */
    const char *last;            /* what is there of the word */
    size_t kept_length;          /* of it, what stands before the part that is completed: "1-3," or "--output=" */
    struct buffer *out;
};

static void offer(const char *word, const char *what, void *to)
{
    struct completion *completion = to;
    const char *begun = completion->last + completion->kept_length;
    if (strncmp(word, begun, strlen(begun)) != 0)
        return;
    buffer_append(completion->out, completion->last, completion->kept_length);
    buffer_printf(completion->out, "%s\t%s\n", word, what);
}

/* --- what is offered --- */

static void offer_verbs(struct completion *completion)
{
    for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
        if ((*verb)->section != SECTION_HIDDEN && !strchr((*verb)->name, ' '))
            offer((*verb)->name, (*verb)->summary, completion);
    }
}

/* The second words of verbs that begin as this one does: "compare" of "load compare". */
static void offer_second_words(struct completion *completion, const char *first)
{
    size_t length = strlen(first);
    for (const struct cli_verb *const *verb = cli_verbs; *verb; verb++) {
        if (strncmp((*verb)->name, first, length) == 0 && (*verb)->name[length] == ' ')
            offer((*verb)->name + length + 1, (*verb)->summary, completion);
    }
}

static void offer_flag(const struct cli_flag *flag, void *completion)
{
    offer(flag->name, flag->help, completion);
}

static void offer_flags(struct completion *completion)
{
    const struct cli_verb *verb = completion->verb;
    args_each_flag(verb, offer_flag, completion);
    for (const struct settings_flag_help *flag = settings_flags(); verb->takes_settings && flag->flag; flag++)
        offer(flag->flag, flag->text, completion);
    offer("--help", "this command's page", completion);
}

static bool offer_word(const char *word, void *completion)
{
    offer(word, "", completion);
    return false;
}

/* A selector is completed from its last comma on. Comparisons are not offered: a shell takes > for itself. */
static void offer_servers(struct completion *completion,
                          void (*each_server)(complete_offer_fn *offer, void *to, void *data), void *data)
{
    const char *comma = strrchr(completion->last, ',');
    completion->kept_length = comma ? (size_t)(comma + 1 - completion->last) : 0;
    offer("all", "every server", completion);
    for (size_t i = 0; selector_word(i); i++) {
        if (!strchr(selector_word(i), '>'))
            offer(selector_word(i), "servers by what they are", completion);
    }
    if (each_server)
        each_server(offer, completion, data);
}

static void offer_operands(struct completion *completion, unsigned index,
                           void (*each_server)(complete_offer_fn *offer, void *to, void *data), void *data)
{
    const struct cli_operands *operands = &completion->verb->operands;
    if (!operands->usage || (operands->most && index >= operands->most))
        return;
    switch (operands->completes) {
    case COMPLETES_NOTHING:
        break;
    case COMPLETES_SERVERS:
        offer_servers(completion, each_server, data);
        break;
    case COMPLETES_VERBS:
        if (index > 0) {
            offer_second_words(completion, completion->before);
            break;
        }
        offer_verbs(completion);
        for (const struct topic *topic = topics; topic->name; topic++)
            offer(topic->name, topic->title, completion);
        break;
    case COMPLETES_WORDS:
        args_each_word(operands->words, offer_word, completion);
        break;
    }
}

/* --- where in the line it is --- */

/* The flag that the words end in and that wants a value: "--tail" or "-n". */
static const struct cli_flag *flag_before(const struct cli_verb *verb, const char *word)
{
    if (word[0] != '-')
        return NULL;
    const struct cli_flag *flag = NULL;
    if (word[1] == '-')
        flag = args_flag(verb, word, strlen(word));
    else if (word[1] != '\0')
        flag = args_letter(verb, word[strlen(word) - 1]);
    return flag && flag->kind != CLI_SWITCH ? flag : NULL;
}

static bool is_settings_flag(const struct cli_verb *verb, const char *word)
{
    for (const struct settings_flag_help *flag = settings_flags(); verb->takes_settings && flag->flag; flag++) {
        if (strcmp(flag->flag, word) == 0 && flag->argument)
            return true;
    }
    return false;
}

/* "--output=j": the value of a flag in one word with it. */
static const struct cli_flag *flag_within(struct completion *completion)
{
    const char *equals = strchr(completion->last, '=');
    if (strncmp(completion->last, "--", 2) != 0 || !equals)
        return NULL;
    completion->kept_length = (size_t)(equals + 1 - completion->last);
    return args_flag(completion->verb, completion->last, (size_t)(equals - completion->last));
}

static void complete_in_verb(struct completion *completion, char **words, unsigned count,
                             void (*each_server)(complete_offer_fn *offer, void *to, void *data), void *data)
{
    const struct cli_verb *verb = completion->verb;
    unsigned operands = 0;
    const struct cli_flag *flag = NULL;
    bool of_settings = false;
    for (unsigned i = 0; i < count; i++) {
        bool value = flag || of_settings;
        flag = value ? NULL : flag_before(verb, words[i]);
        of_settings = !value && is_settings_flag(verb, words[i]);
        operands += !value && words[i][0] != '-';
    }
    if (!flag && !of_settings)
        flag = flag_within(completion);
    if (flag && flag->words)
        args_each_word(flag->words, offer_word, completion);
    else if (flag || of_settings || completion->kept_length > 0)
        return; /* a value that only its writer knows */
    else if (completion->last[0] == '-')
        offer_flags(completion);
    else
        offer_operands(completion, operands, each_server, data);
}

void complete_line(const char *line, void (*each_server)(complete_offer_fn *offer, void *to, void *data), void *data,
                   struct buffer *out)
{
    cleanup_free char *copy = xstrdup(line);
    size_t length = strlen(line);
    bool begun = length > 0 && line[length - 1] != ' '; /* the last word is; else a new one begins */
    char *words[WORDS_MAX], *rest = NULL;
    unsigned count = 0;
    for (char *word = strtok_r(copy, " ", &rest); word && count < WORDS_MAX; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    unsigned before = begun && count > 0 ? count - 1 : count;
    struct completion completion = {.last = begun && count > 0 ? words[count - 1] : "", .out = out};
    if (before == 0 || count == WORDS_MAX)
        return;
    bool named = before > 1 && words[1][0] != '-';
    bool flags_first = before > 1 ? !named : completion.last[0] == '-';
    int taken = 0;
    completion.before = words[before - 1];
    completion.verb = flags_first ? cli_verb_find("up")
                      : named     ? cli_verb_of(words + 1, (int)before - 1, &taken)
                                  : NULL;
    unsigned skipped = 1 + (unsigned)taken;
    if (!flags_first && !named)
        offer_verbs(&completion);
    else if (completion.verb && before == 2 && named)
        offer_second_words(&completion, words[1]);
    if (completion.verb)
        complete_in_verb(&completion, words + skipped, before - skipped, each_server, data);
}
