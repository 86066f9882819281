/*
 * The types of settings that are one scalar: how each is read, written, compared, copied and freed. Apart from the table
 * so that a new setting is one row there and nothing here.
 */
#include "supervisor/config/settings_table.h"

#include "core/memory.h"
#include "core/units.h"
#include "supervisor/config/names.h"
#include "supervisor/config/yaml_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Plain data: compared, copied and (not) freed alike. The enumerations are unsigned ints to gcc and clang. */
#define PLAIN_TYPE(name, ctype)                                                                                        \
    static bool equal_##name(const struct setting *setting, const void *a, const void *b)                              \
    {                                                                                                                  \
        (void)setting;                                                                                                 \
        return *(const ctype *)a == *(const ctype *)b;                                                                 \
    }                                                                                                                  \
    static void copy_##name(const struct setting *setting, void *to, const void *from)                                 \
    {                                                                                                                  \
        (void)setting;                                                                                                 \
        *(ctype *)to = *(const ctype *)from;                                                                           \
    }
PLAIN_TYPE(unsigned, unsigned)
PLAIN_TYPE(port, uint16_t)
PLAIN_TYPE(double, double)
PLAIN_TYPE(size, uint64_t)
PLAIN_TYPE(time, int64_t)
PLAIN_TYPE(boolean, bool)
_Static_assert(sizeof(enum restart_profile) == sizeof(unsigned), "enumerations are read and written as unsigned");

#define PLAIN(name) .equal = equal_##name, .copy = copy_##name

/* ---- numbers -------------------------------------------------------------------------------------------------- */

static int parse_count(const struct setting *setting, const char *text, void *field)
{
    int64_t value;
    int r = units_parse_int(text, (int64_t)setting->min, (int64_t)setting->max, &value);
    if (r == 0)
        *(unsigned *)field = (unsigned)value;
    return r;
}

static void print_count(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    buffer_printf(out, "%u", *(const unsigned *)field);
}

static int parse_port(const struct setting *setting, const char *text, void *field)
{
    int64_t value;
    int r = units_parse_int(text, (int64_t)setting->min, (int64_t)setting->max, &value);
    if (r == 0)
        *(uint16_t *)field = (uint16_t)value;
    return r;
}

static void print_port(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    buffer_printf(out, "%u", *(const uint16_t *)field);
}

static int parse_cores(const struct setting *setting, const char *text, void *field)
{
    double value;
    int r = units_parse_double(text, setting->min, setting->max, &value);
    if (r == 0)
        *(double *)field = value;
    return r;
}

/* With as few decimals as bring the very same number back. */
static void print_cores(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    double value = *(const double *)field;
    char text[40];
    for (int decimals = 0; decimals <= 20; decimals++) {
        snprintf(text, sizeof(text), "%.*f", decimals, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buffer_append_text(out, text);
}

static int parse_size(const struct setting *setting, const char *text, void *field)
{
    uint64_t value;
    int r = units_parse_size(text, &value);
    if (r == 0 && ((double)value < setting->min || (double)value > setting->max))
        r = -ERANGE;
    if (r == 0)
        *(uint64_t *)field = value;
    return r;
}

static void print_size(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    uint64_t value = *(const uint64_t *)field;
    static const char *const units[] = {"", "K", "M", "G", "T"};
    size_t unit = 0;
    while (value != 0 && value % 1024 == 0 && unit + 2 < ARRAY_SIZE(units)) {
        value /= 1024;
        unit++;
    }
    buffer_printf(out, "%llu%s", (unsigned long long)value, units[unit]);
}

/* ---- time ----------------------------------------------------------------------------------------------------- */

static int parse_duration(const struct setting *setting, const char *text, void *field)
{
    int64_t value;
    int r = units_parse_duration(text, &value);
    if (r == 0 && ((double)value < setting->min || (double)value > setting->max))
        r = -ERANGE;
    if (r == 0)
        *(int64_t *)field = value;
    return r;
}

static int parse_milliseconds(const struct setting *setting, const char *text, void *field)
{
    int64_t value;
    int r = units_parse_int(text, (int64_t)setting->min, (int64_t)setting->max, &value);
    if (r == 0)
        *(int64_t *)field = value;
    return r;
}

static void print_duration(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    long long value = *(const int64_t *)field;
    if (value % 1000 == 0)
        buffer_printf(out, "%llds", value / 1000);
    else
        buffer_printf(out, "%lldms", value);
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

static int parse_boolean(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1", NULL};
    int found = names_find(words, text);
    if (found < 0)
        return -EINVAL;
    *(bool *)field = found % 2 == 1;
    return 0;
}

static void print_boolean(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    buffer_append_text(out, *(const bool *)field ? "true" : "false");
}

static int parse_name_of(const struct setting *setting, const char *text, void *field)
{
    int found = names_find(setting->type->names, text);
    if (found < 0)
        return -EINVAL;
    *(unsigned *)field = (unsigned)found;
    return 0;
}

static int parse_log_level(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    enum log_level level;
    int r = log_level_parse(text, &level);
    if (r == 0)
        *(unsigned *)field = level;
    return r;
}

static void print_name_of(const struct setting *setting, const void *field, struct buffer *out)
{
    buffer_append_text(out, setting->type->names[*(const unsigned *)field]);
}

/* ---- texts ---------------------------------------------------------------------------------------------------- */

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if (iscntrl((unsigned char)*text))
            return true;
    }
    return false;
}

static bool is_visible_ascii(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text >= 0x7f)
            return false;
    }
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int keep_text(const char *text, void *field)
{
    char **member = field;
    free(*member);
    *member = xstrdup(text);
    return 0;
}

static int parse_url_path(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    if (text[0] != '/' || !is_visible_ascii(text) || strchr(text, '#'))
        return -EINVAL;
    return strlen(text) > 1024 ? -ERANGE : keep_text(text, field);
}

static int parse_host(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    unsigned char address[sizeof(struct in6_addr)];
    if (strcmp(text, "localhost") != 0 && inet_pton(AF_INET, text, address) != 1 &&
        inet_pton(AF_INET6, text, address) != 1)
        return -EINVAL;
    return keep_text(text, field);
}

static int parse_token(const struct setting *setting, const char *text, void *field)
{
    size_t length = strlen(text);
    if (!is_visible_ascii(text) || (double)length < setting->min || (double)length > setting->max)
        return -EINVAL;
    return keep_text(text, field);
}

static int parse_group_name(const struct setting *setting, const char *text, void *field)
{
    if (text[0] == '\0' || text[0] == '-' || (double)strlen(text) > setting->max)
        return -EINVAL;
    for (const char *c = text; *c; c++) {
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '-')
            return -EINVAL;
    }
    return keep_text(text, field);
}

static int parse_user(const struct setting *setting, const char *text, void *field)
{
    (void)setting;
    return getpwnam(text) ? keep_text(text, field) : -EINVAL;
}

/* [HOST[:PORT]/]PATH[:TAG][@DIGEST]; the Engine knows better, so only what no name can have is refused. */
static int parse_image(const struct setting *setting, const char *text, void *field)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@";
    if (text[0] == '\0' || strchr("._-/:@", text[0]) || text[strspn(text, allowed)] != '\0')
        return -EINVAL;
    return (double)strlen(text) > setting->max ? -ERANGE : keep_text(text, field);
}

static int parse_file_path(const struct setting *setting, const char *text, void *field)
{
    if (text[0] == '\0' || has_control(text))
        return -EINVAL;
    return (double)strlen(text) > setting->max ? -ERANGE : keep_text(text, field);
}

static void print_text(const struct setting *setting, const void *field, struct buffer *out)
{
    (void)setting;
    yaml_write_text(out, *(char *const *)field);
}

static bool equal_text(const struct setting *setting, const void *a, const void *b)
{
    (void)setting;
    return same_text(*(char *const *)a, *(char *const *)b);
}

static void copy_text(const struct setting *setting, void *to, const void *from)
{
    (void)setting;
    *(char **)to = xstrdup(*(char *const *)from);
}

static void release_text(const struct setting *setting, void *field)
{
    (void)setting;
    free(*(char **)field);
    *(char **)field = NULL;
}

/* ---- the types ------------------------------------------------------------------------------------------------- */

#define TEXT .print = print_text, .equal = equal_text, .copy = copy_text, .release = release_text
#define ENUM(names_) .noun = "known", .parse = parse_name_of, .print = print_name_of, .names = names_, PLAIN(unsigned)

const struct setting_type setting_count = {
    .noun = "a whole number", .parse = parse_count, .print = print_count, PLAIN(unsigned)};
const struct setting_type setting_port = {
    .noun = "a port number", .parse = parse_port, .print = print_port, PLAIN(port)};
const struct setting_type setting_cores = {
    .noun = "a number", .parse = parse_cores, .print = print_cores, PLAIN(double)};
const struct setting_type setting_size = {
    .noun = "a size", .hint = "write 256M, 1G or bytes", .parse = parse_size, .print = print_size, PLAIN(size)};
const struct setting_type setting_duration = {.noun = "a duration",
                                              .hint = "write 250ms, 3s or 5m",
                                              .parse = parse_duration,
                                              .print = print_duration,
                                              PLAIN(time)};
const struct setting_type setting_milliseconds = {
    .noun = "a whole number of milliseconds", .parse = parse_milliseconds, .print = print_duration, PLAIN(time)};
const struct setting_type setting_boolean = {.noun = "a yes or no",
                                             .hint = "write true or false",
                                             .parse = parse_boolean,
                                             .print = print_boolean,
                                             PLAIN(boolean)};
const struct setting_type setting_restart_policy = {ENUM(restart_policy_names)};
const struct setting_type setting_restart_profile = {ENUM(restart_profile_names)};
const struct setting_type setting_runtime_kind = {ENUM(runtime_kind_names)};
const struct setting_type setting_enforce_mode = {ENUM(enforce_mode_names)};
const struct setting_type setting_log_format = {ENUM(log_format_names)};
const struct setting_type setting_log_level = {
    .noun = "known", .parse = parse_log_level, .print = print_name_of, .names = log_level_names, PLAIN(unsigned)};
const struct setting_type setting_url_path = {
    .noun = "a path", .hint = "write it from the root, such as /health", .parse = parse_url_path, TEXT};
const struct setting_type setting_host = {.noun = "an address",
                                          .hint = "write localhost, 0.0.0.0, :: or an address of this machine",
                                          .parse = parse_host,
                                          TEXT};
const struct setting_type setting_token = {.noun = "a token", .secret = true, .parse = parse_token, TEXT};
const struct setting_type setting_name = {.noun = "a name", .parse = parse_group_name, TEXT};
const struct setting_type setting_user = {.noun = "a user of this machine",
                                          .hint = "write one of those that `getent passwd` lists",
                                          .parse = parse_user,
                                          TEXT};
const struct setting_type setting_image = {.noun = "the name of an image",
                                           .hint = "write it as `docker images` does, such as nginx:1.25",
                                           .parse = parse_image,
                                           TEXT};
const struct setting_type setting_file_path = {.noun = "a path", .parse = parse_file_path, TEXT};
