/*
 * `--flag value`, `--flag=value`, `-f value`, `-fvalue`; "--" ends the flags. Not getopt: flags are rows of a table, a
 * mistyped one is answered with the one that was meant, and a verb may take the flags of the settings besides.
 */
#include "supervisor/cli/frame/args.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/units.h"
#include "supervisor/cli/frame/text.h"
#include "supervisor/config/names.h"
#include "supervisor/config/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64

struct cli_value {
    const struct cli_flag *flag;
    const char *text;
};

/* --- the rows --- */

void args_each_flag(const struct cli_verb *verb, void (*visit)(const struct cli_flag *flag, void *data), void *data)
{
    for (size_t set = 0; set < CLI_FLAG_SETS && verb->flag_sets[set]; set++) {
        for (const struct cli_flag *flag = verb->flag_sets[set]; flag->name; flag++)
            visit(flag, data);
    }
}

struct wanted {
    const char *name;
    size_t length;
    char letter;
    const struct cli_flag *found;
};

static void compare_flag(const struct cli_flag *flag, void *data)
{
    struct wanted *wanted = data;
    if (wanted->letter ? flag->letter == wanted->letter
                       : strlen(flag->name) == wanted->length && strncmp(flag->name, wanted->name, wanted->length) == 0)
        wanted->found = flag;
}

const struct cli_flag *args_flag(const struct cli_verb *verb, const char *name, size_t length)
{
    struct wanted wanted = {.name = name, .length = length};
    args_each_flag(verb, compare_flag, &wanted);
    return wanted.found;
}

const struct cli_flag *args_letter(const struct cli_verb *verb, char letter)
{
    struct wanted wanted = {.letter = letter};
    args_each_flag(verb, compare_flag, &wanted);
    return wanted.found;
}

bool args_each_word(const char *words, bool (*visit)(const char *word, void *data), void *data)
{
    char word[WORD_MAX];
    for (const char *at = words; *at;) {
        size_t length = strcspn(at, " ");
        snprintf(word, sizeof(word), "%.*s", (int)length, at);
        if (visit(word, data))
            return true;
        at += length + (at[length] == ' ');
    }
    return false;
}

static bool same_word(const char *word, void *data)
{
    return strcmp(word, data) == 0;
}

static bool is_word_of(const char *words, const char *text)
{
    return args_each_word(words, same_word, (void *)text);
}

/* --- values --- */

static int parse_age(const char *text, int64_t *age_ms)
{
    return units_parse_duration(text, age_ms) == 0 ? 0 : text_parse_ago(text, clock_realtime_us(), age_ms);
}

static int refuse_word(const struct cli_flag *flag, const char *origin, const char *text, struct error *err)
{
    char list[200];
    size_t length = 0;
    for (const char *c = flag->words; *c && length < sizeof(list) - 3; c++) {
        if (*c == ' ')
            list[length++] = ',';
        list[length++] = *c;
    }
    list[length] = '\0';
    return error_set(err, EINVAL, "%s: \"%.60s\" is none of %s", origin, text, list);
}

static int refuse_number(const struct cli_flag *flag, const char *origin, const char *text, struct error *err)
{
    char least[24], most[24];
    switch (flag->kind) {
    case CLI_INT:
        return error_set(err, EINVAL, "%s: \"%.60s\" is not a whole number from %" PRId64 " to %" PRId64, origin, text,
                         (int64_t)flag->min, (int64_t)flag->max);
    case CLI_NUMBER:
        return error_set(err, EINVAL, "%s: \"%.60s\" is not a number from %g to %g", origin, text, flag->min,
                         flag->max);
    case CLI_DURATION:
        units_format_duration(least, (int64_t)flag->min);
        units_format_duration(most, (int64_t)flag->max);
        return error_set(err, EINVAL, "%s: \"%.60s\" is not a duration from %s to %s; write 250ms, 3s or 5m", origin,
                         text, least, most);
    case CLI_AGE:
        return error_set(err, EINVAL,
                         "%s: \"%.60s\" is neither a duration such as 30s, 5m or 2h nor a time that was, such as 14:05 "
                         "or 2026-11-23T14:05",
                         origin, text);
    case CLI_SIZE:
        units_format_size(least, (uint64_t)flag->min);
        units_format_size(most, (uint64_t)flag->max);
        return error_set(err, EINVAL, "%s: \"%.60s\" is not a size from %s to %s; write 256M, 1G or bytes", origin,
                         text, least, most);
    case CLI_SWITCH:
    case CLI_TEXT:
    case CLI_WORD:
        break;
    }
    return 0;
}

static int check_value(const struct cli_flag *flag, const char *text, struct error *err)
{
    int64_t whole;
    uint64_t bytes;
    double number;
    bool fine = true;
    switch (flag->kind) {
    case CLI_SWITCH:
    case CLI_TEXT:
        break;
    case CLI_WORD:
        return is_word_of(flag->words, text) ? 0 : refuse_word(flag, flag->name, text, err);
    case CLI_INT:
        fine = units_parse_int(text, (int64_t)flag->min, (int64_t)flag->max, &whole) == 0;
        break;
    case CLI_NUMBER:
        fine = units_parse_double(text, flag->min, flag->max, &number) == 0;
        break;
    case CLI_DURATION:
        fine = units_parse_duration(text, &whole) == 0 && (double)whole >= flag->min && (double)whole <= flag->max;
        break;
    case CLI_AGE:
        fine = parse_age(text, &whole) == 0 && (double)whole >= flag->min && (double)whole <= flag->max;
        break;
    case CLI_SIZE:
        fine = units_parse_size(text, &bytes) == 0 && (double)bytes >= flag->min && (double)bytes <= flag->max;
        break;
    }
    return fine ? 0 : refuse_number(flag, flag->name, text, err);
}

/* --- words --- */

struct reader {
    struct cli_call *call;
    int argc;
    char **argv;
    int at; /* the next word */
};

static void offer_flag(const struct cli_flag *flag, void *nearest)
{
    names_nearest_offer(nearest, flag->name);
}

static int unknown_flag(const struct cli_verb *verb, const char *text, size_t length, struct error *err)
{
    char word[WORD_MAX] = "";
    if (length < sizeof(word))
        memcpy(word, text, length);
    struct names_nearest nearest = NAMES_NEAREST_INIT(word);
    args_each_flag(verb, offer_flag, &nearest);
    for (const struct settings_flag_help *flag = settings_flags(); verb->takes_settings && flag->flag; flag++)
        names_nearest_offer(&nearest, flag->flag);
    int shown = (int)(length < 100 ? length : 100);
    if (nearest.best)
        return error_set(err, EINVAL, "%.*s: unknown flag; did you mean %s?", shown, text, nearest.best);
    return error_set(err, EINVAL, "%.*s: unknown flag; `farmd help %s` lists them", shown, text, verb->name);
}

/* The value of a flag: what stood behind its "=", or the next word. NULL: there is none. */
static const char *take_value(struct reader *reader, const char *attached)
{
    if (attached)
        return attached;
    if (reader->at == reader->argc || strncmp(reader->argv[reader->at], "--", 2) == 0)
        return NULL;
    return reader->argv[reader->at++];
}

static int add_value(struct reader *reader, const struct cli_flag *flag, const char *attached, struct error *err)
{
    struct cli_call *call = reader->call;
    const char *text = "";
    if (flag->kind == CLI_SWITCH && attached)
        return error_set(err, EINVAL, "%s: takes no value", flag->name);
    if (flag->kind != CLI_SWITCH)
        text = take_value(reader, attached);
    if (!text)
        return error_set(err, EINVAL, "%s: needs a value: %s %s", flag->name, flag->name, flag->argument);
    int code = check_value(flag, text, err);
    if (code < 0)
        return code;
    call->values[call->value_count++] = (struct cli_value){.flag = flag, .text = text};
    return 0;
}

static const struct settings_flag_help *find_settings_flag(const char *text, size_t length)
{
    for (const struct settings_flag_help *flag = settings_flags(); flag->flag; flag++) {
        if (strlen(flag->flag) == length && strncmp(flag->flag, text, length) == 0)
            return flag;
    }
    return NULL;
}

/* A flag of the settings goes on as it is, with its value: settings_load reads and checks it. */
static int keep_for_settings(struct reader *reader, const struct settings_flag_help *flag, bool attached)
{
    struct cli_call *call = reader->call;
    call->settings_argv[call->settings_argc++] = reader->argv[reader->at - 1];
    bool takes_next =
        flag->argument && !attached && reader->at < reader->argc && strncmp(reader->argv[reader->at], "--", 2) != 0;
    if (takes_next)
        call->settings_argv[call->settings_argc++] = reader->argv[reader->at++];
    return 0;
}

static int read_long(struct reader *reader, const char *text, struct error *err)
{
    const struct cli_verb *verb = reader->call->verb;
    size_t length = strcspn(text, "=");
    const char *attached = text[length] == '=' ? text + length + 1 : NULL;
    const struct cli_flag *flag = args_flag(verb, text, length);
    if (flag)
        return add_value(reader, flag, attached, err);
    const struct settings_flag_help *setting = verb->takes_settings ? find_settings_flag(text, length) : NULL;
    if (setting)
        return keep_for_settings(reader, setting, attached != NULL);
    return unknown_flag(verb, text, length, err);
}

/* "-f value", "-fvalue" and several switches in one word, "-wn". */
static int read_letters(struct reader *reader, const char *text, struct error *err)
{
    for (const char *letter = text + 1; *letter; letter++) {
        const struct cli_flag *flag = args_letter(reader->call->verb, *letter);
        if (!flag)
            return unknown_flag(reader->call->verb, text, strcspn(text, "="), err);
        bool last = flag->kind != CLI_SWITCH;
        const char *rest = letter[1] == '=' ? letter + 2 : letter + 1;
        int code = add_value(reader, flag, last && letter[1] ? rest : NULL, err);
        if (code < 0 || last)
            return code;
    }
    return 0;
}

static int check_operands(const struct cli_call *call, struct error *err)
{
    const struct cli_verb *verb = call->verb;
    const struct cli_operands *operands = &verb->operands;
    size_t count = call->operand_count;
    if (count > 0 && !operands->usage)
        return error_set(err, EINVAL, "\"%.100s\": unexpected; `farmd %s` takes flags only, see `farmd help %s`",
                         call->operands[0], verb->name, verb->name);
    if (operands->most && count > operands->most)
        return error_set(err, EINVAL, "\"%.100s\": unexpected; it is `farmd %s %s`", call->operands[operands->most],
                         verb->name, operands->usage);
    if (count < operands->least)
        return error_set(err, EINVAL, "%s", operands->missing);
    if (count == 0 || operands->completes != COMPLETES_WORDS || is_word_of(operands->words, call->operands[0]))
        return 0;
    struct cli_flag first = {.words = operands->words};
    return refuse_word(&first, verb->name, call->operands[0], err);
}

static int read_words(struct reader *reader, struct error *err)
{
    struct cli_call *call = reader->call;
    bool flags_ended = false;
    int code = 0;
    while (code == 0 && reader->at < reader->argc) {
        char *text = reader->argv[reader->at++];
        bool negative = text[0] == '-' && text[1] >= '0' && text[1] <= '9'; /* no flag is a digit */
        if (flags_ended || negative || text[0] != '-' || text[1] == '\0')
            call->operands[call->operand_count++] = text;
        else if (strcmp(text, "--") == 0)
            flags_ended = true;
        else
            code = text[1] == '-' ? read_long(reader, text, err) : read_letters(reader, text, err);
    }
    return code < 0 ? code : check_operands(call, err);
}

int args_parse(const struct cli_verb *verb, int argc, char **argv, struct cli_call *call, struct error *err)
{
    size_t room = 1;
    for (int i = 0; i < argc; i++)
        room += 1 + strlen(argv[i]); /* each letter of a word may be a switch */
    *call = (struct cli_call){.verb = verb};
    call->operands = xcalloc((size_t)argc + 1, sizeof(char *));
    call->settings_argv = xcalloc((size_t)argc + 1, sizeof(char *));
    call->values = xcalloc(room, sizeof(*call->values));
    struct reader reader = {.call = call, .argc = argc, .argv = argv};
    int code = read_words(&reader, err);
    if (code < 0)
        args_done(call);
    return code;
}

void args_done(struct cli_call *call)
{
    free(steal(&call->operands));
    free(steal(&call->settings_argv));
    free(steal(&call->values));
}

/* --- what was given --- */

/* A name that the verb has no flag for is a mistake in its file, which every test of the verb then shows. */
static const struct cli_flag *own_flag(const struct cli_call *call, const char *name)
{
    const struct cli_flag *flag = args_flag(call->verb, name, strlen(name));
    if (!flag) {
        fprintf(stderr, "farmd: %s has no flag %s\n", call->verb->name, name);
        abort();
    }
    return flag;
}

const char *cli_text_at(const struct cli_call *call, const char *name, size_t index)
{
    const struct cli_flag *flag = own_flag(call, name);
    for (size_t i = 0; i < call->value_count; i++) {
        if (call->values[i].flag == flag && index-- == 0)
            return call->values[i].text;
    }
    return NULL;
}

bool cli_given(const struct cli_call *call, const char *name)
{
    return cli_text_at(call, name, 0) != NULL;
}

const char *cli_text(const struct cli_call *call, const char *name)
{
    const struct cli_flag *flag = own_flag(call, name);
    const char *text = flag->preset;
    for (size_t i = 0; i < call->value_count; i++) {
        if (call->values[i].flag == flag)
            text = call->values[i].text;
    }
    return text;
}

int64_t cli_int(const struct cli_call *call, const char *name)
{
    const char *text = cli_text(call, name);
    int64_t value = 0;
    if (text)
        units_parse_int(text, INT64_MIN, INT64_MAX, &value);
    return value;
}

double cli_number(const struct cli_call *call, const char *name)
{
    const struct cli_flag *flag = own_flag(call, name);
    const char *text = cli_text(call, name);
    double value = 0;
    if (text)
        units_parse_double(text, flag->min, flag->max, &value);
    return value;
}

int64_t cli_duration_ms(const struct cli_call *call, const char *name)
{
    const char *text = cli_text(call, name);
    int64_t value = 0;
    if (text)
        units_parse_duration(text, &value);
    return value;
}

int64_t cli_age_ms(const struct cli_call *call, const char *name)
{
    const char *text = cli_text(call, name);
    int64_t value = 0;
    if (text)
        parse_age(text, &value);
    return value;
}

uint64_t cli_size(const struct cli_call *call, const char *name)
{
    const char *text = cli_text(call, name);
    uint64_t value = 0;
    if (text)
        units_parse_size(text, &value);
    return value;
}
