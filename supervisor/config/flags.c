/*
 * `--flag value` and `--flag=value`. Not getopt: the flags are rows of the table, and a mistyped one is answered with
 * the one that was meant.
 */
#include "supervisor/config/flags.h"

#include "supervisor/config/names.h"

#include <errno.h>
#include <string.h>

static const struct setting *find_flag(const char *text, size_t length)
{
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const char *flag = settings_table[i].flag;
        if (flag && strlen(flag) == length && strncmp(flag, text, length) == 0)
            return &settings_table[i];
    }
    return NULL;
}

static int unknown_flag(const char *text, size_t length, struct error *err)
{
    char word[64] = "";
    if (length < sizeof(word))
        memcpy(word, text, length);
    struct names_nearest nearest = NAMES_NEAREST_INIT(word);
    for (size_t i = 0; i < SETTING_IDS; i++) {
        if (settings_table[i].flag)
            names_nearest_offer(&nearest, settings_table[i].flag);
    }
    if (nearest.best)
        return error_set(err, EINVAL, "%.*s: unknown flag; did you mean %s?", (int)length, text, nearest.best);
    return error_set(err, EINVAL, "%.*s: unknown flag; `farmd help` lists them all", (int)length, text);
}

int flags_parse(int argc, char **argv, const char *values[SETTING_IDS], struct error *err)
{
    const char *found[SETTING_IDS] = {NULL};
    for (int i = 0; i < argc; i++) {
        const char *text = argv[i];
        if (strncmp(text, "-", 1) != 0)
            return error_set(err, EINVAL, "\"%.100s\": unexpected; farmd takes flags only, see `farmd help`", text);
        size_t length = strcspn(text, "=");
        const struct setting *setting = find_flag(text, length);
        if (!setting)
            return unknown_flag(text, length < 100 ? length : 100, err);

        const char *value = text[length] == '=' ? text + length + 1 : NULL;
        if (!value && !setting->argument)
            value = "true";
        if (!value && (i + 1 == argc || strncmp(argv[i + 1], "--", 2) == 0))
            return error_set(err, EINVAL, "%s: needs a value: %s %s", setting->flag, setting->flag, setting->argument);
        found[setting - settings_table] = value ? value : argv[++i];
    }
    memcpy(values, found, sizeof(found));
    return 0;
}

const struct settings_flag_help *settings_flags(void)
{
    static struct settings_flag_help rows[SETTING_IDS + 1];
    size_t count = 0;
    for (size_t i = 0; i < SETTING_IDS; i++) {
        const struct setting *setting = &settings_table[i];
        if (setting->flag)
            rows[count++] = (struct settings_flag_help){
                .flag = setting->flag, .argument = setting->argument, .text = setting->help, .preset = setting->preset};
    }
    rows[count] = (struct settings_flag_help){.flag = NULL};
    return rows;
}
