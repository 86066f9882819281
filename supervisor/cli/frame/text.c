/*
 * UTF-8 on a terminal, and times of the API; see text.h.
 */
#include "supervisor/cli/frame/text.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

size_t text_columns(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += begins_character(*text);
    return columns;
}

void text_append(struct buffer *out, const char *text, size_t columns)
{
    bool cut = text_columns(text) > columns;
    size_t room = cut && columns > 0 ? columns - 1 : columns;
    for (; *text; text++) {
        if (begins_character(*text) && room-- == 0)
            break;
        bool control = (unsigned char)*text < ' ' || *text == 127;
        buffer_append_char(out, control ? ' ' : *text);
    }
    if (cut && columns > 0)
        buffer_append_text(out, "…");
}

static int number_at(const char *text, int digits)
{
    int number = 0;
    while (digits-- > 0)
        number = number * 10 + (*text++ - '0');
    return number;
}

int64_t text_parse_time(const char *iso)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddddd+00:00";
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        bool digit = iso[i] >= '0' && iso[i] <= '9';
        if (form[i] == 'd' ? !digit : iso[i] != form[i])
            return 0;
    }
    struct tm day = {
        .tm_year = number_at(iso, 4) - 1900,
        .tm_mon = number_at(iso + 5, 2) - 1,
        .tm_mday = number_at(iso + 8, 2),
        .tm_hour = number_at(iso + 11, 2),
        .tm_min = number_at(iso + 14, 2),
        .tm_sec = number_at(iso + 17, 2),
    };
    return (int64_t)timegm(&day) * US_PER_SECOND + number_at(iso + 20, 6);
}

/* Fills in what the text says; false when it is none of the forms. */
static bool parse_local(const char *text, struct tm *then, bool *dated)
{
    static const char *const forms[] = {"%H:%M",          "%H:%M:%S",          "%Y-%m-%d",         "%Y-%m-%d %H:%M",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"};
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct tm made = *then;
        const char *end = strptime(text, forms[i], &made);
        if (end && *end == '\0') {
            *then = made;
            *dated = forms[i][1] == 'Y';
            return true;
        }
    }
    return false;
}

int text_parse_ago(const char *text, int64_t now_us, int64_t *age_ms)
{
    time_t now = (time_t)(now_us / US_PER_SECOND);
    int64_t then_us = text_parse_time(text);
    bool dated;
    struct tm then;
    localtime_r(&now, &then);
    then.tm_hour = then.tm_min = then.tm_sec = 0;
    if (then_us == 0) {
        if (!parse_local(text, &then, &dated))
            return -EINVAL;
        then.tm_isdst = -1;
        struct tm yesterday = then;
        then_us = (int64_t)mktime(&then) * US_PER_SECOND;
        if (!dated && then_us > now_us) {
            yesterday.tm_mday--;
            then_us = (int64_t)mktime(&yesterday) * US_PER_SECOND;
        }
    }
    if (then_us > now_us)
        return -EINVAL;
    *age_ms = (now_us - then_us) / (US_PER_SECOND / MS_PER_SECOND);
    return 0;
}

void text_format_time(char out[24], int64_t at_us)
{
    time_t at = (time_t)(at_us / US_PER_SECOND), now = (time_t)(clock_realtime_us() / US_PER_SECOND);
    struct tm then, today;
    localtime_r(&at, &then);
    localtime_r(&now, &today);
    bool same_day = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
    strftime(out, 24, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
}
