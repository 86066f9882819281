/*
 * UTF-8 on a terminal, and times of the API; see text.h.
 */
#include "supervisor/cli/frame/text.h"

#include "core/clock.h"

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

void text_format_time(char out[24], int64_t at_us)
{
    time_t at = (time_t)(at_us / US_PER_SECOND), now = (time_t)(clock_realtime_us() / US_PER_SECOND);
    struct tm then, today;
    localtime_r(&at, &then);
    localtime_r(&now, &today);
    bool same_day = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
    strftime(out, 24, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
}
